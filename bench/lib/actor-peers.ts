// What bench/actors.ts runs in other threads: the actor that vibecoin places there, and the bare
// MessagePort peers that do the same work without actors.

import type { MessagePort } from "node:worker_threads";
import { workerData } from "node:worker_threads";
import type { ActorRef, MailboxSpec } from "../../src/runtime/actor.js";
import { defineActor, replyToOf } from "../../src/runtime/actor.js";

export interface Work {
  readonly type: "work";
  readonly value: number;
}

export type SinkMessage =
  | Work
  | { readonly type: "total"; readonly replyTo: ActorRef<number> }
  | { readonly type: "question"; readonly value: number; readonly replyTo: ActorRef<number> };

export const mailbox: MailboxSpec<{ readonly type: string }> = {
  dataMax: 4_096,
  controlMax: 16,
  overflow: "reject",
  isControl: (message) => message.type === "stop",
  replyOf: replyToOf,
};

/** Takes work, and answers questions. */
export const sink = defineActor<null, SinkMessage, { count: number }, unknown>({
  name: "sink",
  source: { moduleUrl: import.meta.url, exportName: "sink" },
  mailbox,
  onFault: { kind: "stop" },
  init: () => ({ count: 0 }),
  receive(state, message) {
    if (message.type === "work") state.count++;
    else message.replyTo.tell(message.type === "total" ? state.count : message.value);
  },
});

/** Tells on what it is told. */
export const relay = defineActor<
  { readonly to: ActorRef<SinkMessage> },
  SinkMessage,
  { readonly to: ActorRef<SinkMessage> },
  unknown
>({
  name: "relay",
  mailbox,
  onFault: { kind: "stop" },
  init: (_context, args) => args,
  receive({ to }, message) {
    if (!to.tell(message)) throw new Error("the sink takes less than the relay");
  },
});

export function createEnv(): object {
  return {};
}

/** Started with `{ port, echo }`: a peer that counts, or echoes, what comes over the port. */
interface BareData {
  readonly port: MessagePort;
  readonly echo: boolean;
}

const bare = workerData as Partial<BareData> | null;
if (bare?.port !== undefined && bare.echo !== undefined) {
  const { port, echo } = bare as BareData;
  port.on("message", (message: Work | Work[]) => {
    // Credit for what was taken, or the same again: both sides post one message for one.
    port.postMessage(echo ? message : Array.isArray(message) ? message.length : 1);
  });
}
