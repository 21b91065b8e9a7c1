// A chain developer's own parts: the constants of a network, and a mempool that takes transactions
// of members only. Both are made from options that can be cloned, so that a thread can make them.
import { createMempool, createPowConsensus, DEFAULTS, readTransaction } from "vibecoin-network";
import type { ChainParams, Consensus, HashHex, Mempool } from "vibecoin-network";
import type {
  DroppedTransaction,
  MempoolAnswer,
  MempoolTransaction,
  StateView,
} from "vibecoin-network";

export const teaParams: ChainParams = {
  name: "tea-chain",
  genesisTimestampMs: Date.UTC(2026, 0, 1),
  minDifficulty: 1_024n,
  targetIntervalMs: 1_000,
  maxFutureMs: 15_000,
  blockBytesMax: 65_536,
  transactionBytesMax: 4_096,
  transactionDataBytesMax: 2_048,
};

export function createTeaConsensus(): Consensus {
  return createPowConsensus(teaParams);
}

export interface MembersOptions {
  /** Public keys in hex. */
  readonly members: readonly string[];
}

export function createMembersMempool({ members }: MembersOptions): Mempool {
  return new MembersMempool(new Set(members));
}

/** The default mempool behind a list of members. */
class MembersMempool implements Mempool {
  readonly #members: ReadonlySet<string>;
  readonly #inner = createMempool(DEFAULTS.mempool, (bytes) => readTransaction(bytes, teaParams));

  constructor(members: ReadonlySet<string>) {
    this.#members = members;
  }

  add(transaction: MempoolTransaction, view: StateView, nowMs?: number): MempoolAnswer {
    if (!this.#isByMember(transaction)) return { ok: false, reason: "invalid" };
    return this.#inner.add(transaction, view, nowMs);
  }

  restore(transaction: MempoolTransaction, view: StateView, nowMs?: number): MempoolAnswer {
    if (!this.#isByMember(transaction)) return { ok: false, reason: "invalid" };
    return this.#inner.restore(transaction, view, nowMs);
  }

  #isByMember({ bytes }: MempoolTransaction): boolean {
    const read = readTransaction(bytes, teaParams);
    return read.ok && this.#members.has(Buffer.from(read.value.sender).toString("hex"));
  }

  select(bytesMax: number, view: StateView, nowMs?: number): readonly MempoolTransaction[] {
    return this.#inner.select(bytesMax, view, nowMs);
  }

  confirmed(ids: readonly HashHex[], view: StateView): void {
    this.#inner.confirmed(ids, view);
  }

  has = (id: HashHex): boolean => this.#inner.has(id);
  get = (id: HashHex): Uint8Array | undefined => this.#inner.get(id);
  best = (): Iterator<HashHex> => this.#inner.best();
  remove = (ids: readonly HashHex[]): void => this.#inner.remove(ids);
  takeDropped = (): readonly DroppedTransaction[] => this.#inner.takeDropped();
  ids = (): Iterable<HashHex> => this.#inner.ids();
  floor = (nowMs: number): bigint => this.#inner.floor(nowMs);
  priceOf = (id: HashHex): bigint | undefined => this.#inner.priceOf(id);

  get count(): number {
    return this.#inner.count;
  }

  get bytes(): number {
    return this.#inner.bytes;
  }
}
