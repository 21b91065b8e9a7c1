// What sync is told and what it answers. Types only.

import type { ActorRef } from "../../runtime/actor.js";
import type { BlocksVerdict, HeadersVerdict, PeerId } from "../../ports.js";
import type { SyncStrategy } from "../events/event-types.js";
import type { ConnectOutcome } from "../integration/consensus-integration.js";
import type { RequestOutcome } from "../peer/ask-peer.js";
import type { PeerTableEvent } from "../peer/peer-table.js";

export type SyncMessage =
  /** A handler met a block whose parent this node does not have. */
  | { readonly type: "BehindPeer"; readonly peerId: PeerId }
  | { readonly type: "GetSyncStatus"; readonly replyTo: ActorRef<SyncStatus> }
  | {
      readonly type: "HeadersChecked";
      readonly exchange: number;
      readonly verdict: HeadersVerdict | undefined;
    }
  | {
      readonly type: "BlocksChecked";
      readonly session: number;
      readonly task: number;
      readonly verdict: BlocksVerdict | undefined;
    }
  | { readonly type: "ConsiderDue" }
  /** The waits for peers are to be looked at. */
  | { readonly type: "LookDue" }
  /** Whoever was asked had time enough to prove its chain. */
  | { readonly type: "ChooseDue" }
  /** The pool may have room again. */
  | { readonly type: "ChecksDue" }
  | RequestOutcome
  | ConnectOutcome
  | PeerTableEvent;

/** Structured-cloneable. */
export interface SyncStatus {
  /**
   * `synced`: headers of a peer that is here were checked, or this node is alone by its settings, and
   * nobody proved or claims a better chain.
   */
  readonly state: "waiting" | "syncing" | "synced";
  readonly strategy: SyncStrategy | null;
  /** The height of the best proven header of the running session. */
  readonly targetHeight: number | null;
  /** What is waited for, on whom and since when, in plain words. */
  readonly waitingFor: string | null;
}
