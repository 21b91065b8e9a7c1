// Every message of the wire, its code, lane, size limit and capability: one table that the codec,
// the peer handler, the router and docs/protocol.md share. Hashes are hex here, bytes on the wire.

import type { HashHex } from "../../chain/types.js";
import type { HandshakeInfo, ChainHead } from "./node-info.js";

export const LANES = ["control", "block", "sync", "transaction"] as const;
/** Streams within a connection, by falling priority. Every lane but control has a credit window. */
export type Lane = (typeof LANES)[number];

/** The lane's number in frame flags and window updates. */
export function laneIndex(lane: Lane): number {
  return LANES.indexOf(lane);
}

export const DISCONNECT_REASONS = [
  "Shutdown",
  "ProtocolViolation",
  "IncompatibleVersion",
  "WrongNetwork",
  "TooManyConnections",
  "DuplicateConnection",
  "SelfConnection",
  "Timeout",
  "Banned",
  "InternalError",
] as const;
export type DisconnectReason = (typeof DISCONNECT_REASONS)[number];

export const REFUSAL_REASONS = ["NotFound", "Busy", "RateLimited"] as const;
/** Why a request is answered without what it asked for. None of them is a breach. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export type Message =
  | ({ readonly kind: "Handshake" } & HandshakeInfo)
  /** The last frame of its sender; `detail` is for the other side's log. */
  | { readonly kind: "Disconnect"; readonly reason: DisconnectReason; readonly detail: string }
  | { readonly kind: "Ping"; readonly nonce: bigint }
  | { readonly kind: "Pong"; readonly nonce: bigint }
  /** Adds `bytes` to what the receiver of this message may send on `lane`. */
  | { readonly kind: "WindowUpdate"; readonly lane: Lane; readonly bytes: number }
  | { readonly kind: "RequestRefused"; readonly reason: RefusalReason }
  /** A whole block, pushed: it is the sender's new head. */
  | { readonly kind: "NewBlock"; readonly block: Uint8Array }
  /** The sender's new head, by hash. */
  | ({ readonly kind: "AnnounceBlock" } & ChainHead)
  | { readonly kind: "RequestBlock"; readonly hash: HashHex }
  | { readonly kind: "ResponseBlock"; readonly block: Uint8Array }
  /** Canonical headers after the first locator hash that the server knows as canonical. */
  | {
      readonly kind: "RequestHeaders";
      readonly locator: readonly HashHex[];
      readonly countMax: number;
    }
  | { readonly kind: "ResponseHeaders"; readonly headers: readonly Uint8Array[] }
  /** Blocks [fromHeight, fromHeight + count) of the chain in which the last one has `lastHash`. */
  | {
      readonly kind: "RequestBlockRange";
      readonly fromHeight: number;
      readonly count: number;
      readonly lastHash: HashHex;
    }
  /** A non-empty prefix of the range that was asked for. */
  | { readonly kind: "ResponseBlockRange"; readonly blocks: readonly Uint8Array[] }
  | { readonly kind: "NewTransaction"; readonly transaction: Uint8Array }
  | { readonly kind: "AnnounceTransactions"; readonly ids: readonly HashHex[] }
  | { readonly kind: "RequestTransactions"; readonly ids: readonly HashHex[] }
  /** Those of the requested transactions that the server has, in the order asked. */
  | { readonly kind: "ResponseTransactions"; readonly transactions: readonly Uint8Array[] };

export type MessageKind = Message["kind"];
export type MessageOf<K extends MessageKind> = Extract<Message, { kind: K }>;

const KIB = 1024;
const MIB = 1024 * KIB;

export interface KindRule {
  /** The byte in the frame header. */
  readonly code: number;
  readonly lane: Lane;
  /** The largest payload, summed over fragments; refused before a byte of it is kept. */
  readonly payloadBytesMax: number;
  /** Sent only when both sides negotiated it; absent: part of the base protocol. */
  readonly capability?: string;
  readonly role: "oneWay" | "request" | "response";
  /** The kind that answers this request (RequestRefused may always stand in for it). */
  readonly answeredBy?: MessageKind;
  /**
   * Where a payload over 32 KiB is decoded: `pool` in a worker; `inline` on the loop, for payloads
   * that are small or whose top level is a few byte strings (their inside is the pool's to check).
   */
  readonly decode: "inline" | "pool";
}

