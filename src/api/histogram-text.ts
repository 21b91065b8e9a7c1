// Histograms that others counted, in the exposition format of Prometheus: the library's own count
// observations one by one.

import { TIME_BOUNDS_MS, type TimesTaken } from "../actors/service/time-histogram.js";

/** `taken`: by the value of the label, which must need no escaping. */
export function histogramText(
  name: string,
  help: string,
  label: string,
  taken: readonly (readonly [value: string, times: TimesTaken])[],
): string {
  const full = `vibecoin_${name}`;
  const lines = [`# HELP ${full} ${help}`, `# TYPE ${full} histogram`];
  for (const [value, { counts, sumMs }] of taken) {
    const of = `${label}="${value}"`;
    let upTo = 0;
    for (const [index, count] of counts.entries()) {
      upTo += count;
      const boundMs = TIME_BOUNDS_MS[index];
      const bound = boundMs === undefined ? "+Inf" : boundMs / 1_000;
      lines.push(`${full}_bucket{le="${bound}",${of}} ${upTo}`);
    }
    lines.push(`${full}_sum{${of}} ${sumMs / 1_000}`, `${full}_count{${of}} ${upTo}`);
  }
  return `${lines.join("\n")}\n`;
}
