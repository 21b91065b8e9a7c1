// The default mempool: transactions by gas price, bounded by count, bytes and per sender. A better
// price replaces a transaction of the same sender and nonce and evicts the cheapest when full. The
// mempool integration owns it and is the only one to call it.

import { toLatin1 } from "../bytes/compare.js";
import { invariant } from "../errors.js";
import type {
  DroppedTransaction,
  Mempool,
  MempoolAnswer,
  MempoolTransaction,
  StateView,
} from "../ports.js";
import { Heap } from "./heap.js";
import { lastNonce } from "./nonce-state.js";
import type { Transaction } from "./transaction.js";
import type { Checked, HashHex } from "../types/chain.js";

export interface MempoolLimits {
  readonly countMax: number;
  /** Of the encoded transactions in all. */
  readonly bytesMax: number;
  readonly perSenderMax: number;
  readonly minGasPrice: number;
  /** How much more gas price, in percent, a replacement must offer; at least one unit more. */
  readonly replaceBumpPercent: number;
}

interface Entry extends MempoolTransaction {
  readonly sender: Uint8Array;
  readonly senderKey: string;
  readonly nonce: number;
  readonly gasPrice: bigint;
  /** Counts additions: of two prices alike the earlier is the better. */
  readonly order: number;
  /** False once removed; the eviction heap forgets such entries later. */
  live: boolean;
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

function better(left: Entry, right: Entry): boolean {
  if (left.gasPrice !== right.gasPrice) return left.gasPrice > right.gasPrice;
  return left.order < right.order;
}

/** The next entry of a sender. Its price as a number orders most of them without a look at it. */
interface Head {
  readonly price: number;
  readonly entry: Entry;
  readonly queue: readonly Entry[];
  readonly index: number;
}

function headOf(queue: readonly Entry[], index: number): Head {
  const entry = queue[index]!;
  return { price: Number(entry.gasPrice), entry, queue, index };
}

function betterHead(left: Head, right: Head): boolean {
  if (left.price !== right.price) return left.price > right.price;
  return better(left.entry, right.entry);
}

function refused(reason: (MempoolAnswer & { ok: false })["reason"]): MempoolAnswer {
  return { ok: false, reason };
}

export class PriceMempool implements Mempool {
  readonly #limits: MempoolLimits;
  readonly #read: (bytes: Uint8Array) => Checked<Transaction>;
  readonly #byId = new Map<HashHex, Entry>();
  /** Each sender's entries by rising nonce; never empty. */
  readonly #bySender = new Map<string, Entry[]>();
  readonly #cheapest = new Heap<Entry>((left, right) => better(right, left));
  #sweep = this.#bySender.values();
  #bytes = 0;
  #added = 0;
  #dropped: DroppedTransaction[] = [];

