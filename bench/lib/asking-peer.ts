// A peer that asks: the part of a node below its handlers, and an actor that sends requests to the
// one peer it has. A node would ask by its sync and its handlers; here a load does.

import { askPeer, type PeerTableEvent } from "../../src/actors/index.js";
import type { RequestOutcome } from "../../src/actors/index.js";
import { invariant } from "../../src/errors.js";
import type { Message } from "../../src/protocol/index.js";
import { defineActor, type ActorRef } from "../../src/runtime/index.js";
import { startWireNode } from "./wire-node.js";

type OnOutcome = (outcome: RequestOutcome) => void;

interface Asked {
  readonly type: "Asked";
  readonly message: Message;
  readonly onOutcome: OnOutcome;
}

type AskerMessage = PeerTableEvent | RequestOutcome | Asked;
type Ready = Extract<PeerTableEvent, { type: "PeerReady" }>;

interface AskerArgs {
  readonly onReady: () => void;
}

interface AskerState extends AskerArgs {
  peer: Ready | undefined;
  tag: number;
  /** What waits for its outcome, by tag. */
  readonly waiting: Map<number, OnOutcome>;
}

const asker = defineActor<AskerArgs, AskerMessage, AskerState, unknown>({
  name: "asker",
  mailbox: { dataMax: 1_024, controlMax: 64, overflow: "reject" },
  onFault: { kind: "stop" },
  init: (_context, { onReady }) => ({ onReady, peer: undefined, tag: 0, waiting: new Map() }),
  receive(state, message, context) {
    const { waiting, onReady } = state;
    if (message.type === "PeerReady") {
      state.peer = message;
      onReady();
    } else if (message.type === "Asked") {
      const { peerId, handler } = state.peer!;
      const tag = ++state.tag;
      waiting.set(tag, message.onOutcome);
      askPeer({ peerId, handler, message: message.message, tag }, context);
    } else if (message.type === "RequestOutcome") {
      const onOutcome = waiting.get(message.tag);
      invariant(onOutcome !== undefined, "an outcome has its request");
      waiting.delete(message.tag);
      onOutcome(message);
    }
  },
});

export interface AskingPeer {
  /** Sends a request and calls back once, from the asker's turn. */
  ask(message: Message, onOutcome: OnOutcome): void;
}

export async function connectAskingPeer(address: string): Promise<AskingPeer> {
  const node = await startWireNode();
  const { system, registry } = node;
  let self: ActorRef<AskerMessage> | undefined;
  const ready = new Promise<void>((onReady) => {
    self = system.spawn(asker, { onReady }, { name: "asker" });
    registry.tell({ type: "Subscribe", subscriber: self });
  });
  await node.dial(address);
  await ready;
  return {
    ask(message, onOutcome) {
      invariant(self!.tell({ type: "Asked", message, onOutcome }), "the asker takes a request");
    },
  };
}
