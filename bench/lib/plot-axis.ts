// Where a value lies on a plot: axes that cover the values given, with ticks at round numbers.

export interface Axis {
  /** The place of a value between `from` and `to`. */
  at(value: number): number;
  readonly ticks: readonly number[];
}

const TICKS = 6;

/** Ends at round numbers around the values; `from` may be the larger place. */
export function linearAxis(values: readonly number[], from: number, to: number): Axis {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const step = roundStep((most - least || Math.abs(most) || 1) / TICKS);
  const low = Math.floor(least / step);
  const high = Math.max(low + 1, Math.ceil(most / step));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => tidy((low + i) * step));
  return { ticks, at: between(low * step, high * step, from, to) };
}

/** Whole decades around the values, which must be positive; few decades get ticks within. */
export function logAxis(values: readonly number[], from: number, to: number): Axis {
  const low = Math.floor(tidy(Math.log10(Math.min(...values))));
  const high = Math.max(low + 1, Math.ceil(tidy(Math.log10(Math.max(...values)))));
  const within = high - low <= 2 ? [1, 2, 5] : [1];
  const ticks = Array.from({ length: high - low }, (_, i) =>
    within.map((factor) => tidy(factor * 10 ** (low + i))),
  ).flat();
  const at = between(low, high, from, to);
  return { ticks: [...ticks, tidy(10 ** high)], at: (value) => at(Math.log10(value)) };
}

function between(low: number, high: number, from: number, to: number): (value: number) => number {
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}

/** The next of 1, 2, 5 times a power of ten. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return tidy(([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power);
}

function tidy(value: number): number {
  return Number(value.toPrecision(12));
}
