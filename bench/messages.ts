// Messages of 188 bytes, one way over loopback. Ours: NewTransaction, encoded one by one, framed,
// scanned, decoded and routed to a handler actor; the pool that checks transactions is not a part of
// this. The limit: cbor-x on both sides of a bare node:tls socket, messages joined by hand.
// js-libp2p: one write a message, and joined by hand; encoded and decoded with cbor-x too.

import { runRounds } from "./lib/contenders.js";
import { startChild } from "./lib/child.js";
import { startLibp2p } from "./lib/libp2p.js";
import { Report, type BenchOptions } from "./lib/report.js";
import type { ReceiverMethods, SenderMethods } from "./lib/stream-roles.js";
import { runStream, type StreamRun, type StreamUnit } from "./lib/stream-run.js";

const ROLES = new URL("./lib/stream-roles.js", import.meta.url);
const UNIT: StreamUnit = {
  rate: "1/s",
  cost: { metric: "cpu-per-message", unit: "µs", perSecond: 1e6 },
  amount: ({ messages }) => messages,
};

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("messages", options);
  const runs = [ours("vibecoin"), ours("limit")];
  if (options.libp2p) runs.push(libp2p("single"), libp2p("batched"));
  await runRounds(
    options,
    runs.map((each) => ({
      name: `${each.subject} ${each.prefix}`,
      run: () => runStream(each, UNIT, options.smoke, report),
    })),
  );
  report.ratio("vibecoin", "limit", "rate");
  report.ratio("vibecoin", "limit", "cpu-per-message");
  report.ratio("vibecoin", "libp2p", "rate", "single/rate");
  report.ratio("vibecoin", "libp2p", "rate", "batched/rate");
  report.print();
}

function ours(subject: "vibecoin" | "limit"): StreamRun {
  return {
    subject,
    prefix: "",
    receiver: () => startChild<ReceiverMethods>(ROLES, `messages-${subject}-receiver`),
    sender: () => startChild<SenderMethods>(ROLES, `messages-${subject}-sender`),
  };
}

function libp2p(load: "single" | "batched"): StreamRun {
  return {
    subject: "libp2p",
    prefix: `${load}/`,
    receiver: () => startLibp2p<ReceiverMethods>("stream", `${load}-receiver`),
    sender: () => startLibp2p<SenderMethods>("stream", `${load}-sender`),
  };
}
