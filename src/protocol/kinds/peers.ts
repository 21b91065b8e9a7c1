// `peers/1`: where other nodes can be dialed. Hosts are IP addresses, never names: whoever takes a
// name must ask a third party for its meaning, and cannot tell which network it counts for.

import { hostBytes, hostOfBytes, SCHEME_CHARS_MAX, SCHEME_NAME } from "../address.js";
import { fields, list, text, tuple, uint, UINT16_MAX, type Field } from "./fields.js";
import type { KindsOf } from "./kind.js";
import { ITEM_LIMITS } from "./limits.js";

/** Where a node can be dialed: without a pinned identity, so one place has one form. */
export interface PeerEndpoint {
  readonly scheme: string;
  /** An IPv4 address, or a canonical IPv6 address without brackets and scope. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
}

export type PeersMessage = { readonly kind: "GetPeers"; readonly countMax: number } | PeersAnswer;

/** Some of the places that the server knows, in no order. */
export interface PeersAnswer {
  readonly kind: "Peers";
  readonly endpoints: readonly PeerEndpoint[];
}

export const PEERS_CAPABILITY = "peers/1";
const PEERS = { capability: PEERS_CAPABILITY, lane: "transaction", decode: "inline" } as const;

const schemeText = text(SCHEME_CHARS_MAX);
const scheme: Field<string> = {
  write: (value) => value,
  read: (value) => {
    const read = schemeText.read(value);
    return read !== undefined && SCHEME_NAME.test(read) ? read : undefined;
  },
};

const host: Field<string> = {
  // What is no IP address has no form here: reading its absence fails.
  write: (value) => hostBytes(value) ?? new Uint8Array(),
  read: (value) => (value instanceof Uint8Array ? hostOfBytes(value) : undefined),
};

const ENDPOINT = tuple<PeerEndpoint>({ scheme, host, port: uint(1, UINT16_MAX) });
const { peersMax } = ITEM_LIMITS;
/** The message, its list, and of each endpoint itself and three members. */
const LIMITS = { depthMax: 3, itemsMax: 2 + 4 * peersMax };

export const PEERS_KINDS: KindsOf<PeersMessage> = {
  GetPeers: {
    ...PEERS,
    code: 0x40,
    role: "request",
    answeredBy: "Peers",
    quota: "addresses",
    counts: "countMax",
    payloadBytesMax: 16,
    body: fields("GetPeers", { countMax: uint(1, peersMax) }),
  },
  Peers: {
    ...PEERS,
    code: 0x41,
    role: "response",
    counts: "endpoints",
    payloadBytesMax: 10 * 1024,
    body: fields("Peers", { endpoints: list(ENDPOINT, { max: peersMax }) }, LIMITS),
  },
};
