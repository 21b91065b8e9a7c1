// OpenAsks: requests for ranges whose answer may still come, whether or not anybody still wants it.
// Each is a lease of the most that its answer may have, from asking until it is settled, over the
// end of sessions. Pure.

import { invariant } from "../../errors.js";
import type { PeerId } from "../../ports.js";
import { KINDS } from "../../protocol/types/message.js";

/** Whatever size the blocks before had, and whoever answers: more breaks the protocol. */
export const ANSWER_BYTES_MAX = KINDS.ResponseBlockRange.payloadBytesMax;

export class OpenAsks {
  readonly #peers = new Map<number, PeerId>();
  readonly #counts = new Map<PeerId, number>();
  readonly #nextTag: () => number;

  /** `nextTag`: a number that no other request of this node had. */
  constructor(nextTag: () => number) {
    this.#nextTag = nextTag;
  }

  /** The most that may come. */
  get bytes(): number {
    return this.#peers.size * ANSWER_BYTES_MAX;
  }

  countOf(peerId: PeerId): number {
    return this.#counts.get(peerId) ?? 0;
  }

  /** Answers the tag of the request. */
  open(peerId: PeerId): number {
    const request = this.#nextTag();
    this.#peers.set(request, peerId);
    this.#counts.set(peerId, this.countOf(peerId) + 1);
    return request;
  }

  has(request: number): boolean {
    return this.#peers.has(request);
  }

  /** The answer came, or never will. False: it was none of these, or settled before. */
  settle(request: number): boolean {
    const peerId = this.#peers.get(request);
    if (peerId === undefined) return false;
    this.#peers.delete(request);
    const count = this.countOf(peerId) - 1;
    if (count === 0) this.#counts.delete(peerId);
    else this.#counts.set(peerId, count);
    return true;
  }

  /** Nothing comes from there any more. */
  settleAll(peerId: PeerId): void {
    for (const [request, asked] of this.#peers) if (asked === peerId) this.settle(request);
  }

  invariants(): void {
    const counted = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
    invariant(counted === this.#peers.size, "open requests are counted wrongly");
  }
}
