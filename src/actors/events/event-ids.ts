// An event's id: which run of the node it is of, and which of its events. A run has a name that chance
// gave it, so that an id of before a restart is never taken for one of after it.

import type { EventId } from "./event-types.js";

export interface EventPlace {
  readonly run: string;
  readonly seq: number;
}

const RUN_BYTES = 8;
const ID = /^([0-9a-f]{16})-(0|[1-9][0-9]{0,15})$/;

export function runName(random: { bytes(count: number): Uint8Array }): string {
  return Buffer.from(random.bytes(RUN_BYTES)).toString("hex");
}

export function eventId(run: string, seq: number): EventId {
  return `${run}-${seq}`;
}

/** Undefined: it is no id. */
export function readEventId(text: string): EventPlace | undefined {
  const [, run, seq] = ID.exec(text) ?? [];
  if (run === undefined || !Number.isSafeInteger(Number(seq))) return undefined;
  return { run, seq: Number(seq) };
}
