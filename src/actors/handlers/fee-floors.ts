// Fee floors: tells peers the least price that this node's mempool takes, when it has changed, and the
// broadcaster what peers say of theirs, so that nobody is sent what it would refuse.
// Told by: message router, registry, mempool integration (answers). Tells: mempool integration,
// broadcaster, peer handlers.

import { unreachable } from "../../errors.js";
import { defineActor, type ActorRef, type AskOutcome, type Context } from "../../runtime/actor.js";
import type { PeerId } from "../../ports.js";
import { FEES_CAPABILITY } from "../../protocol/kinds/fees.js";
import { handledKinds } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import type { MempoolMessage } from "../integration/mempool-integration.js";
import { toldFloor } from "../peer/fee-floor.js";
import type { BroadcasterMessage } from "../peer/peer-broadcaster.js";
import type { Incoming, PeerHandlerMessage } from "../peer/peer-handler-messages.js";
import type { PeerTableEvent, RegistryMessage } from "../peer/peer-table.js";
import { RESTART } from "../policies.js";
import type { MessageRouterMessage } from "../service/message-router.js";

export type FeeFloorsMessage =
  | Incoming<"FeeFloor">
  | PeerTableEvent
  /** From itself: the floor is to be looked at. */
  | { readonly type: "FloorDue" }
  | { readonly type: "Floor"; readonly outcome: AskOutcome<bigint> };

export interface FeeFloorsArgs {
  readonly router: ActorRef<MessageRouterMessage>;
  readonly registry: ActorRef<RegistryMessage>;
  readonly mempool: ActorRef<MempoolMessage>;
  readonly broadcaster: ActorRef<BroadcasterMessage>;
}

export type FeeFloorsEnv = Pick<NodeEnv, "config" | "random">;

interface State extends Pick<FeeFloorsArgs, "mempool" | "broadcaster"> {
  /** Those that take it. */
  readonly peers: Map<PeerId, ActorRef<PeerHandlerMessage>>;
  /** What they were told; a new peer takes it to be 0. */
  told: bigint;
  isTimed: boolean;
}

type Ctx = Context<FeeFloorsMessage, FeeFloorsEnv>;

const MEMPOOL_TIMEOUT_MS = 5_000;

export const feeFloors = defineActor<FeeFloorsArgs, FeeFloorsMessage, State, FeeFloorsEnv>({
  name: "fee-floors",
  mailbox: {
    dataMax: 1_024,
    controlMax: 16_384,
    overflow: "reject",
    replyOf: (message) => (message.type === "Incoming" ? message.replyTo : undefined),
    isControl: ({ type }) => type !== "Incoming",
  },
  onFault: RESTART,

  init({ self }, { router, registry, mempool, broadcaster }) {
    const handler = self as ActorRef<Incoming>;
    router.tell({ type: "Register", kinds: handledKinds(FEES_CAPABILITY), handler });
    registry.tell({ type: "Subscribe", subscriber: self });
    return { mempool, broadcaster, peers: new Map(), told: 0n, isTimed: false };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "Incoming": {
        const { peerId, message: floor, replyTo } = message;
        state.broadcaster.tell({ type: "PeerFloor", peerId, gasPrice: floor.gasPrice });
        replyTo.tell("Done");
        return;
      }
      case "PeerReady":
        if (!message.capabilities.has(FEES_CAPABILITY)) return;
        state.peers.set(message.peerId, message.handler);
        if (state.told > 0n) tell(message.handler, state.told);
        lookLater(state, context);
        return;
      case "PeerGone":
        if (message.wasReady) state.peers.delete(message.peerId);
        return;
      case "PeerMeasured":
      case "PeerClaimed":
        return;
      case "FloorDue":
        context.ask<MempoolMessage, bigint>(
          state.mempool,
          (replyTo) => ({ type: "GetFloor", replyTo }),
          MEMPOOL_TIMEOUT_MS,
          (outcome) => ({ type: "Floor", outcome }),
        );
        return;
      case "Floor":
        state.isTimed = false;
        if (message.outcome.ok) changed(state, toldFloor(message.outcome.value));
        lookLater(state, context);
        return;
      default:
        unreachable(message);
    }
  },
});

function changed(state: State, floor: bigint): void {
  if (floor === state.told) return;
  state.told = floor;
  for (const handler of state.peers.values()) tell(handler, floor);
}

function tell(handler: ActorRef<PeerHandlerMessage>, gasPrice: bigint): void {
  handler.tell({ type: "Send", message: { kind: "FeeFloor", gasPrice } });
}

/** Drawn from around the mean: when it is told says nothing of when the mempool was full. */
function lookLater(state: State, context: Ctx): void {
  if (state.isTimed || state.peers.size === 0) return;
  state.isTimed = true;
  const { config, random } = context.env;
  const delayMs = config.gossip.floorEveryMs * (0.5 + random.float());
  context.startTimer("floor", delayMs, { type: "FloorDue" });
}
