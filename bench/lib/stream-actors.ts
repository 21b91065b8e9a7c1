// The ends of a one-way stream between two wire nodes: a source that tells its peer handler as much
// as the sink's acknowledgements allow (the network has no backpressure for pushed messages of its
// own: a peer that reads too slowly is dropped), and a sink that the router hands every message to.

import type { NodeEnv } from "../../src/actors/env.js";
import type { Incoming, PeerHandlerMessage } from "../../src/actors/peer/peer-handler-messages.js";
import type { PeerTableEvent } from "../../src/actors/peer/peer-table.js";
import { invariant } from "../../src/errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../src/runtime/actor.js";

/** Sent and not acknowledged, in messages, and how often the sink acknowledges. */
export interface StreamWindow {
  readonly messagesMax: number;
  readonly ackEvery: number;
}

/** The kind of an acknowledgement: small, one-way, and of no meaning without a chain. */
export const ACK_KIND = "AnnounceTransactions";
const ACK = { kind: ACK_KIND, ids: ["00".repeat(32)] } as const;
/** Messages that the source tells in one of its turns. */
const BATCH = 128;

export interface SourceArgs {
  readonly window: StreamWindow;
  /** The message of this number, as the peer handler takes it. */
  readonly message: (sequence: number) => PeerHandlerMessage;
  /** Shared with the role: read by it, and `running` set by it. */
  readonly progress: { running: boolean; sent: number };
  readonly onReady: () => void;
}

export type SourceMessage = PeerTableEvent | Incoming | { readonly type: "Go" };

interface SourceState extends SourceArgs {
  peer: ActorRef<PeerHandlerMessage> | undefined;
  acknowledged: number;
}

export const source = defineActor<SourceArgs, SourceMessage, SourceState, NodeEnv>({
  name: "source",
  mailbox: { dataMax: 4_096, controlMax: 16, overflow: "reject", replyOf: replyToOf },
  onFault: { kind: "escalate" },
  init: (_context, args) => ({ ...args, peer: undefined, acknowledged: 0 }),
  receive(state, message, context) {
    if (message.type === "PeerReady") {
      state.peer = message.handler;
      state.onReady();
      fill(state, context);
    } else if (message.type === "Incoming") {
      state.acknowledged += state.window.ackEvery;
      message.replyTo.tell("Done");
      fill(state, context);
    } else if (message.type === "Go") {
      fill(state, context);
    } else if (message.type === "PeerGone") {
      throw new Error(`the peer of the stream is gone: ${message.reason}`);
    }
  },
  signal(state, signal, context) {
    if (signal.type === "writable") fill(state, context);
  },
});

function fill(state: SourceState, context: Context<SourceMessage, NodeEnv>): void {
  const { peer, progress, window } = state;
  invariant(peer !== undefined, "a stream starts when its peer is ready");
  for (let told = 0; told < BATCH; told++) {
    if (!progress.running || progress.sent - state.acknowledged >= window.messagesMax) return;
    // Refused: the signal that follows brings us back.
    if (!peer.tell(state.message(progress.sent))) return;
    progress.sent++;
  }
  context.self.tell({ type: "Go" });
}

export interface SinkArgs {
  readonly window: StreamWindow;
  /** Looks at the message of this number; answers the bytes of its payload. */
  readonly take: (message: Incoming, sequence: number) => number;
  /** Shared with the role. */
  readonly progress: { messages: number; bytes: number };
}

export const sink = defineActor<SinkArgs, Incoming, SinkArgs, NodeEnv>({
  name: "sink",
  mailbox: { dataMax: 16_384, controlMax: 16, overflow: "reject", replyOf: replyToOf },
  onFault: { kind: "escalate" },
  init: (_context, args) => args,
  receive(state, message) {
    const { progress, window } = state;
    progress.bytes += state.take(message, progress.messages++);
    message.replyTo.tell("Done");
    if (progress.messages % window.ackEvery === 0)
      message.from.tell({ type: "Send", message: ACK });
  },
});
