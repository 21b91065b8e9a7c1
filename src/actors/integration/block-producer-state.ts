// What the block producer is told and what it keeps. Types.

import type { ActorRef, Context } from "../../runtime/actor.js";
import type { BlockParts, HashHex } from "../../types/chain.js";
import type { MempoolTransaction } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { NetworkEventOf } from "../events/event-types.js";
import type { BlockHandlerMessage } from "../handlers/block-handler-state.js";
import type { ProducedOutcome } from "../handlers/block-origin.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type { ChainChanged } from "./chain-events.js";
import type { ConsensusMessage } from "./consensus-integration.js";
import type { SelectionTrial } from "./selection-trial.js";
import type { SyncPause } from "./sync-pause.js";

export type ProducerMessage =
  | { readonly type: "BeginDue" }
  | { readonly type: "Selected"; readonly transactions: readonly MempoolTransaction[] | undefined }
  | { readonly type: "Sealed"; readonly round: number; readonly header: Uint8Array | undefined }
  | { readonly type: "SealFailed"; readonly round: number; readonly error: unknown }
  | { readonly type: "SealDue"; readonly round: number }
  | { readonly type: "Ended"; readonly tag: number; readonly outcome: ProducedOutcome }
  | ChainChanged
  | NetworkEventOf<"SyncStarted" | "SyncProgressed" | "SyncFinished" | "SyncFailed">;

/** What a sync says of itself, which a producer waits for. */
export type SyncNews = "SyncStarted" | "SyncProgressed" | "SyncFinished" | "SyncFailed";

export interface ProducerArgs {
  readonly consensus: ActorRef<ConsensusMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
  readonly blockHandler: ActorRef<BlockHandlerMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

export type ProducerEnv = Pick<
  NodeEnv,
  "blocks" | "clock" | "config" | "consensus" | "log" | "random" | "workers"
>;

/** What the block under way is made of. */
export interface Template {
  readonly parts: BlockParts;
  /** Of its transactions, in order; undefined: of the consensus's own making. */
  readonly ids: readonly (HashHex | undefined)[];
}

export interface ProducerState extends ProducerArgs {
  /** Every new head or template begins a round; what earlier rounds bring is stale. */
  round: number;
  readonly pause: SyncPause;
  template: Template | undefined;
  search: Search;
  /** The block that the block handler has, and its tag. */
  made: { readonly tag: number; readonly ids: Template["ids"] } | undefined;
  readonly trial: SelectionTrial;
  /** Times in a row that the pool lost our block. */
  lost: number;
}

export interface Search {
  nonce: bigint;
  /** Nonces of one task. */
  attempts: number;
  startedMs: number;
  /** The last wait, after a search that searched nothing. */
  pauseMs: number;
}

export type ProducerContext = Context<ProducerMessage, ProducerEnv>;
