// TxStore on a key-value engine: from transaction id to the block that confirmed it. A record is
// 20 bytes: the first 12 of the id, then height and index (u32 each). The block's hash comes from
// the canonical index, so a reorg that moves a block costs nothing here.

import { toLatin1 } from "../bytes/compare.js";
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
const TIP_KEY = "tx-tip";
const RECORD_BYTES = 8;
const HEIGHT_MAX = 2 ** 31 - 1;

export class KeyValueTxStore implements TxStore {
  readonly close: () => Promise<void>;
  private readonly engine: KeyValue;
  private readonly blocks: Pick<BlockStore, "hashAt">;
  private height: number;

  /** `blocks`: the store on the same engine, whose canonical index names the blocks. */
  constructor(shared: SharedKeyValue, blocks: Pick<BlockStore, "hashAt">) {
    this.engine = shared.engine;
    this.blocks = blocks;
    const tip = this.engine.get(Table.meta, TIP_KEY);
    this.height = tip ? Buffer.from(tip).readInt32BE(0) : -1;
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
    return this.height;
  }

  connect(block: CheckedTransactions): Promise<void> {
    const refusal = this.engine.refusal();
    if (refusal) return Promise.reject(refusal);
    invariant(block.height <= HEIGHT_MAX, "an indexed height fits 31 bits");
    const keys = keysOf(block);
    // One buffer for the records of a block: as many small ones would cost more than the puts.
    const records = Buffer.allocUnsafeSlow(keys.length * RECORD_BYTES);
    for (let index = 0; index < keys.length; index++) {
      const at = index * RECORD_BYTES;
      records.writeUInt32BE(block.height, at);
      records.writeUInt32BE(index, at + 4);
      const record = records.subarray(at, at + RECORD_BYTES);
      this.engine.put(Table.transactions, keys[index]!, record);
    }
    return this.moveTip(block.height);
  }

  disconnect(block: CheckedTransactions): Promise<void> {
    const refusal = this.engine.refusal();
    if (refusal) return Promise.reject(refusal);
    if (block.height > this.height) return this.engine.durable();
    invariant(block.height === this.height, "the last indexed block is disconnected first");
    for (const key of keysOf(block)) this.engine.delete(Table.transactions, key);
    return this.moveTip(block.height - 1);
  }

  private moveTip(height: number): Promise<void> {
    this.height = height;
    const record = Buffer.allocUnsafeSlow(4);
    record.writeInt32BE(height);
    this.engine.put(Table.meta, TIP_KEY, record);
    return this.engine.durable();
  }
}

function keysOf(block: CheckedTransactions): string[] {
  const ids = toLatin1(block.transactionIds);
  invariant(ids.length % ID_BYTES === 0, "transaction ids have 32 bytes each");
  const keys: string[] = [];
  for (let at = 0; at < ids.length; at += ID_BYTES) keys.push(ids.slice(at, at + KEY_BYTES));
  return keys;
}
