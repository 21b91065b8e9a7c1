// What the registry holds, for those of its files that work on it.

import type { ActorRef, Context } from "../../runtime/actor.js";
import type { TrafficCounts } from "../../protocol/session/traffic.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { GuardedPeerStore } from "./guarded-peer-store.js";
import type { LocalInfo } from "./local-info.js";
import type { ReputationMessage } from "./peer-reputation.js";
import type { PeerTableEvent, RegistryMessage } from "./peer-table.js";
import type { DialsState } from "./registry-dials.js";
import type { Moment } from "./moment.js";

export interface RegistryArgs {
  readonly router: ActorRef<MessageRouterMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

/** How far the addresses of the run before are read, and those of this one written. */
export interface AddressKeeping {
  /** Pages of the run before that were not read yet: nothing is written before. */
  readonly unread: (readonly [name: string, text: string])[];
  /** By which addresses are put in their places. */
  readonly secret: string;
  isSecretStored: boolean;
  isTimerSet: boolean;
  isWriting: boolean;
}

export interface RegistryState extends RegistryArgs, DialsState {
  /** What of the book outlives the process. */
  readonly store: GuardedPeerStore;
  readonly keeping: AddressKeeping;
  readonly subscribers: Map<string, ActorRef<PeerTableEvent>>;
  /** What all connections carried. */
  readonly traffic: TrafficCounts;
  /** What all connections say of this node. */
  readonly local: LocalInfo;
  /** The same on connections for blocks alone. */
  readonly localBlocks: LocalInfo;
  nextId: number;
  /** Of the operator, that reputation has not answered. */
  commands: number;
  /** Nobody is let in any more. */
  stopping: boolean;
  drained: ActorRef<"Drained"> | undefined;
}

export type RegistryContext = Context<RegistryMessage, NodeEnv>;

export function announce({ subscribers }: RegistryState, event: PeerTableEvent): void {
  for (const subscriber of subscribers.values()) subscriber.tell(event);
}

export function momentOf({ env: { clock } }: RegistryContext): Moment {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
}
