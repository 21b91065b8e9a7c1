// The lag auditor says who fell behind. A node is behind another one when it lacks more than so many
// blocks of that one's better chain. For a minute it may be; longer only with an excuse: one of the
// two was down, started since, its process stood still, its disk was slow or failed or its clock was
// wrong; or there was no way from one to the other: over nodes with none of these, of which one knows
// the address of the next and bytes pass both ways.

import type { HashHex, HeaderSummary } from "../types/chain.js";

/** A node as far as this needs it. */
export interface Follower {
  readonly name: string;
  /** How often it was started. */
  readonly life: number;
  /** It has no excuse of its own. */
  readonly isSound: boolean;
  /** Names of those whose address it has. */
  readonly known: readonly string[];
  head(): HeaderSummary;
  hashAt(height: number): HashHex | undefined;
}

export interface LagAuditorParts {
  readonly followers: readonly Follower[];
  readonly prefers: (candidate: HeaderSummary, current: HeaderSummary) => boolean;
  /** Bytes of the one reach the other. */
  readonly reachable: (from: string, to: string) => boolean;
  /** Told once of each node, in one sentence. */
  readonly report: (sentence: string) => void;
}

const LAG_BLOCKS_MAX = 10;
const LAG_MS_MAX = 60_000;

export class LagAuditor {
  readonly #parts: LagAuditorParts;
  /** Since when who is behind whom, each in one of its lives. */
  #since = new Map<string, ReadonlyMap<string, number>>();
  readonly #told = new Set<string>();

  constructor(parts: LagAuditorParts) {
    this.#parts = parts;
  }

  /** To be called at least every few seconds: what was not seen counts as going on. */
  see(nowMs: number): void {
    const before = this.#since;
    this.#since = new Map();
    for (const group of this.#groups()) {
      const best = group.reduce((a, b) => (this.#parts.prefers(b.head(), a.head()) ? b : a));
      for (const node of group) {
        if (!this.#isBehind(node, best)) continue;
        const ahead = group.filter((other) => this.#isBehind(node, other));
        const since = before.get(lifeOf(node));
        const now = new Map(
          ahead.map((other) => [lifeOf(other), since?.get(lifeOf(other)) ?? nowMs]),
        );
        this.#since.set(lifeOf(node), now);
        this.#judge(node, now, nowMs);
      }
    }
  }

  #judge(node: Follower, since: ReadonlyMap<string, number>, nowMs: number): void {
    if (this.#told.has(node.name)) return;
    for (const [other, sinceMs] of since) {
      const forMs = Math.round(nowMs - sinceMs);
      if (forMs <= LAG_MS_MAX) continue;
      this.#told.add(node.name);
      const lag = `more than ${LAG_BLOCKS_MAX} blocks behind ${other}`;
      this.#parts.report(`${node.name} at ${node.head().height} is ${lag} for ${forMs} ms`);
      return;
    }
  }

  #isBehind(node: Follower, other: Follower): boolean {
    const [own, better] = [node.head(), other.head()];
    if (own.hash === better.hash || !this.#parts.prefers(better, own)) return false;
    const height = better.height - LAG_BLOCKS_MAX;
    // Where the block before its last ten is not on this node's chain, all of these are missing too.
    return height > own.height || (height > 0 && node.hashAt(height) !== other.hashAt(height));
  }

  /** The nodes without excuses, by whom they can reach. */
  #groups(): readonly (readonly Follower[])[] {
    const nodes = this.#parts.followers.filter((node) => node.isSound);
    const sound = new Map(nodes.map((node) => [node.name, node]));
    const groups = new Map<Follower, Follower[]>(nodes.map((node) => [node, [node]]));
    for (const node of nodes) {
      for (const name of node.known) {
        const other = sound.get(name);
        if (other === undefined || !this.#isOpen(node.name, name)) continue;
        const pair = [groups.get(node)!, groups.get(other)!] as const;
        if (pair[0] === pair[1]) continue;
        const [one, two] = pair[0].length < pair[1].length ? [pair[1], pair[0]] : pair;
        for (const member of two) {
          one.push(member);
          groups.set(member, one);
        }
      }
    }
    return [...new Set(groups.values())];
  }

  #isOpen(a: string, b: string): boolean {
    const { reachable } = this.#parts;
    return reachable(a, b) && reachable(b, a);
  }
}

function lifeOf({ name, life }: Follower): string {
  return `${name}#${life}`;
}
