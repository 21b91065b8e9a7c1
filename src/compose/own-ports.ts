// What a caller brings, and what a node has to close.

import type {
  BlockStore,
  Consensus,
  Log,
  Mempool,
  PeerStore,
  ServiceProtocol,
  TxStore,
} from "../ports.js";

/** A caller's own ports; what is absent is built from the configuration. */
export interface OwnPorts {
  readonly blockStore?: BlockStore;
  readonly txStore?: TxStore;
  readonly peerStore?: PeerStore;
  readonly mempool?: Mempool;
  readonly consensus?: Consensus;
  readonly protocols?: readonly ServiceProtocol[];
  readonly log?: Log;
}

/** Closes in the order given; a failure does not keep the rest open. */
export type Closers = (() => unknown)[];
