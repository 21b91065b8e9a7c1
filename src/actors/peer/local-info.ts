// What this node says of itself in a handshake. The registry owns one for all connections.

import {
  formatAddress,
  isDialableByOthers,
  isLoopback,
  parseAddress,
  type Endpoint,
} from "../../protocol/address.js";
import { encodeMessage } from "../../protocol/codec/codec.js";
import { KINDS, MESSAGE_KINDS, ruleOf } from "../../protocol/types/message.js";
import { TEXT_LIMITS } from "../../protocol/kinds/limits.js";
import { PROTOCOL_VERSION, TIME_CAPABILITY } from "../../protocol/handshake.js";
import { FEES_CAPABILITY } from "../../protocol/kinds/fees.js";
import { PEERS_CAPABILITY } from "../../protocol/kinds/peers.js";
import type { HandshakeInfo, ServeQuota } from "../../protocol/types/node-info.js";
import type { NetworkConfig } from "../../config.js";
import { RELAY_CAPABILITY } from "../../protocol/kinds/relay.js";
import type { NodeEnv } from "../env.js";
import { quotaOf } from "../../protocol/session/quotas.js";

/** On a connection for blocks alone: whoever is told of no transactions and addresses maps nothing. */
export const BLOCKS_ONLY: ReadonlySet<string> = new Set([
  "transactions/1",
  PEERS_CAPABILITY,
  FEES_CAPABILITY,
]);

export type LocalInfoEnv = Pick<NodeEnv, "agent" | "blocks" | "config" | "protocols">;

/** The head is read anew each time: it is what a peer may ask us for from now on. */
export class LocalInfo {
  readonly #env: LocalInfoEnv;
  readonly #withheld: ReadonlySet<string>;
  #bound: readonly Endpoint[] = [];
  #info: HandshakeInfo;
  #payload: Uint8Array;

  /** `withheld`: capabilities that are not offered on these connections. */
  constructor(env: LocalInfoEnv, withheld: ReadonlySet<string> = new Set()) {
    this.#env = env;
    this.#withheld = withheld;
    this.#info = this.#infoNow();
    this.#payload = payloadOf(this.#info);
  }

  /** Where the listener is bound, with the real ports. */
  bound(endpoints: readonly Endpoint[]): void {
    this.#bound = endpoints;
    this.#make();
  }

  get info(): HandshakeInfo {
    this.#refresh();
    return this.#info;
  }

  /** The encoded Handshake, the same bytes for every peer until the head moves. */
  get payload(): Uint8Array {
    this.#refresh();
    return this.#payload;
  }

  #refresh(): void {
    if (this.#info.head.hash === this.#env.blocks.head().hash) return;
    this.#make();
  }

  #make(): void {
    this.#info = this.#infoNow();
    this.#payload = payloadOf(this.#info);
  }

  #infoNow(): HandshakeInfo {
    const info = infoOf(this.#env, this.#bound);
    const capabilities = info.capabilities.filter((name) => !this.#withheld.has(name));
    return { ...info, capabilities };
  }
}

function payloadOf(info: HandshakeInfo): Uint8Array {
  return encodeMessage({ kind: "Handshake", ...info });
}

/** What the operator says, else where this node is bound and others can dial it. */
function advertised(configured: readonly string[], bound: readonly Endpoint[]): readonly string[] {
  const endpoints = configured.length > 0 ? configured.map(parseAddress) : widest(bound);
  const told = endpoints.filter(isDialableByOthers).map(formatAddress);
  return told.filter((text) => text.length <= TEXT_LIMITS.addressBytesMax);
}

/** Whoever came from elsewhere would find another node there, or none, where ours has loopback. */
function widest(bound: readonly Endpoint[]): readonly Endpoint[] {
  const wide = bound.filter(({ host }) => !isLoopback(host));
  return wide.length > 0 ? wide : bound;
}

function infoOf(
  { agent, blocks, config, protocols = [] }: LocalInfoEnv,
  bound: readonly Endpoint[],
): HandshakeInfo {
  const head = blocks.head();
  return {
    protocolVersion: PROTOCOL_VERSION,
    networkId: blocks.hashAt(0) ?? head.hash,
    agent,
    nodeId: config.nodeId,
    listenAddresses: advertised(config.advertise, bound),
    head: {
      height: BigInt(head.height),
      hash: head.hash,
      totalDifficulty: head.totalDifficulty,
    },
    capabilities: [
      ...CAPABILITIES.filter((name) => isOffered(name, config)),
      ...protocols.map(({ name }) => name),
    ],
    quotas: quotas(config),
  };
}

function isOffered(capability: string, { exchange, gossip }: NetworkConfig): boolean {
  if (capability === PEERS_CAPABILITY) return exchange.enabled;
  return capability !== RELAY_CAPABILITY || gossip.relayTrees;
}

/** What every node offers that is not told otherwise. */
export const CAPABILITIES: readonly string[] = [
  ...new Set(Object.values(KINDS).flatMap(({ capability }) => capability ?? [])),
  TIME_CAPABILITY,
];

/** The rates at which requests of each kind are served, per peer. */
function quotas(config: NetworkConfig): readonly ServeQuota[] {
  return MESSAGE_KINDS.flatMap((kind) => {
    const rule = ruleOf(kind);
    const rate = rule.role === "request" ? quotaOf(rule, config) : undefined;
    if (rate === undefined) return [];
    const { itemsPerSecond, burstItems } = rate;
    return [{ kind: rule.code, itemsPerSecond, burstItems }];
  });
}
