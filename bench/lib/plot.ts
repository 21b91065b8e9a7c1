// Plots as SVG text: groups of horizontal bars, and lines over axes, each with a legend, readable on
// light and dark pages (the ink follows the page's colour scheme, the series stand out on both).

import { linearAxis, logAxis, type Axis } from "./plot-axis.js";

export interface BarPlot {
  readonly title: string;
  readonly groups: readonly BarGroup[];
}

/** Has a scale of its own: bars compare within a group, whose longest fills the width. */
export interface BarGroup {
  readonly label: string;
  /** Stands behind each value. */
  readonly unit: string;
  /** Series of the same name have the same colour in all groups. */
  readonly bars: readonly { readonly series: string; readonly value: number }[];
}

export interface LinePlot {
  readonly title: string;
  readonly x: AxisSpec;
  readonly y: AxisSpec;
  readonly series: readonly LineSeries[];
}

export interface AxisSpec {
  readonly label: string;
  readonly scale: "linear" | "log";
}

export interface LineSeries {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 760;
const BAR = 16;
const GAP = 14;
/** Room for a value and its unit behind the longest bar. */
const VALUE_WIDTH = 110;
const CHARACTER = 6.6;
const LINES_HEIGHT = 300;
const TOP = 62;
const COLOURS = ["#2f7ed8", "#e0812f", "#8b93a1", "#3aa76d", "#b05cc6", "#d14b5a"];

export function barPlot({ title, groups }: BarPlot): string {
  const names = [...new Set(groups.flatMap(({ bars }) => bars.map(({ series }) => series)))];
  const left = 20 + CHARACTER * Math.max(0, ...groups.map(({ label }) => label.length));
  const widest = WIDTH - VALUE_WIDTH - left;
  const body: string[] = [];
  let y = TOP;
  for (const { label, unit, bars } of groups) {
    body.push(text(left - 8, y + (bars.length * BAR) / 2 + 4, label, "end"));
    const longest = Math.max(...bars.map(({ value }) => value));
    for (const { series, value } of bars) {
      const width = Math.max(1, (widest * value) / longest);
      const fill = COLOURS[names.indexOf(series) % COLOURS.length]!;
      body.push(
        `<rect x="${n(left)}" y="${n(y + 1)}" width="${n(width)}" height="${BAR - 2}" fill="${fill}"/>`,
        text(left + width + 5, y + 12, `${shown(value)} ${unit}`, "start", "small"),
      );
      y += BAR;
    }
    y += GAP;
  }
  return svg(y, [heading(title), ...legend(names), ...body]);
}

export function linePlot({ title, x, y, series }: LinePlot): string {
  const [left, right, bottom] = [70, WIDTH - 30, TOP + LINES_HEIGHT];
  const points = series.flatMap((each) => each.points);
  const across = axisOf(
    x,
    points.map(([value]) => value),
    left,
    right,
  );
  const up = axisOf(
    y,
    points.map(([, value]) => value),
    bottom,
    TOP,
  );
  const grid = [
    ...across.ticks.flatMap((tick) => [
      line([across.at(tick), TOP], [across.at(tick), bottom], "grid"),
      text(across.at(tick), bottom + 16, shown(tick), "middle", "small"),
    ]),
    ...up.ticks.flatMap((tick) => [
      line([left, up.at(tick)], [right, up.at(tick)], "grid"),
      text(left - 6, up.at(tick) + 4, shown(tick), "end", "small"),
    ]),
  ];
  const drawn = series.flatMap((each, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const at = each.points.map(([px, py]) => [across.at(px), up.at(py)] as const);
    const path = at.map(([px, py]) => `${n(px)},${n(py)}`).join(" ");
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...at.map(([px, py]) => `<circle cx="${n(px)}" cy="${n(py)}" r="3.5" fill="${colour}"/>`),
    ];
  });
  const middle = (TOP + bottom) / 2;
  return svg(bottom + 46, [
    heading(title),
    ...legend(series.map(({ name }) => name)),
    ...grid,
    ...drawn,
    text((left + right) / 2, bottom + 36, x.label, "middle"),
    `<text x="16" y="${n(middle)}" text-anchor="middle" transform="rotate(-90 16 ${n(middle)})">` +
      `${escape(y.label)}</text>`,
  ]);
}

function axisOf(spec: AxisSpec, values: readonly number[], from: number, to: number): Axis {
  return spec.scale === "log" ? logAxis(values, from, to) : linearAxis([0, ...values], from, to);
}

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 14px; font-weight: 600 }
.small { font-size: 11px }
.grid { stroke: #8b93a1; stroke-opacity: 0.35 }
@media (prefers-color-scheme: dark) { text { fill: #d8dee6 } }
`;

function svg(height: number, parts: readonly string[]): string {
  const box = `viewBox="0 0 ${WIDTH} ${n(height)}" width="${WIDTH}" height="${n(height)}"`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" ${box} role="img">`;
  return [head, `<style>${STYLE}</style>`, ...parts, "</svg>", ""].join("\n");
}

function heading(title: string): string {
  return text(12, 22, title, "start", "title");
}

function legend(names: readonly string[]): string[] {
  let x = 12;
  return names.flatMap((name, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const entry = [
      `<rect x="${n(x)}" y="34" width="11" height="11" fill="${colour}"/>`,
      text(x + 16, 44, name, "start"),
    ];
    x += 34 + name.length * CHARACTER;
    return entry;
  });
}

type Anchor = "start" | "middle" | "end";

function text(x: number, y: number, words: string, anchor: Anchor, style?: string): string {
  const named = style === undefined ? "" : ` class="${style}"`;
  return `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}"${named}>${escape(words)}</text>`;
}

function line(from: readonly number[], to: readonly number[], style: string): string {
  const [x1, y1] = from;
  const [x2, y2] = to;
  return `<line x1="${n(x1!)}" y1="${n(y1!)}" x2="${n(x2!)}" y2="${n(y2!)}" class="${style}"/>`;
}

function shown(value: number): string {
  return Number(value.toPrecision(4)).toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escape(words: string): string {
  return words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
