// What a caller brings, and what a node has to close.

import { CodedError } from "../errors.js";
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

/** The functions of a service, and whether it may go without. */
const HANDLERS = { onMessage: false, onPeer: true, onPeerGone: true } as const;

/** Throws CONFIG_INVALID: a function that is missing would be missed at a peer's message only. */
export function checkHandlers(protocols: readonly ServiceProtocol[]): void {
  for (const protocol of protocols) {
    for (const [name, optional] of Object.entries(HANDLERS)) {
      const handler: unknown = Reflect.get(protocol, name);
      if (typeof handler === "function" || (handler === undefined && optional)) continue;
      const sentence = `the protocols cannot be used: ${name} of ${protocol.name} is no function`;
      throw new CodedError("CONFIG_INVALID", sentence);
    }
  }
}
