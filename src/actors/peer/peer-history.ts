// All that is known of one peer, as operators see it. Types only.

import type { Direction } from "../../ports.js";
import type { EndpointSource } from "./known-endpoints.js";
import type { GroupStanding } from "./group-standings.js";
import type { PeerDeeds } from "./peer-deeds.js";
import type { PerformanceSnapshot } from "./peer-performance.js";
import type { PeerState } from "./peer-state.js";
import type { PeerExplanation } from "./reputation-ledger.js";

/** All that is known of one peer. Structured-cloneable. Times are milliseconds, since 1970 UTC. */
export interface PeerHistory extends PeerExplanation {
  /** By the configuration, or by the operator while the node ran. */
  readonly trusted: boolean;
  /** For how long the operator keeps it away; 0: it may come. */
  readonly awayMs: number;
  /** What its address group answers for; null: nothing is held against it. */
  readonly group: GroupStanding | null;
  readonly deeds: PeerDeeds;
  /** When it became ready last, in this run; null: it did not. */
  readonly readyWallMs: number | null;
  /** Those that are open now. */
  readonly connections: readonly ConnectionHistory[];
  /** Those that are kept or in use, where it was found or is pinned. */
  readonly endpoints: readonly EndpointHistory[];
  readonly addresses: readonly AddressHistory[];
  /** Where it says that it can be dialed. */
  readonly told: readonly string[];
}

export interface ConnectionHistory {
  readonly direction: Direction;
  /** The other end. */
  readonly address: string;
  readonly phase: PeerState["phase"];
  /** How long it has been so. */
  readonly forMs: number;
  readonly performance: PerformanceSnapshot;
}

/** An address of the book at which this peer was found, or says to be. */
export interface AddressHistory {
  readonly address: string;
  /** It lies among those where a peer was found, not among those that were only heard of. */
  readonly isTried: boolean;
  /** Where it lies, by `addresses.bucketSize` in which bucket, and the group whose word put it there. */
  readonly places: readonly { readonly at: number; readonly source: string }[];
  /** When somebody told of it last. */
  readonly heardWallMs: number;
  /** The same of somebody who was there itself; null: never. */
  readonly ownWallMs: number | null;
  /** When it was dialed last, and when a peer was found there. */
  readonly dialedWallMs: number | null;
  readonly foundWallMs: number | null;
  /** Dials that failed since it was last good. */
  readonly failures: number;
}

export interface EndpointHistory {
  readonly address: string;
  /** Whose it is: the operator's, the caller's, or drawn from the address book. */
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
