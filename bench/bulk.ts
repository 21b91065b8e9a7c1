// Payloads of 64 KiB, one way over loopback: through our frames, lanes, router and a handler actor,
// beside the limit, which writes the same into a bare node:tls socket (TLS 1.3, AES-128-GCM, as
// ours), and js-libp2p with noise and with its TLS.

import { runRounds } from "./lib/contenders.js";
import { startChild } from "./lib/child.js";
import { startLibp2p } from "./lib/libp2p.js";
import { Report, type BenchOptions } from "./lib/report.js";
import type { ReceiverMethods, SenderMethods } from "./lib/stream-roles.js";
import { runStream, type StreamRun, type StreamUnit } from "./lib/stream-run.js";

const ROLES = new URL("./lib/stream-roles.js", import.meta.url);
const UNIT: StreamUnit = {
  rate: "MiB/s",
  cost: { metric: "cpu-per-gib", unit: "s", perSecond: 1_024 },
  amount: ({ bytes }) => bytes / 2 ** 20,
};

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("bulk", options);
  const runs = [ours("vibecoin"), ours("limit")];
  if (options.libp2p) runs.push(libp2p("noise"), libp2p("tls"));
  await runRounds(
    options,
    runs.map((each) => ({
      name: `${each.subject} ${each.prefix}`,
      run: () => runStream(each, UNIT, options.smoke, report),
    })),
  );
  report.ratio("vibecoin", "limit", "rate");
  report.ratio("vibecoin", "limit", "cpu-per-gib");
  report.ratio("vibecoin", "libp2p", "rate", "noise/rate");
  report.ratio("vibecoin", "libp2p", "rate", "tls/rate");
  report.print();
}

function ours(subject: "vibecoin" | "limit"): StreamRun {
  return {
    subject,
    prefix: "",
    receiver: () => startChild<ReceiverMethods>(ROLES, `bulk-${subject}-receiver`),
    sender: () => startChild<SenderMethods>(ROLES, `bulk-${subject}-sender`),
  };
}

function libp2p(encrypter: "noise" | "tls"): StreamRun {
  return {
    subject: "libp2p",
    prefix: `${encrypter}/`,
    receiver: () => startLibp2p<ReceiverMethods>("stream", `bulk-${encrypter}-receiver`),
    sender: () => startLibp2p<SenderMethods>("stream", `bulk-${encrypter}-sender`),
  };
}
