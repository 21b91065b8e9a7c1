// What address groups answer for: proven offences of their peers count for the group too, so that a
// new key is no clean slate while its neighbours misbehave. One offender is that peer's affair; of
// several the group rests: nobody new comes in from it for a time that grows with what they did, then
// one at a time, and as everybody when it is past. Pure; owned by the peer book.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { PeerId } from "../../ports.js";
import { hostGroup, isLocalHost } from "../../protocol/address.js";
import type { Slot } from "./peer-manager.js";

/** Structured-cloneable. */
export interface GroupStanding {
  readonly group: string;
  /** Of its peers' proven offences, decayed. */
  readonly points: number;
  /** Peers that committed them, as far as they are remembered. */
  readonly offenders: number;
  /** For so long nobody new comes in; 0: it does not rest. */
  readonly restsForMs: number;
  /** For so long it has one inbound slot; 0: as many as any other. */
  readonly narrowForMs: number;
}

interface Group {
  points: number;
  updatedMs: number;
  readonly offenders: Set<PeerId>;
  restsUntilMs: number;
  narrowUntilMs: number;
}

/** More of them make no difference. */
const OFFENDERS_MAX = 8;
/** So many offenders are no accident of one. */
const OFFENDERS_MIN = 2;
/** It has one slot for so many rests, the first of which it has none for. */
const NARROW_RESTS = 4;
/** Less than a point is forgotten. */
const POINTS_MIN = 1;

export class GroupStandings {
  readonly #settings: NetworkConfig["reputation"];
  readonly #exemptLocal: boolean;
  readonly #groups = new Map<string, Group>();

  constructor({ inbound, reputation }: Pick<NetworkConfig, "inbound" | "reputation">) {
    this.#settings = reputation;
    this.#exemptLocal = inbound.exemptLocal;
  }

  /** Undefined: it answers for nobody, by the same setting as for the limits of a group. */
  groupAt(host: string): string | undefined {
    return this.#exemptLocal && isLocalHost(host) ? undefined : hostGroup(host);
  }

  /** A peer at this host committed proven offences of so many points more. */
  charge(host: string, peerId: PeerId, points: number, nowMs: number): void {
    const group = this.groupAt(host);
    if (group === undefined || points <= 0) return;
    const { banScore, groupRestMaxMs, groupRestMs, scoreMax } = this.#settings;
    const charged = this.#of(group, nowMs);
    charged.points = Math.min(scoreMax, this.#pointsOf(charged, nowMs) + points);
    charged.updatedMs = nowMs;
    if (charged.offenders.size < OFFENDERS_MAX) charged.offenders.add(peerId);
    const bans = charged.points / -banScore;
    if (charged.offenders.size < OFFENDERS_MIN || bans < 1) return;
    const restMs = Math.min(groupRestMaxMs, groupRestMs * 2 ** Math.min(bans - 1, 32));
    charged.restsUntilMs = Math.max(charged.restsUntilMs, nowMs + restMs);
    charged.narrowUntilMs = Math.max(charged.narrowUntilMs, nowMs + NARROW_RESTS * restMs);
  }

  /** The operator pardons a peer at this host; answers whether its group kept anybody out. */
  pardon(host: string, nowMs: number): boolean {
    const group = this.groupAt(host);
    const known = this.#at(host);
    if (group === undefined || known === undefined) return false;
    this.#groups.delete(group);
    return nowMs < known.narrowUntilMs;
  }

  /** Whoever is new at this host starts on probation. */
  isSuspect(host: string, nowMs: number): boolean {
    const known = this.#at(host);
    return known !== undefined && this.#pointsOf(known, nowMs) >= -this.#settings.probationScore;
  }

  /** Why a stranger may not come in beside these; undefined: nothing is held against it. */
  refusal(stranger: Slot, slots: Iterable<Slot>, nowMs: number): string | undefined {
    const known = this.#at(stranger.remote.host);
    if (known === undefined || nowMs >= known.narrowUntilMs) return undefined;
    if (nowMs < known.restsUntilMs)
      return "peers of this address group broke rules: come back later";
    const group = this.groupAt(stranger.remote.host);
    for (const { direction, peerId, remote } of slots) {
      if (direction !== "inbound" || peerId === stranger.peerId) continue;
      if (this.groupAt(remote.host) === group) {
        return "one peer of this address group is enough for a while";
      }
    }
    return undefined;
  }

  /** Undefined: nothing is held against it. */
  standingAt(host: string, nowMs: number): GroupStanding | undefined {
    const group = this.groupAt(host);
    const known = this.#at(host);
    if (group === undefined || known === undefined) return undefined;
    return {
      group,
      points: this.#pointsOf(known, nowMs),
      offenders: known.offenders.size,
      restsForMs: Math.max(0, known.restsUntilMs - nowMs),
      narrowForMs: Math.max(0, known.narrowUntilMs - nowMs),
    };
  }

  invariants(): void {
    const { groupsTrackedMax } = this.#settings;
    invariant(this.#groups.size <= groupsTrackedMax, `${this.#groups.size} address groups`);
  }

  #at(host: string): Group | undefined {
    const group = this.groupAt(host);
    return group === undefined ? undefined : this.#groups.get(group);
  }

  #of(group: string, nowMs: number): Group {
    const known = this.#groups.get(group);
    if (known !== undefined && !this.#isOver(known, nowMs)) return known;
    this.#groups.delete(group);
    this.#makeRoom(nowMs);
    const added: Group = {
      points: 0,
      updatedMs: nowMs,
      offenders: new Set(),
      restsUntilMs: Number.NEGATIVE_INFINITY,
      narrowUntilMs: Number.NEGATIVE_INFINITY,
    };
    this.#groups.set(group, added);
    return added;
  }

  /** Of too many those that are past go, else the one that did least: floods push out each other. */
  #makeRoom(nowMs: number): void {
    if (this.#groups.size < this.#settings.groupsTrackedMax) return;
    let least: string | undefined;
    let leastPoints = Number.POSITIVE_INFINITY;
    for (const [group, known] of this.#groups) {
      if (this.#isOver(known, nowMs)) {
        this.#groups.delete(group);
        continue;
      }
      const points = this.#pointsOf(known, nowMs);
      if (points >= leastPoints) continue;
      least = group;
      leastPoints = points;
    }
    if (this.#groups.size < this.#settings.groupsTrackedMax || least === undefined) return;
    this.#groups.delete(least);
  }

  #isOver(known: Group, nowMs: number): boolean {
    return nowMs >= known.narrowUntilMs && this.#pointsOf(known, nowMs) < POINTS_MIN;
  }

  #pointsOf({ points, updatedMs }: Group, nowMs: number): number {
    return points * 0.5 ** ((nowMs - updatedMs) / this.#settings.halfLifeMs);
  }
}
