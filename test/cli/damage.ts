// Ways in which a data directory can be wrong although every record of it can be read.

import type { KeyPair } from "../../src/chain/signatures.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { networkParams } from "../../src/compose.js";
import { Table } from "../../src/storage/tables.js";
import type { Stores } from "../../src/storage/stores.js";
import { makeBlock, makeKey, makeTransaction } from "../support/chain.js";

type Blocks = Stores["blocks"];

const params = networkParams("vibecoin-dev");
const { rules } = createPowConsensus(params);
const HEIGHT = 7;

export const DAMAGES = {
  async flippedBit(store: Blocks) {
    const bytes = store.block(store.hashAt(HEIGHT)!)!;
    bytes[bytes.length - 1]! ^= 1;
    await overwrite(store, bytes);
  },
  async garbage(store: Blocks) {
    await overwrite(store, new Uint8Array(100).fill(7));
  },
  async otherBlock(store: Blocks) {
    const other = store.hashAt(HEIGHT + 1)!;
    await overwrite(store, store.block(other)!, store.headerBytes(other));
  },
  async otherHeader(store: Blocks) {
    const block = store.block(store.hashAt(HEIGHT)!)!;
    await overwrite(store, block, store.headerBytes(store.hashAt(HEIGHT + 1)!));
  },
  /** The head's place holds another valid block. */
  async sibling(store: Blocks) {
    const header = store.head();
    const parent = store.summary(header.previousHash)!;
    const { bytes, headerBytes } = makeBlock({ parent, params });
    await store.commit({ blocks: [{ header, headerBytes, bytes }], undo: [], state: [] });
  },
  async missing(store: Blocks) {
    const hash = store.hashAt(HEIGHT)!;
    store["engine"].delete(Table.blocks, store["keyOf"](hash)!);
    await store["engine"].durable();
  },
  /** A block on the head whose only fault is a signature by the wrong key. */
  async wrongSigner(store: Blocks) {
    const key: KeyPair = { ...makeKey(1), secretKey: makeKey(2).secretKey };
    const transactions = [makeTransaction(key, 0)];
    const block = makeBlock({ parent: store.head(), params, transactions });
    const { height, hash } = block.header;
    const canonical = { fromHeight: height, hashes: [hash] };
    await store.commit({ blocks: [block], undo: [], canonical, state: [] });
  },
  async otherUndo(store: Blocks) {
    const undo = [{ hash: store.hashAt(HEIGHT)!, bytes: new Uint8Array(41).fill(1) }];
    await store.commit({ blocks: [], undo, state: [] });
  },
  /** Undo data are dropped from below; a gap is damage. */
  async lostUndo(store: Blocks) {
    const hash = store.hashAt(HEIGHT)!;
    store["engine"].delete(Table.undo, store["keyOf"](hash)!);
    await store["engine"].durable();
  },
  async otherState(store: Blocks) {
    const parts = rules.splitBlock(store.block(store.hashAt(1)!)!);
    const read = parts.ok && rules.readTransaction(parts.value.transactions[0]!);
    if (!read || !read.ok) throw new Error("a generated transaction can be read");
    const { sender } = read.value as unknown as { sender: Uint8Array };
    const state = [{ key: sender, value: new Uint8Array(8).fill(1) }];
    await store.commit({ blocks: [], undo: [], state });
  },
};

/** Other bytes under the name of the block at HEIGHT. */
async function overwrite(
  store: Blocks,
  bytes: Uint8Array,
  headerBytes = store.headerBytes(store.hashAt(HEIGHT)!)!,
): Promise<void> {
  const header = store.summary(store.hashAt(HEIGHT)!)!;
  await store.commit({ blocks: [{ header, headerBytes, bytes }], undo: [], state: [] });
}
