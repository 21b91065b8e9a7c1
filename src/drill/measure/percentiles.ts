// Percentiles of what a bench collected: of plain samples, and of samples that count for more the
// longer they lasted.

/** The values that `parts` (0 to 1) of the samples do not exceed; NaN where there are none. */
export function percentiles(values: readonly number[], parts: readonly number[]): number[] {
  return weightedPercentiles(values, parts, () => 1);
}

/** The same, of the weight of the samples instead of their number. */
export function weightedPercentiles(
  values: readonly number[],
  parts: readonly number[],
  weight: (value: number) => number,
): number[] {
  const sorted = Float64Array.from(values).sort();
  const total = sorted.reduce((sum, value) => sum + weight(value), 0);
  return parts.map((part) => {
    let passed = 0;
    const found = sorted.find((value) => (passed += weight(value)) >= total * part);
    return found ?? sorted.at(-1) ?? NaN;
  });
}
