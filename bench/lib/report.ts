// What every bench prints: samples collected by subject and metric, and ratios between subjects of
// the same round, as JSON lines or as a table.

import { cpus } from "node:os";

export interface BenchOptions {
  /** Small sizes: shows that the bench runs, its figures mean nothing. */
  readonly smoke: boolean;
  /** JSON lines instead of a table. */
  readonly json: boolean;
}

interface Series {
  readonly subject: string;
  readonly metric: string;
  readonly unit: string;
  readonly values: number[];
}

interface Summary {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export class Report {
  private readonly bench: string;
  private readonly options: BenchOptions;
  private readonly series = new Map<string, Series>();
  private readonly ratios: { subject: string; base: string; metric: string }[] = [];

  constructor(bench: string, options: BenchOptions) {
    this.bench = bench;
    this.options = options;
  }

  /** One measurement; those of one subject and metric must come in the order of the rounds. */
  sample(subject: string, metric: string, unit: string, value: number): void {
    const key = `${metric} ${subject}`;
    let series = this.series.get(key);
    if (series === undefined)
      this.series.set(key, (series = { subject, metric, unit, values: [] }));
    series.values.push(value);
  }

  /**
   * Asks for `subject/base`, computed round by round: what disturbs the machine for a while
   * disturbs both subjects of a round.
   */
  ratio(subject: string, base: string, metric: string): void {
    this.ratios.push({ subject, base, metric });
  }

  /** The values so far, for a bench that judges itself. */
  values(subject: string, metric: string): readonly number[] {
    return this.series.get(`${metric} ${subject}`)?.values ?? [];
  }

  print(): void {
    const { bench } = this;
    const figures = [...this.series.values()].map(({ subject, metric, unit, values }) => ({
      bench,
      subject,
      metric,
      unit,
      ...summarize(values),
    }));
    const ratios = this.ratios.map(({ subject, base, metric }) => {
      const bases = this.values(base, metric);
      const values = this.values(subject, metric).map((value, i) => value / (bases[i] ?? NaN));
      return { bench, ratio: `${subject}/${base}`, metric, ...summarize(values) };
    });
    if (this.options.json) {
      for (const line of [...figures, ...ratios]) write(JSON.stringify(line));
      return;
    }
    const [cpu] = cpus();
    const machine = `${cpus().length} x ${cpu?.model.trim() ?? "unknown processor"}`;
    const size = this.options.smoke ? " (smoke)" : "";
    write(`${bench}${size}: Node ${process.version}, ${machine}\n`);
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
