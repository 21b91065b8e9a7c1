// One round of a one-way stream: a receiver and a sender in processes of their own, warmed up, then
// measured while the stream goes on. Everything that was sent has to arrive.

import { invariant } from "../../src/errors.js";
import type { Child } from "./child.js";
import type { Report } from "./report.js";
import type { ReceiverMethods, SenderMethods } from "./stream-roles.js";

export interface StreamRun {
  readonly subject: string;
  /** Begins every metric of this variant: empty, or `single/`. */
  readonly prefix: string;
  readonly receiver: () => Promise<Child<ReceiverMethods>>;
  readonly sender: () => Promise<Child<SenderMethods>>;
}

export interface StreamUnit {
  /** Of the rate, such as `MiB/s`. */
  readonly rate: string;
  /** Of what one unit of work costs both sides, such as `cpu-per-gib` in seconds. */
  readonly cost: { readonly metric: string; readonly unit: string; readonly perSecond: number };
  readonly amount: (arrived: { messages: number; bytes: number }) => number;
}

const ARRIVAL_MS_MAX = 20_000;
const POLL_MS = 50;

export async function runStream(
  run: StreamRun,
  unit: StreamUnit,
  smoke: boolean,
  report: Report,
): Promise<void> {
  const warmUpSeconds = smoke ? 0.3 : 1.5;
  const seconds = smoke ? 0.5 : 5;
  const [receiver, sender] = await Promise.all([run.receiver(), run.sender()]);
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
    const { subject, prefix } = run;
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