export const KINDS: { readonly [K in MessageKind]: KindRule } = {
  Handshake: control(0x01, 2 * KIB),
  Disconnect: control(0x02, 512),
  Ping: control(0x03, 16),
  Pong: control(0x04, 16),
  WindowUpdate: control(0x05, 16),
  RequestRefused: {
    code: 0x06,
    lane: "control",
    payloadBytesMax: 16,
    role: "response",
    decode: "inline",
  },
  NewBlock: oneWay(0x10, "block", 4 * MIB, "blocks/1", "inline"),
  AnnounceBlock: oneWay(0x11, "block", 128, "blocks/1", "inline"),
  RequestBlock: request(0x20, "block", 64, "blocks/1", "ResponseBlock"),
  ResponseBlock: response(0x21, "block", 4 * MIB, "blocks/1", "inline"),
  RequestHeaders: request(0x22, "sync", 2 * KIB, "sync/1", "ResponseHeaders"),
  ResponseHeaders: response(0x23, "sync", 4 * MIB, "sync/1", "pool"),
  RequestBlockRange: request(0x24, "sync", 64, "sync/1", "ResponseBlockRange"),
  ResponseBlockRange: response(0x25, "sync", 4 * MIB, "sync/1", "inline"),
  NewTransaction: oneWay(0x30, "transaction", 128 * KIB, "transactions/1", "inline"),
  AnnounceTransactions: oneWay(0x31, "transaction", 64 * KIB, "transactions/1", "pool"),
  RequestTransactions: request(
    0x32,
    "transaction",
    64 * KIB,
    "transactions/1",
    "ResponseTransactions",
  ),
  ResponseTransactions: response(0x33, "transaction", 4 * MIB, "transactions/1", "pool"),
};

/** Every kind, by ascending code. */
export const MESSAGE_KINDS = (Object.keys(KINDS) as MessageKind[]).sort(
  (left, right) => KINDS[left].code - KINDS[right].code,
) as readonly MessageKind[];

const KIND_BY_CODE = new Map(MESSAGE_KINDS.map((kind) => [KINDS[kind].code, kind]));

export function kindOfCode(code: number): MessageKind | undefined {
  return KIND_BY_CODE.get(code);
}

function control(code: number, payloadBytesMax: number): KindRule {
  return { code, lane: "control", payloadBytesMax, role: "oneWay", decode: "inline" };
}

function oneWay(
  code: number,
  lane: Lane,
  payloadBytesMax: number,
  capability: string,
  decode: KindRule["decode"],
): KindRule {
  return { code, lane, payloadBytesMax, capability, role: "oneWay", decode };
}

function request(
  code: number,
  lane: Lane,
  payloadBytesMax: number,
  capability: string,
  answeredBy: MessageKind,
): KindRule {
  return { code, lane, payloadBytesMax, capability, role: "request", answeredBy, decode: "inline" };
}

function response(
  code: number,
  lane: Lane,
  payloadBytesMax: number,
  capability: string,
  decode: KindRule["decode"],
): KindRule {
  return { code, lane, payloadBytesMax, capability, role: "response", decode };
}

/** The most items a message may hold; the shape check refuses more. */
export const ITEM_LIMITS = {
  locatorHashesMax: 32,
  headersMax: 2_000,
  rangeBlocksMax: 1_024,
  announcedTransactionsMax: 1_024,
  requestedTransactionsMax: 1_024,
} as const;

/** Limits of texts (bytes of UTF-8) and lists in Handshake and Disconnect. */
export const TEXT_LIMITS = {
  agentBytesMax: 64,
  nodeIdBytesMax: 64,
  listenAddressesMax: 8,
  addressBytesMax: 128,
  capabilitiesMax: 32,
  capabilityBytesMax: 32,
  quotasMax: 16,
  disconnectDetailBytesMax: 256,
} as const;

/** The largest credit window of a lane, and so the largest WindowUpdate. */
export const WINDOW_BYTES_MAX = 4 * MIB;
