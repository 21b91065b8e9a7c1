// Messages of 188 bytes, one way over loopback. Ours: NewTransaction, encoded one by one, framed,
// scanned, decoded and routed to a handler actor; the pool that checks transactions is not a part of
// this. The limit: cbor-x on both sides of a bare node:tls socket, messages joined by hand.
// js-libp2p: one write a message, and joined by hand; encoded and decoded with cbor-x too.

import type { BenchOptions } from "./lib/report.js";
import { runStreamBench, type StreamUnit } from "./lib/stream-run.js";

const UNIT: StreamUnit = {
  rate: "1/s",
  cost: { metric: "cpu-per-message", unit: "µs", perSecond: 1e6 },
  amount: ({ messages }) => messages,
};

export function run(options: BenchOptions): Promise<void> {
  return runStreamBench({ name: "messages", unit: UNIT, variants: ["single", "batched"] }, options);
}
