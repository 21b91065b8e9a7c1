// The default mempool: transactions by gas price, then age, each sender's by nonce; bounded by count,
// bytes and per sender. When it is full what is worth least gives way, before that what senders hold
// beyond their share. Pure, with the time passed in. The mempool integration owns it and is the only
// one to call it.

import { toLatin1 } from "../bytes/compare.js";
import { invariant } from "../errors.js";
import type {
  DroppedTransaction,
  Mempool,
  MempoolAnswer,
  MempoolTransaction,
  StateView,
} from "../ports.js";
import { GivingWay } from "./giving-way.js";
import { Heap } from "./heap.js";
import { lastNonce } from "./nonce-state.js";
import { outbids } from "./replacement.js";
import { RollingFloor } from "./rolling-floor.js";
import { better, Entry, SenderQueue } from "./sender-queue.js";
import type { Transaction } from "./transaction.js";
import type { Checked, HashHex } from "../types/chain.js";

export interface MempoolLimits {
  readonly countMax: number;
  /** Of the encoded transactions in all. */
  readonly bytesMax: number;
  readonly perSenderMax: number;
  readonly minGasPrice: number;
  /** How much more gas price, in percent, a first replacement must offer; at least one unit more. */
  readonly replaceBumpPercent: number;
  /** When it is full a sender keeps so-many-th part of it, and the rest gives way. Absent: 1. */
  readonly sendersMin?: number;
  /** How long a transaction waits for lower nonces of its sender. Absent: not at all. */
  readonly gapWaitMs?: number;
  /** In so long the least price halves that is taken once it was full. Absent: none is kept. */
  readonly floorHalfLifeMs?: number;
}

/** The head of a byte string in a block: a selected transaction needs this much more room. */
const HEAD_BYTES_MAX = 5;
/** Less room than this takes no transaction: two addresses and a signature. */
const TRANSACTION_BYTES_MIN = 128;
/** Kept until somebody takes them: a wrapper of this mempool may never do. */
const DROPPED_MAX = 4_096;
/** Senders looked at per confirmed block for nonces that other transactions used up. */
const SWEEP_SENDERS_MAX = 512;

export function createMempool(
  limits: MempoolLimits,
  readTransaction: (bytes: Uint8Array) => Checked<Transaction>,
): PriceMempool {
  return new PriceMempool(limits, readTransaction);
}

/** The next entry of a sender. Its price as a number orders most of them without a look at it. */
interface Head {
  readonly price: number;
  readonly entry: Entry;
  readonly index: number;
}

function headOf(queue: SenderQueue, index: number): Head {
  const entry = queue.entry(index)!;
  return { price: Number(entry.gasPrice), entry, index };
}

function betterHead(left: Head, right: Head): boolean {
  if (left.price !== right.price) return left.price > right.price;
  return better(left.entry, right.entry);
}

function refused(reason: (MempoolAnswer & { ok: false })["reason"]): MempoolAnswer {
  return { ok: false, reason };
}

/** How a transaction comes in. */
interface Entrance {
  readonly view: StateView;
  readonly nowMs: number | undefined;
  /** It was in an abandoned block. */
  readonly restores: boolean;
}

/** What had to go for another one. */
interface Gone {
  readonly entry: Entry;
  readonly reason: "evicted" | "replaced";
  /** The newcomer paid more than this; absent: its price was not asked for. */
  readonly worth?: bigint | undefined;
}

export class PriceMempool implements Mempool {
  readonly #limits: Required<MempoolLimits>;
  readonly #read: (bytes: Uint8Array) => Checked<Transaction>;
  readonly #byId = new Map<HashHex, Entry>();
  /** None of them is empty. */
  readonly #bySender = new Map<string, SenderQueue>();
  readonly #givingWay: GivingWay;
  readonly #floor: RollingFloor;
  #sweep = this.#bySender.values();
  #bytes = 0;
  #added = 0;
  #dropped: DroppedTransaction[] = [];

  constructor(limits: MempoolLimits, read: (bytes: Uint8Array) => Checked<Transaction>) {
    this.#limits = { sendersMin: 1, gapWaitMs: 0, floorHalfLifeMs: 0, ...limits };
    this.#read = read;
    this.#givingWay = new GivingWay(this.#limits);
    this.#floor = new RollingFloor(this.#limits.floorHalfLifeMs);
  }

  get count(): number {
    return this.#byId.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(id: HashHex): boolean {
    return this.#byId.has(id);
  }

  get(id: HashHex): Uint8Array | undefined {
    return this.#byId.get(id)?.bytes;
  }

  ids(): Iterable<HashHex> {
    return this.#byId.keys();
  }

  priceOf(id: HashHex): bigint | undefined {
    return this.#byId.get(id)?.gasPrice;
  }

