// What the operator wants of peers while the node runs: whom it is to trust beside those of the
// configuration, and who stays away for a while. Pure; parts of the peer book. Trust is stored, and
// who was sent away may come back with the next start.

import { invariant } from "../../errors.js";
import type { PeerId } from "../../ports.js";

/** Bounded: each trusted peer has a slot and memory beside the others'. */
export class TrustedPeers {
  /** All of them. */
  readonly all: ReadonlySet<PeerId>;
  /** Those of an earlier run for whom there is no room now. */
  readonly forgotten: PeerId[] = [];
  readonly #all: Set<PeerId>;
  readonly #configured: ReadonlySet<PeerId>;
  readonly #byOperator = new Set<PeerId>();
  readonly #max: number;
  readonly #onChange: (peerId: PeerId) => void;

  /** Beside the configured ones there may be so many. `onChange`: its record is to be stored anew. */
  constructor(configured: readonly PeerId[], max: number, onChange: (peerId: PeerId) => void) {
    this.#onChange = onChange;
    this.#configured = new Set(configured);
    this.all = this.#all = new Set(configured);
    this.#max = max;
  }

  get byOperator(): ReadonlySet<PeerId> {
    return this.#byOperator;
  }

  isConfigured(peerId: PeerId): boolean {
    return this.#configured.has(peerId);
  }

  /** "trusted": it was before. */
  add(peerId: PeerId): "added" | "trusted" | "full" {
    const outcome = this.#add(peerId);
    if (outcome === "added") this.#onChange(peerId);
    return outcome;
  }

  /** As it was stored. */
  restore(peerId: PeerId): void {
    if (this.#add(peerId) !== "full") return;
    this.forgotten.push(peerId);
    this.#onChange(peerId);
  }

  /** False: it is not the operator who trusts it. */
  remove(peerId: PeerId): boolean {
    if (!this.#byOperator.delete(peerId)) return false;
    this.#all.delete(peerId);
    this.#onChange(peerId);
    return true;
  }

  invariants(): void {
    invariant(this.#byOperator.size <= this.#max, `${this.#byOperator.size} peers are trusted`);
    const size = this.#configured.size + this.#byOperator.size;
    invariant(size === this.#all.size, `${this.#all.size} trusted peers of ${size}`);
  }

  #add(peerId: PeerId): "added" | "trusted" | "full" {
    if (this.#all.has(peerId)) return "trusted";
    if (this.#byOperator.size >= this.#max) return "full";
    this.#byOperator.add(peerId);
    this.#all.add(peerId);
    return "added";
  }
}

/** For the peer and for people. */
export function awayText(awayMs: number): string {
  return `the operator sent it away, for ${Math.ceil(awayMs / 1_000)} s`;
}

/** Who was sent away, and until when. Times are monotonic. */
export class Absences {
  readonly #max: number;
  readonly #endsMs = new Map<PeerId, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Of too many the one that may come back first does. */
  begin(peerId: PeerId, endsMs: number, nowMs: number): void {
    this.#endsMs.delete(peerId);
    for (const [other, end] of this.#endsMs) if (end <= nowMs) this.#endsMs.delete(other);
    if (this.#endsMs.size >= this.#max) {
      const [first] = [...this.#endsMs].sort(([, one], [, other]) => one - other);
      if (first !== undefined) this.#endsMs.delete(first[0]);
    }
    this.#endsMs.set(peerId, endsMs);
  }

  /** It may come back now; answers whether it was away. */
  end(peerId: PeerId, nowMs: number): boolean {
    const wasAway = this.leftMs(peerId, nowMs) > 0;
    this.#endsMs.delete(peerId);
    return wasAway;
  }

  /** For how long it stays away; 0: it may come. */
  leftMs(peerId: PeerId, nowMs: number): number {
    return Math.max(0, (this.#endsMs.get(peerId) ?? 0) - nowMs);
  }

  invariants(): void {
    invariant(this.#endsMs.size <= this.#max, `${this.#endsMs.size} peers are away`);
  }
}
