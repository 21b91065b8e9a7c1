// A peer that asks: the part of a node below its handlers, and an actor that sends requests to the
// one peer it has. A node would ask by its sync and its handlers; here a load does.

import type { PeerHandlerMessage, PeerTableEvent, RequestOutcome } from "../../src/actors/index.js";
import { invariant } from "../../src/errors.js";
import type { Message } from "../../src/protocol/index.js";
import { defineActor, type ActorRef } from "../../src/runtime/index.js";
import { startWireNode } from "./wire-node.js";

type OnOutcome = (outcome: RequestOutcome) => void;

interface AskerArgs {
  readonly onReady: (handler: ActorRef<PeerHandlerMessage>) => void;
  /** What waits for its outcome, by tag. */
  readonly waiting: Map<number, OnOutcome>;
}

const asker = defineActor<AskerArgs, PeerTableEvent | RequestOutcome, AskerArgs, unknown>({
  name: "asker",
  mailbox: { dataMax: 1_024, controlMax: 64, overflow: "reject" },
  onFault: { kind: "stop" },
  init: (_context, args) => args,
  receive({ onReady, waiting }, message) {
    if (message.type === "PeerReady") onReady(message.handler);
    if (message.type !== "RequestOutcome") return;
    const onOutcome = waiting.get(message.tag);
    invariant(onOutcome !== undefined, "an outcome has its request");
    waiting.delete(message.tag);
    onOutcome(message);
  },
});

export interface AskingPeer {
  /** Sends a request and calls back once, from the asker's turn. */
  ask(message: Message, onOutcome: OnOutcome): void;
}

export async function connectAskingPeer(address: string): Promise<AskingPeer> {
  const node = await startWireNode();
  const { system, registry } = node;
  const waiting = new Map<number, OnOutcome>();
  let self: ActorRef<PeerTableEvent | RequestOutcome> | undefined;
  const ready = new Promise<ActorRef<PeerHandlerMessage>>((onReady) => {
    self = system.spawn(asker, { onReady, waiting }, { name: "asker" });
    registry.tell({ type: "Subscribe", subscriber: self });
  });
  await node.dial(address);
  const handler = await ready;
  let tags = 0;
  return {
    ask(message, onOutcome) {
      const tag = ++tags;
      waiting.set(tag, onOutcome);
      const taken = handler.tell({ type: "Request", message, tag, replyTo: self! });
      invariant(taken, "the handler takes a request");
    },
  };
}