  /** Half empty it takes whatever its limits say: there is room for what nobody pays for yet. */
  floor(nowMs: number): bigint {
    const { countMax, bytesMax, minGasPrice } = this.#limits;
    const least = BigInt(minGasPrice);
    if (this.count * 2 < countMax && this.#bytes * 2 < bytesMax) return least;
    const rolling = BigInt(Math.ceil(this.#floor.at(nowMs)));
    return rolling > least ? rolling : least;
  }

  add(transaction: MempoolTransaction, view: StateView, nowMs?: number): MempoolAnswer {
    return this.#add(transaction, { view, nowMs, restores: false });
  }

  restore(transaction: MempoolTransaction, view: StateView, nowMs?: number): MempoolAnswer {
    return this.#add(transaction, { view, nowMs, restores: true });
  }

  #add(transaction: MempoolTransaction, entrance: Entrance): MempoolAnswer {
    if (this.#byId.has(transaction.id)) return refused("known");
    const { view, nowMs, restores } = entrance;
    const entry = this.#entry(transaction, nowMs);
    if (entry === undefined) return refused("invalid");
    // What was taken once, and was in a block, need not pay what is asked of others now.
    const asksFloor = nowMs !== undefined && !restores;
    const least = asksFloor ? this.floor(nowMs) : BigInt(this.#limits.minGasPrice);
    if (entry.gasPrice < least) return refused("underpriced");
    const { queue, nonce } = entry;
    if (nonce <= lastNonce(view, queue.sender)) return refused("nonce");
    const replaced = queue.withNonce(nonce);
    const gone: Gone[] = [];
    if (replaced !== undefined) {
      if (!outbids(entry, replaced, this.#limits.replaceBumpPercent)) return refused("conflict");
      entry.replacements = replaced.replacements + 1;
      this.#remove(replaced);
      gone.push({ entry: replaced, reason: "replaced" });
    }
    if (!this.#makeRoom(entry, entrance, gone)) {
      for (const back of gone.reverse()) this.#insert(back.entry);
      return refused("full");
    }
    this.#insert(entry);
    for (const { entry: left, reason, worth } of gone) {
      this.#tell(left, reason);
      if (worth !== undefined && nowMs !== undefined) this.#floor.raise(worth, nowMs);
    }
    return { ok: true };
  }

  /** Adds to `gone` what it takes out; false: there is no room. */
  #makeRoom(entry: Entry, entrance: Entrance, gone: Gone[]): boolean {
    const { countMax, bytesMax, perSenderMax } = this.#limits;
    for (;;) {
      const hasPlace = entry.queue.count < perSenderMax;
      const fits = this.count < countMax && this.#bytes + entry.bytes.length <= bytesMax;
      if (hasPlace && fits) return true;
      const next = (hasPlace ? this.#giving(entry) : undefined) ?? this.#givingOwn(entry, entrance);
      if (next === undefined) return false;
      this.#remove(next.entry);
      gone.push(next);
    }
  }

  /**
   * Whose last one gives way to it for the whole mempool's sake. To a sender within its share those
   * beyond theirs give way at any price; who is beyond it has to pay more than another such one, and
   * never costs anybody else.
   */
  #giving(entry: Entry): Gone | undefined {
    const { queue, bytes } = entry;
    const crowds = this.#givingWay.exceeds(queue.count + 1, queue.bytes + bytes.length);
    const worth = queue.worthOf(entry);
    const crowding = this.#givingWay.firstCrowding();
    if (crowding !== undefined && (!crowds || crowding.worth < worth)) {
      return { entry: crowding.queue.last!, reason: "evicted" };
    }
    const first = crowds ? undefined : this.#givingWay.first();
    if (first === undefined || first.worth >= worth) return undefined;
    return { entry: first.queue.last!, reason: "evicted", worth: first.worth };
  }

  /**
   * Its sender's last one gives way to one of an abandoned block, without which it could never follow;
   * and to the one that the chain takes next, if itself it waits behind a gap. So whoever sends ever
   * lower nonces gets no more through than twice its room.
   */
  #givingOwn({ queue, nonce }: Entry, { view, restores }: Entrance): Gone | undefined {
    const { last } = queue;
    if (last === undefined || last.nonce < nonce) return undefined;
    const gap = restores ? nonce : queue.gapAfter(lastNonce(view, queue.sender));
    return nonce === gap ? { entry: last, reason: "evicted" } : undefined;
  }

  select(
    bytesMax: number,
    view: StateView,
    nowMs = Number.POSITIVE_INFINITY,
  ): readonly MempoolTransaction[] {
    const { gapWaitMs } = this.#limits;
    const heads = new Heap<Head>(betterHead);
    for (const queue of this.#bySender.values()) heads.push(headOf(queue, 0));
    const selected: MempoolTransaction[] = [];
    let room = bytesMax;
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      if (room < TRANSACTION_BYTES_MIN) break;
      const { entry, index } = head;
      const { queue, nonce } = entry;
      // State is read for those that get this far only: a pool has far more senders than a block.
      // A stale head may hide a better one behind it until then; `confirmed` leaves few of them.
      const before = queue.entry(index - 1)?.nonce ?? lastNonce(view, queue.sender);
      if (nonce <= before) {
        this.#dropStale(queue, before);
        if (queue.count > 0) heads.push(headOf(queue, 0));
        continue;
      }
      // Lower nonces may be on their way, and are void once a block holds this one.
      if (nonce !== before + 1 && nowMs - entry.sinceMs < gapWaitMs) continue;
      const size = entry.bytes.length + HEAD_BYTES_MAX;
      if (size > room) continue; // this sender's later nonces would make this one stale
      room -= size;
      selected.push({ id: entry.id, bytes: entry.bytes });
      if (index + 1 < queue.count) heads.push(headOf(queue, index + 1));
    }
    return selected;
  }

  *best(): Generator<HashHex, undefined> {
    const heads = new Heap<Entry>(better);
    for (const queue of this.#bySender.values()) heads.push(queue.entry(0)!);
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      if (head.live) yield head.id;
      const next = head.queue.after(head.nonce);
      if (next !== undefined) heads.push(next);
    }
  }

  remove(ids: readonly HashHex[]): void {
    for (const id of ids) {
      const entry = this.#byId.get(id);
      if (entry !== undefined) this.#remove(entry);
    }
  }

  takeDropped(): readonly DroppedTransaction[] {
    return this.#dropped.length === 0 ? [] : this.#dropped.splice(0);
  }

  confirmed(ids: readonly HashHex[], view: StateView): void {
    const queues = new Set<SenderQueue>();
    for (const id of ids) {
      const entry = this.#byId.get(id);
      if (entry === undefined) continue;
      this.#remove(entry);
      queues.add(entry.queue);
    }
    for (const queue of queues) this.#dropStale(queue, lastNonce(view, queue.sender));
    // A block may use up nonces with transactions that are not here, so the other senders are
    // looked at in turn, a bounded number per block.
    for (let i = Math.min(SWEEP_SENDERS_MAX, this.#bySender.size); i > 0; i--) {
      let next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = this.#bySender.values();
        next = this.#sweep.next();
        if (next.done === true) return;
      }
      this.#dropStale(next.value, lastNonce(view, next.value.sender));
    }
  }

  /** Throws when the indices disagree or a limit is passed. */
  invariants(): void {
    const { countMax, bytesMax, perSenderMax } = this.#limits;
    let bytes = 0;
    let count = 0;
    for (const queue of this.#bySender.values()) {
      invariant(queue.count > 0 && queue.count <= perSenderMax, "a sender has 1 to max entries");
      queue.invariants();
      for (let i = 0; i < queue.count; i++) {
        const entry = queue.entry(i)!;
        invariant(entry.live && this.#byId.get(entry.id) === entry, "each entry is found by id");
        invariant(entry.queue === queue, "each entry is in its own queue");
      }
      bytes += queue.bytes;
      count += queue.count;
    }
    invariant(count === this.#byId.size && bytes === this.#bytes, "count and bytes add up");
    invariant(count <= countMax && bytes <= bytesMax, "the limits hold");
    this.#givingWay.invariants(this.#bySender.values());
  }

  #entry({ id, bytes }: MempoolTransaction, nowMs = Number.NEGATIVE_INFINITY): Entry | undefined {
    // A view would keep the whole message alive that it came in, beyond the limit on bytes.
    const own = bytes.length < bytes.buffer.byteLength ? bytes.slice() : bytes;
    const read = this.#read(own);
    if (!read.ok) return undefined;
    const { sender, nonce, gasPrice } = read.value;
    const key = toLatin1(sender);
    // A copy: a sender may outlast the transaction that it was read from.
    const queue = this.#bySender.get(key) ?? new SenderQueue(sender.slice(), key);
    const order = this.#added++;
    return new Entry({ id, bytes: own, queue, nonce, gasPrice, order, sinceMs: nowMs });
  }

  /** Drops the entries of this sender that its state has passed. */
  #dropStale(queue: SenderQueue, last: number): void {
    for (let entry = queue.entry(0); entry !== undefined; entry = queue.entry(0)) {
      if (entry.nonce > last) return;
      this.#remove(entry);
      this.#tell(entry, "nonce");
    }
  }

  #tell({ id }: Entry, reason: string): void {
    if (this.#dropped.length < DROPPED_MAX) this.#dropped.push({ id, reason });
  }

  #insert(entry: Entry): void {
    const { queue } = entry;
    entry.live = true;
    queue.insert(entry);
    if (queue.count === 1) this.#bySender.set(queue.key, queue);
    this.#byId.set(entry.id, entry);
    this.#bytes += entry.bytes.length;
    this.#givingWay.changed(queue);
  }

  #remove(entry: Entry): void {
    const { queue } = entry;
    entry.live = false;
    queue.remove(entry);
    if (queue.count === 0) this.#bySender.delete(queue.key);
    this.#byId.delete(entry.id);
    this.#bytes -= entry.bytes.length;
    this.#givingWay.changed(queue);
  }
}
