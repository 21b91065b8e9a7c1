// TxStore on a key-value engine: from transaction id to the block that confirmed it. A record is
// 20 bytes: the first 12 of the id, then height and index (u32 each). The block's hash comes from
// the canonical index, so a reorg that moves a block costs nothing here, and what an abandoned
// block held may stay: its record leads to a block that does not hold it.

import { toLatin1 } from "../bytes/compare.js";
import { fromHex, toHex } from "../bytes/hex.js";
import type { HashHex } from "../types/chain.js";
import { invariant } from "../errors.js";
import type { BlockStore, CheckedTransactions, TransactionLocation, TxStore } from "../ports.js";
import type { KeyValue, SharedKeyValue } from "./key-value.js";
import { Table } from "./tables.js";

const ID_BYTES = 32;
/**
 * Finding an id that shadows one of 2^32 confirmed ones takes 2^64 hashes, and gains no more than
 * that the older one is not found: `locate` is a hint that its caller checks in the block.
 */
const KEY_BYTES = 12;
/** Height (4 bytes) and hash; older stores have the height alone, so their index is made anew. */
const TIP_KEY = "tx-tip";
const TIP_BYTES = 36;
const RECORD_BYTES = 8;
const HEIGHT_MAX = 2 ** 31 - 1;

interface Tip {
  readonly height: number;
  readonly hash: HashHex;
}

export class KeyValueTxStore implements TxStore {
  readonly close: () => Promise<void>;
  private readonly engine: KeyValue;
  private readonly blocks: Pick<BlockStore, "hashAt" | "summary">;
  private tip: Tip | undefined;

  /** `blocks`: the store on the same engine, whose canonical index names the blocks. */
  constructor(shared: SharedKeyValue, blocks: Pick<BlockStore, "hashAt" | "summary">) {
    this.engine = shared.engine;
    this.blocks = blocks;
    const tip = this.engine.get(Table.meta, TIP_KEY);
    if (tip?.length === TIP_BYTES) {
      this.tip = { height: Buffer.from(tip).readInt32BE(0), hash: toHex(tip.subarray(4)) };
    }
    this.close = shared.use();
  }

  locate(id: Uint8Array): TransactionLocation | undefined {
    const record = this.engine.get(Table.transactions, toLatin1(id.subarray(0, KEY_BYTES)));
    if (!record) return undefined;
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    const blockHash = this.blocks.hashAt(view.getUint32(0));
    return blockHash === undefined ? undefined : { blockHash, index: view.getUint32(4) };
  }

  indexedHeight(): number {
    return this.tip?.height ?? -1;
  }

  indexedHash(): HashHex | undefined {
    return this.tip?.hash;
  }

  connect(block: CheckedTransactions): Promise<void> {
    return this.write(() => this.put(block));
  }

  disconnect(block: CheckedTransactions): Promise<void> {
    if (block.blockHash !== this.tip?.hash) return this.engine.durable();
    const hash = this.blocks.summary(block.blockHash)?.previousHash;
    const height = block.height - 1;
    return this.write(() => {
      for (const key of keysOf(block.transactionIds)) this.engine.delete(Table.transactions, key);
      this.moveTip(hash === undefined || height < 0 ? undefined : { height, hash });
    });
  }

  rewind(height: number): Promise<void> {
    const hash = this.blocks.hashAt(height);
    return this.write(() => this.moveTip(hash === undefined ? undefined : { height, hash }));
  }

  /**
   * Called by the block store within a commit, so that both change as one. An index that is not
   * where these blocks begin, behind them or on an abandoned branch, is left to who follows the chain.
   */
  extend(transactions: readonly CheckedTransactions[]): void {
    for (const block of transactions) {
      const { tip } = this;
      if (tip?.height !== block.height - 1 || this.blocks.hashAt(tip.height) !== tip.hash) return;
      this.put(block);
    }
  }

  private write(stage: () => void): Promise<void> {
    const refusal = this.engine.refusal();
    if (refusal) return Promise.reject(refusal);
    stage();
    return this.engine.durable();
  }

  private put({ blockHash, height, transactionIds }: CheckedTransactions): void {
    invariant(height <= HEIGHT_MAX, "an indexed height fits 31 bits");
    const keys = keysOf(transactionIds);
    // One buffer for the records of a block: as many small ones would cost more than the puts.
    const records = Buffer.allocUnsafeSlow(keys.length * RECORD_BYTES);
    for (let index = 0; index < keys.length; index++) {
      const at = index * RECORD_BYTES;
      records.writeUInt32BE(height, at);
      records.writeUInt32BE(index, at + 4);
      const record = records.subarray(at, at + RECORD_BYTES);
      this.engine.put(Table.transactions, keys[index]!, record);
    }
    this.moveTip({ height, hash: blockHash });
  }

  private moveTip(tip: Tip | undefined): void {
    this.tip = tip;
    if (tip === undefined) {
      this.engine.delete(Table.meta, TIP_KEY);
      return;
    }
    const record = Buffer.allocUnsafeSlow(TIP_BYTES);
    record.writeInt32BE(tip.height);
    record.set(fromHex(tip.hash), 4);
    this.engine.put(Table.meta, TIP_KEY, record);
  }
}

function keysOf(transactionIds: Uint8Array): string[] {
  const ids = toLatin1(transactionIds);
  invariant(ids.length % ID_BYTES === 0, "transaction ids have 32 bytes each");
  const keys: string[] = [];
  for (let at = 0; at < ids.length; at += ID_BYTES) keys.push(ids.slice(at, at + KEY_BYTES));
  return keys;
}
