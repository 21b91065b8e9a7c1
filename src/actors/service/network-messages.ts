// The messages of the NetworkService: questions and commands from outside, and what its actors say to
// it. Types only.

import type { BanRecord, PeerId } from "../../ports.js";
import type { ActorRef } from "../../runtime/actor.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { ExchangeStatus } from "../handlers/peer-exchange.js";
import type { ProtocolMessage } from "../handlers/protocol-handler.js";
import type { ProducedOutcome } from "../handlers/block-origin.js";
import type { SubmitOutcome } from "../handlers/transaction-handler-state.js";
import type { Untold } from "../integration/chain-commits.js";
import type { Followed } from "../integration/mempool-follower.js";
import type { StoreFailed } from "../integration/consensus-integration.js";
import type { MempoolSize } from "../integration/mempool-integration.js";
import type { TransactionLocated } from "../integration/storage-integration.js";
import type { PingOutcome } from "../peer/peer-handler-messages.js";
import type { OperatorMessage } from "../peer/operator-messages.js";
import type { PeerReport } from "../peer/peer-table.js";
import type { PeerHistory } from "../peer/peer-history.js";
import type { SyncStatus } from "../sync/sync-messages.js";
import type { DialMessage, DialStatus } from "./dial-messages.js";
import type { ActorLost } from "./given-up.js";
import type { ListenOutcome } from "./listener.js";
import type { Traffic } from "../../protocol/session/traffic.js";
import type { KindStatistics } from "./message-router.js";
import type { NodeStatus } from "./node-status.js";
import type { SubsystemFigures } from "./subsystem.js";

export type NetworkMessage =
  | { readonly type: "GetStatus"; readonly replyTo: ActorRef<NodeStatus> }
  | { readonly type: "GetPeers"; readonly replyTo: ActorRef<readonly PeerReport[]> }
  | { readonly type: "GetTraffic"; readonly replyTo: ActorRef<Traffic> }
  | { readonly type: "GetKindStatistics"; readonly replyTo: ActorRef<KindStatistics> }
  | { readonly type: "GetBans"; readonly replyTo: ActorRef<readonly BanRecord[]> }
  | {
      readonly type: "ExplainPeer";
      readonly peerId: PeerId;
      readonly replyTo: ActorRef<PeerHistory>;
    }
  | OperatorMessage
  | { readonly type: "PingPeer"; readonly peerId: PeerId; readonly replyTo: ActorRef<PingOutcome> }
  | Extract<DialMessage, { type: "Connect" }>
  | {
      readonly type: "SubmitTransaction";
      readonly transaction: Uint8Array;
      readonly replyTo: ActorRef<SubmitOutcome>;
    }
  | {
      readonly type: "SubmitBlock";
      readonly block: Uint8Array;
      readonly replyTo: ActorRef<ProducedOutcome>;
    }
  | {
      readonly type: "LocateTransaction";
      readonly id: string;
      readonly replyTo: ActorRef<TransactionLocated>;
    }
  /** From a service: to the actor of the protocol that it brought. */
  | { readonly type: "ToProtocol"; readonly protocol: string; readonly message: ProtocolMessage }
  /** A subscription: handed to the event bus as it is. */
  | Extract<EventBusMessage, { type: "Subscribe" | "Unsubscribe" }>
  | { readonly type: "Stop"; readonly replyTo: ActorRef<"Stopped"> }
  | { readonly type: "StatusPart"; readonly query: number; readonly part: StatusPart }
  | { readonly type: "ClockDue" }
  | { readonly type: "ClocksTold"; readonly peers: readonly PeerReport[] }
  | { readonly type: "Drained"; readonly replyTo: ActorRef<"Stopped"> }
  | { readonly type: "Kept"; readonly replyTo: ActorRef<"Stopped"> }
  | ListenOutcome
  | StoreFailed;

/** As they come, each once. */
export interface StatusPart {
  readonly peers?: readonly PeerReport[];
  readonly sync?: SyncStatus;
  readonly dial?: DialStatus;
  readonly mempool?: MempoolSize;
  readonly exchange?: ExchangeStatus | null;
  readonly subsystems?: readonly SubsystemFigures[];
  readonly kinds?: KindStatistics;
}

export interface NetworkServiceArgs {
  /** Told at each start: the node listens (or does not want to), or why it cannot. */
  readonly started: ActorRef<ListenOutcome | StoreFailed | ActorLost>;
  readonly events: ActorRef<EventBusMessage>;
  readonly untold: Untold;
  readonly followed: Followed;
}
