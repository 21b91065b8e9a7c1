// What every bench prints: samples collected by subject and metric, and ratios between subjects of
// the same round, as JSON lines or as a table.

import { cpus } from "node:os";
import type { ProcessFigures } from "./meter.js";

export interface BenchOptions {
  /** Small sizes: shows that the bench runs, its figures mean little. */
  readonly smoke: boolean;
  /** JSON lines instead of a table. */
  readonly json: boolean;
  /** Run js-libp2p beside ours; it is installed by then. */
  readonly libp2p: boolean;
  /** For a profile: where all subjects run on one thread, ours is alone. */
  readonly profiled: boolean;
  /** How often each contender runs, interleaved. */
  readonly rounds: number;
}

export interface Summary {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** `subject` is vibecoin, libp2p or limit; a variant of the load is a part of the metric's name. */
export interface FigureLine extends Summary {
  readonly bench: string;
  readonly subject: string;
  readonly metric: string;
  readonly unit: string;
}

export interface RatioLine extends Summary {
  readonly bench: string;
  /** `vibecoin/limit`: the first divided by the second, round by round. */
  readonly ratio: string;
  readonly metric: string;
}

/** What `Report.process` samples of a process: the ends of its metrics' names, and their units. */
export const PROCESS_METRICS = {
  cpu: "s",
  "loop-delay-p50": "ms",
  "loop-delay-p99": "ms",
  "loop-delay-max": "ms",
  "rss-max": "MiB",
  "rss-anon-max": "MiB",
} as const;

interface Series extends Pick<FigureLine, "subject" | "metric" | "unit"> {
  readonly values: number[];
}

interface RatioAsked {
  readonly of: Measured;
  readonly to: Measured;
  readonly metric: string;
}

interface Measured {
  readonly subject: string;
  readonly metric: string;
}

export class Report {
  readonly #bench: string;
  readonly #options: Pick<BenchOptions, "smoke" | "json">;
  readonly #series = new Map<string, Series>();
  readonly #ratios: RatioAsked[] = [];

  constructor(bench: string, options: Pick<BenchOptions, "smoke" | "json">) {
    this.#bench = bench;
    this.#options = options;
  }

  /** One measurement; those of one subject and metric must come in the order of the rounds. */
  sample(subject: string, metric: string, unit: string, value: number): void {
    const key = `${metric} ${subject}`;
    let series = this.#series.get(key);
    if (series === undefined)
      this.#series.set(key, (series = { subject, metric, unit, values: [] }));
    series.values.push(value);
  }

  /** What a process spent, as metrics that begin with `prefix`, such as `single/receiver`. */
  process(subject: string, prefix: string, figures: ProcessFigures): void {
    const { cpuSeconds, loop, rssMiB, rssAnonMiB } = figures;
    const values: Record<keyof typeof PROCESS_METRICS, number> = {
      cpu: cpuSeconds,
      "loop-delay-p50": loop.p50Ms,
      "loop-delay-p99": loop.p99Ms,
      "loop-delay-max": loop.maxMs,
      "rss-max": rssMiB,
      "rss-anon-max": rssAnonMiB,
    };
    for (const [metric, unit] of Object.entries(PROCESS_METRICS)) {
      const value = values[metric as keyof typeof PROCESS_METRICS];
      // Only Linux tells anonymous pages apart.
      if (!Number.isNaN(value)) this.sample(subject, `${prefix}-${metric}`, unit, value);
    }
  }

  /**
   * Asks for `subject/base`, computed round by round: what disturbs the machine for a while
   * disturbs both subjects of a round. With `baseMetric` the base is another variant of the load;
   * the line then names `metric:baseMetric`. A ratio to what was not measured is not printed.
   */
  ratio(subject: string, base: string, metric: string, baseMetric = metric): void {
    this.#ratios.push({
      of: { subject, metric },
      to: { subject: base, metric: baseMetric },
      metric: metric === baseMetric ? metric : `${metric}:${baseMetric}`,
    });
  }

  /** The values so far, for a bench that judges itself. */
  values(subject: string, metric: string): readonly number[] {
    return this.#series.get(`${metric} ${subject}`)?.values ?? [];
  }

  figureLines(): FigureLine[] {
    const bench = this.#bench;
    return [...this.#series.values()].map(({ subject, metric, unit, values }) => ({
      bench,
      subject,
      metric,
      unit,
      ...summarize(values),
    }));
  }

  ratioLines(): RatioLine[] {
    const bench = this.#bench;
    return this.#ratios.flatMap(({ of, to, metric }) => {
      const bases = this.values(to.subject, to.metric);
      const values = this.values(of.subject, of.metric).flatMap((value, round) =>
        bases[round] === undefined ? [] : value / bases[round],
      );
      if (values.length === 0) return [];
      return { bench, ratio: `${of.subject}/${to.subject}`, metric, ...summarize(values) };
    });
  }

  print(): void {
    const figures = this.figureLines();
    const ratios = this.ratioLines();
    if (this.#options.json) {
      for (const line of [...figures, ...ratios]) write(JSON.stringify(line));
      return;
    }
    const [cpu] = cpus();
    const machine = `${cpus().length} x ${cpu?.model.trim() ?? "unknown processor"}`;
    const size = this.#options.smoke ? " (smoke)" : "";
    write(`${this.#bench}${size}: Node ${process.version}, ${machine}\n`);
    table([
      ["metric", "subject", "unit", "min", "median", "max"],
      ...figures.map((line) => [line.metric, line.subject, line.unit, ...numbers(line)]),
      ...ratios.map((line) => [line.metric, line.ratio, "ratio", ...numbers(line)]),
    ]);
  }
}

function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const low = sorted[Math.floor(middle)] ?? NaN;
  const high = sorted[Math.ceil(middle)] ?? NaN;
  return {
    min: round(sorted[0] ?? NaN),
    median: round((low + high) / 2),
    max: round(sorted.at(-1) ?? NaN),
  };
}

/** Four significant digits: more would claim a precision that no bench has. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

function numbers({ min, median, max }: Summary): string[] {
  return [min, median, max].map((value) => value.toLocaleString("en-US"));
}

function table(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    write(cells.join("  ").trimEnd());
  }
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}
