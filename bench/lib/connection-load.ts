// Both ends of the connections bench, whatever connects: counting what was accepted, memory when it
// has settled, and dials so many at a time.

import { ProcessMeter, type ProcessFigures } from "./meter.js";
import { settledMemory, type SettledMemory } from "./settled-memory.js";

export type AcceptorMethods = {
  /** Answers where, as the dialers of the same contender understand it. */
  listen(task: { connectionsMax: number }): Promise<string>;
  /** Counts accepted connections, and processor time, from now on. */
  begin(): void;
  /** Resolves when so many were accepted, each as far as it can be used. */
  accepted(task: { count: number }): Promise<void>;
  finish(): ProcessFigures;
  memory(): Promise<SettledMemory>;
};
export interface Dials {
  readonly address: string;
  /** The number of the first identity. */
  readonly from: number;
  readonly count: number;
  readonly concurrent: number;
}
export type DialerMethods = {
  /** Makes what dials, before anything is measured. */
  prepare(task: { count: number }): Promise<void>;
  dial(dials: Dials): Promise<void>;
};

/** An acceptor's methods but for how it listens. */
export function acceptorMethods(
  listen: (connectionsMax: number, onAccepted: () => void) => Promise<string>,
): AcceptorMethods {
  let count = 0;
  let meter: ProcessMeter;
  let waiting: { readonly count: number; readonly resolve: () => void } | undefined;
  return {
    listen: ({ connectionsMax }) =>
      listen(connectionsMax, () => {
        if (++count === waiting?.count) waiting.resolve();
      }),
    begin() {
      count = 0;
      meter = new ProcessMeter();
    },
    async accepted({ count: wanted }) {
      if (count >= wanted) return;
      await new Promise<void>((resolve) => (waiting = { count: wanted, resolve }));
    },
    finish: () => meter.stop(),
    memory: settledMemory,
  };
}

/** Dials of one process, so many at a time. */
export async function dialConcurrently(
  { from, count, concurrent }: Omit<Dials, "address">,
  dial: (number: number) => Promise<void>,
): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    while (next < from + count) await dial(next++);
  };
  await Promise.all(Array.from({ length: concurrent }, work));
}
