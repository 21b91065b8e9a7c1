// The stores of a node, opened and closed together on one engine.

import type { CodedError } from "../errors.js";
import type { MempoolStore, PeerStore, TxStore } from "../ports.js";
import { KeyValueBlockStore } from "./block-store.js";
import { SharedKeyValue, type KeyValue } from "./key-value.js";
import { KeyValueMempoolStore } from "./mempool-store.js";
import { KeyValuePeerStore } from "./peer-store.js";
import { KeyValueTxStore } from "./tx-store.js";

/** What is written to any of them in one turn of the event loop is durable together or not. */
export interface Stores {
  readonly blocks: KeyValueBlockStore;
  readonly transactions: TxStore;
  /** The same index, from now on a part of every commit of `blocks`. */
  readonly joinIndex: () => TxStore;
  readonly peers: PeerStore;
  readonly mempool: MempoolStore;
  /** Resolves when writes can reach the disk; rejects with STORE_FAILED when they never will. */
  readonly started: Promise<void>;
  /**
   * Resolves when nothing can be written any more: to STORE_FAILED, or to DATA_CORRUPT when a read met
   * damage, since what this node would do next is unsound.
   */
  readonly failed: Promise<CodedError>;
  /** Closes all: waits for their writes and releases the directory. Idempotent. */
  readonly close: () => Promise<void>;
}

const NEVER = new Promise<never>(() => undefined);

/** All stores on one engine. */
export function storesOn(
  engine: KeyValue,
  started = Promise.resolve(),
  failed: Promise<CodedError> = NEVER,
): Stores {
  const shared = new SharedKeyValue(engine);
  const blocks = new KeyValueBlockStore(shared);
  const transactions = new KeyValueTxStore(shared, blocks);
  const peers = new KeyValuePeerStore(shared);
  const mempool = new KeyValueMempoolStore(shared);
  const all = [blocks, transactions, peers, mempool];
  const close = async () => {
    await Promise.all(all.map((store) => store.close()));
  };
  const joinIndex = () => {
    blocks.join(transactions);
    return transactions;
  };
  return { blocks, transactions, joinIndex, peers, mempool, started, failed, close };
}