  constructor(limits: MempoolLimits, read: (bytes: Uint8Array) => Checked<Transaction>) {
    this.#limits = limits;
    this.#read = read;
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

  add(transaction: MempoolTransaction, view: StateView): MempoolAnswer {
    return this.#add(transaction, view, undefined);
  }

  restore(transaction: MempoolTransaction, view: StateView): MempoolAnswer {
    const displaced: Entry[] = [];
    const answer = this.#add(transaction, view, displaced);
    for (const entry of displaced) {
      // What gave way for nothing comes back.
      if (answer.ok) this.#tell(entry, "evicted");
      else this.#insert({ ...entry, live: true });
    }
    return answer;
  }

  /** `displaced`: takes the sender's higher nonces that gave way; absent: none of them does. */
  #add(
    transaction: MempoolTransaction,
    view: StateView,
    displaced: Entry[] | undefined,
  ): MempoolAnswer {
    if (this.#byId.has(transaction.id)) return refused("known");
    const entry = this.#entry(transaction);
    if (entry === undefined) return refused("invalid");
    if (entry.gasPrice < BigInt(this.#limits.minGasPrice)) return refused("underpriced");
    if (entry.nonce <= lastNonce(view, entry.sender)) return refused("nonce");
    const queue = this.#bySender.get(entry.senderKey) ?? [];
    const replaced = queue.find(({ nonce }) => nonce === entry.nonce);
    if (replaced !== undefined && !this.#outbids(entry, replaced)) return refused("conflict");
    if (replaced === undefined && queue.length >= this.#limits.perSenderMax) {
      if (!this.#displace(entry, displaced)) return refused("full");
    }
    while (!this.#makeRoom(entry, replaced, displaced !== undefined)) {
      if (replaced !== undefined || !this.#displace(entry, displaced)) return refused("full");
    }
    this.#insert(entry);
    return { ok: true };
  }

  /** Takes out the sender's highest nonce, if it is above the entry's. */
  #displace({ senderKey, nonce }: Entry, displaced: Entry[] | undefined): boolean {
    const highest = this.#bySender.get(senderKey)?.at(-1);
    if (displaced === undefined || highest === undefined || highest.nonce < nonce) return false;
    this.#remove(highest);
    displaced.push(highest);
    return true;
  }

  select(bytesMax: number, view: StateView): readonly MempoolTransaction[] {
    const heads = new Heap<Head>(betterHead);
    for (const queue of this.#bySender.values()) heads.push(headOf(queue, 0));
    const selected: MempoolTransaction[] = [];
    let room = bytesMax;
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      if (room < TRANSACTION_BYTES_MIN) break;
      const { entry, queue, index } = head;
      // State is read for those that get this far only: a pool has far more senders than a block.
      // A stale head may hide a better one behind it until then; `confirmed` leaves few of them.
      if (index === 0 && entry.nonce <= lastNonce(view, entry.sender)) {
        const fresh = this.#dropStale(entry, view);
        if (fresh !== undefined) heads.push(headOf(fresh, 0));
        continue;
      }
      const size = entry.bytes.length + HEAD_BYTES_MAX;
      if (size > room) continue; // this sender's later nonces would make this one stale
      room -= size;
      selected.push({ id: entry.id, bytes: entry.bytes });
      if (index + 1 < queue.length) heads.push(headOf(queue, index + 1));
    }
    return selected;
  }

  *best(): Generator<HashHex, undefined> {
    const heads = new Heap<Entry>(better);
    for (const queue of this.#bySender.values()) heads.push(queue[0]!);
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      if (head.live) yield head.id;
      const { senderKey, nonce } = head;
      const next = this.#bySender.get(senderKey)?.find((entry) => entry.nonce > nonce);
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
    const senders = new Map<string, Entry>();
    for (const id of ids) {
      const entry = this.#byId.get(id);
      if (entry === undefined) continue;
      this.#remove(entry);
      senders.set(entry.senderKey, entry);
    }
    for (const entry of senders.values()) this.#dropStale(entry, view);
    // A block may use up nonces with transactions that are not here, so the other senders are
    // looked at in turn, a bounded number per block.
    for (let i = Math.min(SWEEP_SENDERS_MAX, this.#bySender.size); i > 0; i--) {
      let next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = this.#bySender.values();
        next = this.#sweep.next();
        if (next.done === true) return;
      }
      this.#dropStale(next.value[0]!, view);
    }
  }

  /** Throws when the indices disagree or a limit is passed. */
  invariants(): void {
    const { countMax, bytesMax, perSenderMax } = this.#limits;
    let bytes = 0;
    let count = 0;
    for (const queue of this.#bySender.values()) {
      invariant(queue.length > 0 && queue.length <= perSenderMax, "a sender has 1 to max entries");
      queue.forEach((entry, i) => {
        invariant(i === 0 || queue[i - 1]!.nonce < entry.nonce, "nonces rise within a sender");
        invariant(entry.live && this.#byId.get(entry.id) === entry, "each entry is found by id");
        bytes += entry.bytes.length;
        count++;
      });
    }
    invariant(count === this.#byId.size && bytes === this.#bytes, "count and bytes add up");
    invariant(count <= countMax && bytes <= bytesMax, "the limits hold");
    invariant(this.#cheapest.size >= count, "every entry can be evicted");
  }

  #entry({ id, bytes }: MempoolTransaction): Entry | undefined {
    // A view would keep the whole message alive that it came in, beyond the limit on bytes.
    const own = bytes.length < bytes.buffer.byteLength ? bytes.slice() : bytes;
    const read = this.#read(own);
    if (!read.ok) return undefined;
    const { sender, nonce, gasPrice } = read.value;
    const senderKey = toLatin1(sender);
    return { id, bytes: own, sender, senderKey, nonce, gasPrice, order: this.#added++, live: true };
  }

  #outbids(entry: Entry, replaced: Entry): boolean {
    const due = replaced.gasPrice * BigInt(100 + this.#limits.replaceBumpPercent);
    return entry.gasPrice > replaced.gasPrice && entry.gasPrice * 100n >= due;
  }

  /**
   * Removes `replaced` and whatever is cheaper than `entry` until it fits; or nothing. `keepsLower`:
   * not if a lower nonce of its own sender would have to go.
   */
  #makeRoom(entry: Entry, replaced: Entry | undefined, keepsLower: boolean): boolean {
    let count = this.count + 1 - (replaced === undefined ? 0 : 1);
    let bytes = this.#bytes + entry.bytes.length - (replaced?.bytes.length ?? 0);
    const victims: Entry[] = [];
    while (count > this.#limits.countMax || bytes > this.#limits.bytesMax) {
      const victim = this.#cheapest.pop();
      if (victim?.live === false) continue;
      if (victim !== undefined) victims.push(victim);
      const isLower = victim?.senderKey === entry.senderKey && victim.nonce < entry.nonce;
      if (victim === undefined || victim.gasPrice >= entry.gasPrice || (keepsLower && isLower)) {
        for (const kept of victims) this.#cheapest.push(kept);
        return false;
      }
      if (victim === replaced) continue; // its room is counted already
      count--;
      bytes -= victim.bytes.length;
    }
    for (const victim of victims) this.#drop(victim, victim === replaced ? "replaced" : "evicted");
    if (replaced?.live === true) this.#drop(replaced, "replaced");
    return true;
  }

  #insert(entry: Entry): void {
    const queue = this.#bySender.get(entry.senderKey);
    if (queue === undefined) this.#bySender.set(entry.senderKey, [entry]);
    else {
      const at = queue.findIndex(({ nonce }) => nonce > entry.nonce);
      queue.splice(at < 0 ? queue.length : at, 0, entry);
    }
    this.#byId.set(entry.id, entry);
    this.#bytes += entry.bytes.length;
    this.#cheapest.push(entry);
  }

  /** Drops the entries of this entry's sender that its state has passed; returns the rest. */
  #dropStale({ sender, senderKey }: Entry, view: StateView): readonly Entry[] | undefined {
    const last = lastNonce(view, sender);
    for (const entry of [...(this.#bySender.get(senderKey) ?? [])]) {
      if (entry.nonce <= last) this.#drop(entry, "nonce");
    }
    return this.#bySender.get(senderKey);
  }

  #drop(entry: Entry, reason: string): void {
    this.#remove(entry);
    this.#tell(entry, reason);
  }

  #tell(entry: Entry, reason: string): void {
    if (this.#dropped.length < DROPPED_MAX) this.#dropped.push({ id: entry.id, reason });
  }

  #remove(entry: Entry): void {
    const queue = this.#bySender.get(entry.senderKey)!;
    if (queue.length === 1) this.#bySender.delete(entry.senderKey);
    else queue.splice(queue.indexOf(entry), 1);
    this.#byId.delete(entry.id);
    this.#bytes -= entry.bytes.length;
    entry.live = false;
    if (this.#cheapest.size > 2 * this.count + 64) this.#cheapest.filter(({ live }) => live);
  }
}
