// What a caller brings, and what a node has to close.

import { CodedError } from "../errors.js";
import type {
  BlockStore,
  Consensus,
  Log,
  Mempool,
  MempoolStore,
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
  readonly mempoolStore?: MempoolStore;
  readonly consensus?: Consensus;
  readonly protocols?: readonly ServiceProtocol[];
  readonly log?: Log;
}

/** Throws CONFIG_INVALID for what is no port where it is handed in. */
export function checkOwnPorts(own: unknown, what = "options"): void {
  const refuse = (name: string, must: string): CodedError =>
    new CodedError("CONFIG_INVALID", `the ${name} must be ${must}`);
  if (!isObject(own)) throw refuse(what, "an object");
  for (const [name, port] of Object.entries(own)) {
    if (port === undefined) continue;
    if (!isObject(port)) throw refuse(name, "an object");
    if (name === "protocols" && !Array.isArray(port)) throw refuse(name, "a list");
    if (name === "log" && typeof port["write"] !== "function") {
      throw refuse(name, "an object with a function write");
    }
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
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
