// The benches of one-way streams. One round of a contender: a receiver and a sender in processes of
// their own, warmed up, then measured while the stream goes on. Everything that was sent has to
// arrive.

import { invariant } from "../../src/errors.js";
import { startChild, type Child } from "./child.js";
import { runRounds } from "./contenders.js";
import { startLibp2p } from "./libp2p.js";
import { Report, type BenchOptions } from "./report.js";
import type { ReceiverMethods, SenderMethods } from "./stream-roles.js";

export interface StreamBench {
  /** Begins the names of its roles: `bulk-vibecoin-receiver`. */
  readonly name: "bulk" | "messages";
  readonly unit: StreamUnit;
  /** How js-libp2p does it; each begins the metrics of its own. */
  readonly variants: readonly string[];
}

export interface StreamUnit {
  /** Of the rate, such as `MiB/s`. */
  readonly rate: string;
  /** Of what one unit of work costs both sides, such as `cpu-per-gib` in seconds. */
  readonly cost: { readonly metric: string; readonly unit: string; readonly perSecond: number };
  readonly amount: (arrived: { messages: number; bytes: number }) => number;
}

const ROLES = new URL("./stream-roles.js", import.meta.url);
const ARRIVAL_MS_MAX = 20_000;
const POLL_MS = 50;

export async function runStreamBench(bench: StreamBench, options: BenchOptions): Promise<void> {
  const { name, unit, variants } = bench;
  const report = new Report(name, options);
  const contender = (subject: string, prefix: string, ends: () => Ends) => ({
    name: `${subject} ${prefix}`,
    run: () => runStream({ subject, prefix, unit, ends: ends() }, options.smoke, report),
  });
  const ours = (subject: string) =>
    contender(subject, "", () => ({
      receiver: startChild(ROLES, `${name}-${subject}-receiver`),
      sender: startChild(ROLES, `${name}-${subject}-sender`),
    }));
  const libp2p = (variant: string) =>
    contender("libp2p", `${variant}/`, () => ({
      receiver: startLibp2p("stream", `${name}-${variant}-receiver`),
      sender: startLibp2p("stream", `${name}-${variant}-sender`),
    }));
  const peers = options.libp2p ? variants.map(libp2p) : [];
  await runRounds(options, [ours("vibecoin"), ours("limit"), ...peers]);
  report.ratio("vibecoin", "limit", "rate");
  report.ratio("vibecoin", "limit", unit.cost.metric);
  for (const variant of variants) report.ratio("vibecoin", "libp2p", "rate", `${variant}/rate`);
  report.print();
}

interface Ends {
  readonly receiver: Promise<Child<ReceiverMethods>>;
  readonly sender: Promise<Child<SenderMethods>>;
}

interface StreamRun {
  readonly subject: string;
  /** Begins every metric of this variant: empty, or `single/`. */
  readonly prefix: string;
  readonly unit: StreamUnit;
  readonly ends: Ends;
}

async function runStream(
  { subject, prefix, unit, ends }: StreamRun,
  smoke: boolean,
  report: Report,
): Promise<void> {
  const warmUpSeconds = smoke ? 0.3 : 1.5;
  const seconds = smoke ? 0.5 : 5;
  const [receiver, sender] = await Promise.all([ends.receiver, ends.sender]);
  try {
    const { address } = await receiver.listen(undefined);
    await sender.start({ address });
    await sleep(warmUpSeconds * 1_000);
    const [arrived, sending] = await Promise.all([
      receiver.measure({ seconds }),
      sender.measure({ seconds }),
    ]);
    await allArrive(receiver, await sender.stop(undefined));
    invariant(arrived.messages > 0, "something arrived");
    const amount = unit.amount(arrived);
    const cpuSeconds = arrived.figures.cpuSeconds + sending.cpuSeconds;
    const { metric, unit: costUnit, perSecond } = unit.cost;
    report.sample(subject, `${prefix}rate`, unit.rate, amount / arrived.figures.seconds);
    report.sample(subject, `${prefix}${metric}`, costUnit, (cpuSeconds / amount) * perSecond);
    report.process(subject, `${prefix}receiver`, arrived.figures);
    report.process(subject, `${prefix}sender`, sending);
  } finally {
    await Promise.all([receiver.release(), sender.release()]);
  }
}

async function allArrive(receiver: Child<ReceiverMethods>, sent: number): Promise<void> {
  const endMs = performance.now() + ARRIVAL_MS_MAX;
  let received = await receiver.received(undefined);
  while (received < sent && performance.now() < endMs) {
    await sleep(POLL_MS);
    received = await receiver.received(undefined);
  }
  invariant(received === sent, `${received} messages of ${sent} arrived`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
