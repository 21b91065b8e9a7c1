// Payloads of 64 KiB, one way over loopback: through our frames, lanes, router and a handler actor,
// beside the limit, which writes the same into a bare node:tls socket (TLS 1.3, AES-128-GCM, as
// ours), and js-libp2p with noise and with its TLS.

import type { BenchOptions } from "./lib/report.js";
import { runStreamBench, type StreamUnit } from "./lib/stream-run.js";

const UNIT: StreamUnit = {
  rate: "MiB/s",
  cost: { metric: "cpu-per-gib", unit: "s", perSecond: 1_024 },
  amount: ({ bytes }) => bytes / 2 ** 20,
};

export function run(options: BenchOptions): Promise<void> {
  return runStreamBench({ name: "bulk", unit: UNIT, variants: ["noise", "tls"] }, options);
}
