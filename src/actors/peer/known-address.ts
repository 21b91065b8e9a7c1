// What the address book knows of one address, and what it makes of that. Pure. Figures after Bitcoin
// Core's address manager.

import type { PeerId } from "../../ports.js";
import type { Endpoint } from "../../protocol/address.js";

export interface KnownAddress {
  /** The text of the endpoint, which pins nobody: what is pinned by hearsay may be false. */
  readonly address: string;
  readonly endpoint: Endpoint;
  /** Its address group. */
  readonly group: string;
  /** The group of whom it was heard from first. */
  readonly source: string;
  /** Who was found there last, or was at this host and said that it can be dialed there. */
  peerId: PeerId | undefined;
  /** Wall-clock time at which somebody told of it last. */
  heardWallMs: number;
  /** The same of somebody who was at this host itself; 0: never. */
  ownWallMs: number;
  /** Wall-clock time of the last dial; 0: never. */
  dialedWallMs: number;
  /** Wall-clock time at which a peer was found there last; 0: never. */
  foundWallMs: number;
  /** Dials that failed since. */
  failures: number;
  /**
   * Dials in a row that brought nobody for long, also while this node had no peer, which is not held
   * against the address: it rests by them.
   */
  missed: number;
  /** Monotonic time at which the last dial or connection ended. */
  endedMs: number;
  /** Uniform in [0, 1): the part of its longest pause that it rests after that. */
  rest: number;
  /** Of those that were found. Otherwise it was only heard of. */
  isTried: boolean;
  /** Where it lies: one place when it was found, else as many as there were tellers of other places. */
  places: readonly Place[];
}

export interface Place {
  /** The bucket and the place in it, as one number. */
  readonly at: number;
  /** The group of the teller that gives it this place. */
  readonly source: string;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Clocks differ: what was heard later than this from now on was not. */
const AHEAD_MAX_MS = 10 * MINUTE_MS;
/** Of one that was never found. */
const FAILURES_MAX = 3;
/** Of one that was not found for a week. */
const FAILURES_OF_FOUND_MAX = 10;
const FOUND_LATELY_MS = 7 * DAY_MS;
/** A peer is told of addresses that were good so lately. */
const TELLABLE_MS = 7 * DAY_MS;
/** And of those that said so themselves. */
const TELLABLE_OWN_MS = DAY_MS;

/** It may give way to any other. One that is being dialed never is. */
export function isTerrible(known: KnownAddress, wallMs: number, rememberedMs: number): boolean {
  const { heardWallMs, dialedWallMs, foundWallMs, failures } = known;
  if (dialedWallMs !== 0 && Math.abs(wallMs - dialedWallMs) < MINUTE_MS) return false;
  const knownWallMs = Math.max(heardWallMs, foundWallMs);
  if (knownWallMs > wallMs + AHEAD_MAX_MS || wallMs - knownWallMs > rememberedMs) return true;
  if (foundWallMs === 0) return failures >= FAILURES_MAX;
  return wallMs - foundWallMs > FOUND_LATELY_MS && failures >= FAILURES_OF_FOUND_MAX;
}

/** This node knows first hand that somebody can be dialed there, or was told by whoever is there. */
export function isTellable(known: KnownAddress, wallMs: number): boolean {
  const { ownWallMs, foundWallMs, failures } = known;
  if (foundWallMs !== 0) return failures === 0 && isWithin(wallMs, foundWallMs, TELLABLE_MS);
  return ownWallMs !== 0 && failures < FAILURES_MAX && isWithin(wallMs, ownWallMs, TELLABLE_OWN_MS);
}

/** In (0, 1]: it is passed over as often as it failed. */
export function chanceOf({ failures }: KnownAddress): number {
  return 0.66 ** Math.min(failures, 8);
}

function isWithin(nowMs: number, thenMs: number, forMs: number): boolean {
  return thenMs <= nowMs + AHEAD_MAX_MS && nowMs - thenMs <= forMs;
}
