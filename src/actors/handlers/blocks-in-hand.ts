// The blocks whose bytes are here: those that are being checked, and those that wait for one of them
// or for one that is fetched. Pure; owned by the block handler.

import { SUBMITTED_BLOCKS_MAX } from "../../config/memory-plan.js";
import { invariant } from "../../errors.js";
import type { MessageOf } from "../../protocol/types/message.js";
import type { HashHex, HeaderSummary } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";

interface Origin {
  /** Absent: of this node. */
  readonly peerId?: PeerId;
  /** It was asked for: the fetch bounds it, and not its sender's places. */
  readonly fetchedBytes: number;
}

/** A block that waits until no block of hash `on` is under way. */
export interface WaitingBlock<O> {
  /** Its parent's hash; or its own, while another copy is checked. */
  readonly on: HashHex;
  readonly hash: HashHex;
  /** Whole, or in compact form. */
  readonly block: Uint8Array | MessageOf<"CompactBlock">;
  readonly origin: O;
}

export interface CheckedJob<O> {
  readonly hash: HashHex;
  readonly header: HeaderSummary;
  readonly origin: O;
}

/** Pushed blocks of one peer; more than that is sync's work. */
const PER_PEER_MAX = 16;
/** Those of its host, and the one that it made itself. */
const OWN_MAX = SUBMITTED_BLOCKS_MAX + 1;

export class BlocksInHand<O extends Origin> {
  readonly #jobs = new Map<number, CheckedJob<O>>();
  readonly #checked = new Set<HashHex>();
  #waiting: WaitingBlock<O>[] = [];
  /** Places taken, by peer, "" for this node; none of zero. */
  readonly #places = new Map<PeerId, number>();
  #fetchedBytes = 0;

  /** Of those that were asked for. */
  get fetchedBytes(): number {
    return this.#fetchedBytes;
  }

  /** A copy with this header is being checked. */
  isChecked(hash: HashHex): boolean {
    return this.#checked.has(hash);
  }

  /** It is checked, or waits to be. */
  has(hash: HashHex): boolean {
    return this.#checked.has(hash) || this.#waiting.some((other) => other.hash === hash);
  }

  hasRoom({ peerId, fetchedBytes }: O): boolean {
    if (fetchedBytes > 0) return true;
    const max = peerId === undefined ? OWN_MAX : PER_PEER_MAX;
    return (this.#places.get(peerId ?? "") ?? 0) < max;
  }

  check(tag: number, job: CheckedJob<O>): void {
    this.#jobs.set(tag, job);
    this.#checked.add(job.hash);
    this.#take(job.origin, 1);
  }

  job(tag: number): CheckedJob<O> | undefined {
    return this.#jobs.get(tag);
  }

  end(tag: number): CheckedJob<O> | undefined {
    const job = this.#jobs.get(tag);
    if (job === undefined) return undefined;
    this.#jobs.delete(tag);
    this.#checked.delete(job.hash);
    this.#take(job.origin, -1);
    return job;
  }

  wait(block: WaitingBlock<O>): void {
    this.#waiting.push(block);
    this.#take(block.origin, 1);
  }

  /** Takes out those whose wait is over, copies before what waits for them. */
  takeReady(isFetched: (hash: HashHex) => boolean): readonly WaitingBlock<O>[] {
    if (this.#waiting.length === 0) return [];
    const waiting: WaitingBlock<O>[] = [];
    const copies: WaitingBlock<O>[] = [];
    const children: WaitingBlock<O>[] = [];
    const hashes = new Set<HashHex>();
    for (const block of this.#waiting) {
      const { on, hash } = block;
      const isCopy = on === hash;
      if (this.#checked.has(on) || (!isCopy && (isFetched(on) || hashes.has(on)))) {
        waiting.push(block);
        hashes.add(hash);
      } else (isCopy ? copies : children).push(block);
    }
    const ready = [...copies, ...children];
    this.#waiting = waiting;
    for (const { origin } of ready) this.#take(origin, -1);
    return ready;
  }

  invariants(): void {
    invariant(this.#checked.size === this.#jobs.size, "no block is checked twice at once");
    const places = new Map<PeerId, number>();
    let bytes = 0;
    for (const { origin } of [...this.#jobs.values(), ...this.#waiting]) {
      bytes += origin.fetchedBytes;
      const key = origin.peerId ?? "";
      if (origin.fetchedBytes === 0) places.set(key, (places.get(key) ?? 0) + 1);
    }
    invariant(bytes === this.#fetchedBytes, "what was fetched is counted");
    for (const [peerId, count] of places) {
      invariant(count === this.#places.get(peerId), "places are counted");
      invariant(count <= (peerId === "" ? OWN_MAX : PER_PEER_MAX), `${count} blocks of one peer`);
    }
    invariant(places.size === this.#places.size, "a place is given back");
  }

  atRest(): void {
    invariant(this.#jobs.size === 0, `${this.#jobs.size} blocks have places`);
    invariant(this.#waiting.length === 0, `${this.#waiting.length} blocks wait`);
  }

  #take({ peerId = "", fetchedBytes }: O, change: 1 | -1): void {
    this.#fetchedBytes += change * fetchedBytes;
    if (fetchedBytes > 0) return;
    const taken = (this.#places.get(peerId) ?? 0) + change;
    if (taken === 0) this.#places.delete(peerId);
    else this.#places.set(peerId, taken);
  }
}
