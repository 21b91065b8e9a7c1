// OpenAsks: requests for ranges whose answer may still come, whether or not anybody still wants it.
// What is wanted is a lease of the most that its answer may have. An answer that nobody wants any
// more is let go as it comes, within what each connection may hold anyway; until then it keeps its
// peer's place. Pure.

import { invariant } from "../../errors.js";
import type { PeerId } from "../../ports.js";
import { KINDS } from "../../protocol/types/message.js";

/** Whatever size the blocks before had, and whoever answers: more breaks the protocol. */
export const ANSWER_BYTES_MAX = KINDS.ResponseBlockRange.payloadBytesMax;

export class OpenAsks {
  readonly #peers = new Map<number, PeerId>();
  readonly #counts = new Map<PeerId, number>();
  readonly #wanted = new Set<number>();
  readonly #nextTag: () => number;

  /** `nextTag`: a number that no other request of this node had. */
  constructor(nextTag: () => number) {
    this.#nextTag = nextTag;
  }

  /** The most that may come and be taken. */
  get bytes(): number {
    return this.#wanted.size * ANSWER_BYTES_MAX;
  }

  /** Answers that peers owe, wanted or not. */
  get count(): number {
    return this.#peers.size;
  }

  countOf(peerId: PeerId): number {
    return this.#counts.get(peerId) ?? 0;
  }

  /** Answers the tag of the request. */
  open(peerId: PeerId): number {
    const request = this.#nextTag();
    this.#peers.set(request, peerId);
    this.#counts.set(peerId, this.countOf(peerId) + 1);
    this.#wanted.add(request);
    return request;
  }

  /** Its answer is taken when it comes. */
  isWanted(request: number): boolean {
    return this.#wanted.has(request);
  }

  /** Somebody else brought it, or nobody needs it any more. */
  forsake(request: number): void {
    this.#wanted.delete(request);
  }

  forsakeAll(): void {
    this.#wanted.clear();
  }

  /** The answer came, or never will. False: it was none of these, or settled before. */
  settle(request: number): boolean {
    const peerId = this.#peers.get(request);
    if (peerId === undefined) return false;
    this.#peers.delete(request);
    this.#wanted.delete(request);
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
    for (const request of this.#wanted) {
      invariant(this.#peers.has(request), "what is wanted was asked for");
    }
  }
}
