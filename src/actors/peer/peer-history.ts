// All that is known of one peer, as operators see it. Types only.

import type { Direction } from "../../ports.js";
import type { EndpointSource } from "./known-endpoints.js";
import type { GroupStanding } from "./group-standings.js";
import type { PeerDeeds } from "./peer-deeds.js";
import type { PeerState } from "./peer-state.js";
import type { PeerExplanation } from "./reputation-ledger.js";

/** All that is known of one peer. Structured-cloneable. Times are milliseconds, since 1970 UTC. */
export interface PeerHistory extends PeerExplanation {
  /** By the configuration. */
  readonly trusted: boolean;
  /** What its address group answers for; null: nothing is held against it. */
  readonly group: GroupStanding | null;
  readonly deeds: PeerDeeds;
  /** When it became ready last, in this run; null: it did not. */
  readonly readyWallMs: number | null;
  /** Those that are open now. */
  readonly connections: readonly ConnectionHistory[];
  /** Where it was found, or is pinned. */
  readonly endpoints: readonly EndpointHistory[];
  /** Where it says that it can be dialed: nobody is dialed for that. */
  readonly told: readonly string[];
}

export interface ConnectionHistory {
  readonly direction: Direction;
  /** The other end. */
  readonly address: string;
  readonly phase: PeerState["phase"];
  /** How long it has been so. */
  readonly forMs: number;
}

export interface EndpointHistory {
  readonly address: string;
  /** Where this node heard of it. */
  readonly source: EndpointSource;
  readonly state: "idle" | "dialing" | "connected";
  /** Since it was last good. */
  readonly failures: number;
  readonly dialedWallMs: number | null;
  /** When a peer was ready there last. */
  readonly readyWallMs: number | null;
  /** Why the last dial, or the connection that it brought, ended. */
  readonly end: string | null;
  /** Until it may be dialed again; 0 unless it is idle. */
  readonly waitMs: number;
}
