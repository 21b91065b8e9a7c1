// The stored blocks that are not on the best chain: how much they weigh, whose they are, and which
// of them go when they weigh too much. Pure; owned by the consensus integration.
//
// Only tips of branches go, so that what stays always reaches the chain. The lightest goes first, of
// equals the oldest: identities are free, work is not. What goes can be fetched again by sync.

import { LRUCache } from "lru-cache";
import { invariant } from "../../errors.js";
import { Heap } from "../../chain/heap.js";
import type { NetworkConfig } from "../../config.js";
import type { CheckedBlock, HashHex, HeaderSummary } from "../../types/chain.js";
import type { Consensus, PeerId, SideBlock } from "../../ports.js";

/** Charged for each block beside its bytes: a page of the store, and what is known of it here. */
const BLOCK_BYTES_EXTRA = 4 * 1_024;
/** Blocks of the chain whose bytes are known, at most; older ones weigh nothing but the extra. */
const CHAIN_BLOCKS_MAX = 16_384;

interface Entry {
  readonly header: HeaderSummary;
  readonly weight: number;
  /** Absent: found in the store, made here, or once on the best chain. */
  readonly peerId: PeerId | undefined;
  /** Counts additions. */
  readonly order: number;
  children: number;
}

export class SideBranches {
  readonly #settings: NetworkConfig["chain"];
  readonly #prefers: Consensus["prefers"];
  /** In the order in which they came. */
  readonly #entries = new Map<HashHex, Entry>();
  readonly #weightOf = new Map<PeerId, number>();
  /** Bytes of the newest blocks of the chain: what they weigh beside it when it leaves them. */
  readonly #chainBytes: LRUCache<HashHex, number>;
  #weight = 0;
  #added = 0;
  /** The last stored block of a branch whose headers are known to win. */
  #promised: { readonly at: HashHex; readonly tip: HeaderSummary } | undefined;

  constructor(
    settings: NetworkConfig["chain"],
    prefers: Consensus["prefers"],
    stored: readonly SideBlock[],
  ) {
    this.#settings = settings;
    this.#prefers = prefers;
    // It takes memory for as many as there may be at once, and any depth may be set.
    const max = Math.min(Math.max(1, settings.reorgDepthMax), CHAIN_BLOCKS_MAX);
    this.#chainBytes = new LRUCache({ max });
    const ascending = stored.toSorted((a, b) => a.header.height - b.header.height);
    for (const { header, bytes } of ascending) this.add(header, bytes, undefined);
  }

  get weight(): number {
    return this.#weight;
  }

  add(header: HeaderSummary, bytes: number, peerId: PeerId | undefined): void {
    if (this.#entries.has(header.hash)) return;
    const weight = bytes + BLOCK_BYTES_EXTRA;
    this.#entries.set(header.hash, { header, weight, peerId, order: this.#added++, children: 0 });
    const parent = this.#entries.get(header.previousHash);
    if (parent !== undefined) parent.children++;
    this.#charge(peerId, weight);
  }

  /** These blocks end in a branch that wins once all of it is here: until then it stays. */
  promise(at: HashHex, tip: HeaderSummary): void {
    this.#promised = { at, tip };
  }

  /** The chain was extended, or moved: what it left counts from now on, what it took no more. */
  follow(
    disconnected: readonly HeaderSummary[],
    connected: readonly { readonly header: HeaderSummary }[],
    fresh: readonly Pick<CheckedBlock, "header" | "bytes">[],
  ): void {
    for (const { header, bytes } of fresh) this.#chainBytes.set(header.hash, bytes.length);
    for (const { header } of connected) {
      const entry = this.#entries.get(header.hash);
      if (entry === undefined) continue;
      this.#chainBytes.set(header.hash, entry.weight - BLOCK_BYTES_EXTRA);
      this.#remove(entry);
    }
    for (const header of disconnected.toReversed()) {
      this.add(header, this.#chainBytes.get(header.hash) ?? 0, undefined);
    }
  }

  /** The store forgot those below this height. */
  pruned(height: number): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.header.height < height) this.#remove(entry);
    }
  }

  /**
   * Takes out what is too much and answers it. `head`: of the best chain; `moving`: the tip of a
   * branch that the chain is about to move to.
   */
  overflow(head: HeaderSummary, moving?: HashHex): ReadonlySet<HashHex> {
    const { sideBytesMax, sideBytesPerPeerMax } = this.#settings;
    if (this.#promised !== undefined && !this.#prefers(this.#promised.tip, head)) {
      this.#promised = undefined;
    }
    const kept = new Set([moving, this.#promised?.at]);
    const gone = new Set<HashHex>();
    const drop = (isOver: () => boolean, isPart: (entry: Entry) => boolean): void => {
      if (!isOver()) return;
      const goes = (entry: Entry): boolean =>
        entry.children === 0 && isPart(entry) && !kept.has(entry.header.hash);
      const tips = this.#lightestFirst(goes);
      while (isOver()) {
        const entry = tips.pop();
        if (entry === undefined) return;
        this.#remove(entry);
        gone.add(entry.header.hash);
        const parent = this.#entries.get(entry.header.previousHash);
        if (parent !== undefined && goes(parent)) tips.push(parent);
      }
    };
    for (const peerId of [...this.#weightOf.keys()]) {
      const isOver = (): boolean => (this.#weightOf.get(peerId) ?? 0) > sideBytesPerPeerMax;
      drop(isOver, (entry) => entry.peerId === peerId);
    }
    const spared = this.#weight > sideBytesMax ? this.#weightTo(kept) : 0;
    drop(
      () => this.#weight - spared > sideBytesMax,
      () => true,
    );
    return gone;
  }

  invariants(): void {
    let weight = 0;
    for (const entry of this.#entries.values()) weight += entry.weight;
    invariant(weight === this.#weight, `side branches weigh ${weight}, not ${this.#weight}`);
  }

  /** Of the branches that end in these blocks. */
  #weightTo(tips: ReadonlySet<HashHex | undefined>): number {
    const path = new Map<HashHex, number>();
    for (const tip of tips) {
      let entry = tip === undefined ? undefined : this.#entries.get(tip);
      while (entry !== undefined && !path.has(entry.header.hash)) {
        path.set(entry.header.hash, entry.weight);
        entry = this.#entries.get(entry.header.previousHash);
      }
    }
    return [...path.values()].reduce((sum, weight) => sum + weight, 0);
  }

  /** Of these entries; one look at each, however many of them go. */
  #lightestFirst(isPart: (entry: Entry) => boolean): Heap<Entry> {
    const heap = new Heap<Entry>((left, right) => {
      if (this.#prefers(right.header, left.header)) return true;
      return !this.#prefers(left.header, right.header) && left.order < right.order;
    });
    for (const entry of this.#entries.values()) if (isPart(entry)) heap.push(entry);
    return heap;
  }

  #remove({ header, weight, peerId }: Entry): void {
    this.#entries.delete(header.hash);
    const parent = this.#entries.get(header.previousHash);
    if (parent !== undefined) parent.children--;
    this.#charge(peerId, -weight);
  }

  #charge(peerId: PeerId | undefined, weight: number): void {
    this.#weight += weight;
    if (peerId === undefined) return;
    const left = (this.#weightOf.get(peerId) ?? 0) + weight;
    if (left === 0) this.#weightOf.delete(peerId);
    else this.#weightOf.set(peerId, left);
  }
}
