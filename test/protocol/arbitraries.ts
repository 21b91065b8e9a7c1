// Random messages of every kind, within all limits, for property tests.

import fc from "fast-check";
import {
  DISCONNECT_REASONS,
  KINDS,
  LANES,
  MESSAGE_KINDS,
  REFUSAL_REASONS,
} from "../../src/protocol/index.js";
import { hostOfBytes } from "../../src/protocol/address.js";
import type { Message, MessageKind, MessageOf } from "../../src/protocol/index.js";

type Arbitraries = { readonly [K in MessageKind]: fc.Arbitrary<MessageOf<K>> };

const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
const shortId = fc
  .uint8Array({ minLength: 8, maxLength: 8 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
const relayed = fc.constantFrom("block", "transaction");
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const uint = (min: number, max: number) => fc.integer({ min, max });
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.uint8Array({ minLength: 1, maxLength: 400 }),
);
const some = <T>(item: fc.Arbitrary<T>, minLength: number, maxLength: number) =>
  fc.array(item, { minLength, maxLength });
/** Printable text of at most `unitsMax` characters of up to four bytes each. */
const text = (unitsMax: number) =>
  fc
    .string({ unit: "grapheme", maxLength: unitsMax })
    .filter((value) => Buffer.byteLength(value) <= unitsMax * 4 && !/\p{Cc}/u.test(value));
/** In its one form; what is IPv4 has another. */
const ipV6 = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => hostOfBytes(bytes))
  .filter((host) => host !== undefined);
const head = fc.record({ height: uint64, hash, totalDifficulty: uint64 });

export const ARBITRARIES: Arbitraries = {
  Handshake: fc.record({
    kind: fc.constant("Handshake"),
    protocolVersion: uint(0, 65_535),
    networkId: hash,
    agent: text(16),
    nodeId: text(16),
    listenAddresses: some(text(16), 0, 8),
    head,
    capabilities: some(text(8), 0, 8),
    quotas: some(
      fc.record({
        kind: uint(0, 255),
        itemsPerSecond: uint(0, 1_000_000),
        burstItems: fc.nat(),
      }),
      0,
      16,
    ),
  }),
  Disconnect: fc.record({
    kind: fc.constant("Disconnect"),
    reason: fc.constantFrom(...DISCONNECT_REASONS),
    detail: text(64),
  }),
  Ping: fc.record({ kind: fc.constant("Ping"), nonce: uint64 }),
  Pong: fc.record({ kind: fc.constant("Pong"), nonce: uint64 }),
  WindowUpdate: fc.record({
    kind: fc.constant("WindowUpdate"),
    lane: fc.constantFrom(...LANES.slice(1)),
    bytes: uint(1, 4 * 1024 * 1024),
  }),
  RequestRefused: fc.record({
    kind: fc.constant("RequestRefused"),
    reason: fc.constantFrom(...REFUSAL_REASONS),
  }),
  Limits: fc.record({
    kind: fc.constant("Limits"),
    quotas: some(
      fc.record({
        kind: uint(0, 255),
        itemsPerSecond: uint(0, 2 ** 32 - 1),
        burstItems: uint(0, 2 ** 32 - 1),
        bytesPerSecond: uint(0, 2 ** 32 - 1),
        burstBytes: uint(0, 2 ** 32 - 1),
      }),
      0,
      24,
    ),
  }),
  NewBlock: fc.record({ kind: fc.constant("NewBlock"), block: bytes }),
  AnnounceBlock: head.map((value) => ({ kind: "AnnounceBlock" as const, ...value })),
  CompactBlock: fc
    .record({ ids: uint(0, 40), header: bytes, nonce: uint64, prefilled: some(bytes, 0, 8) })
    .map(({ ids, header, nonce, prefilled }) => ({
      kind: "CompactBlock" as const,
      header,
      nonce,
      shortIds: new Uint8Array(6 * ids).fill(ids),
      prefilled: prefilled.map((transaction, index) => ({ index, transaction })),
    })),
  GetBlockTransactions: fc.record({
    kind: fc.constant("GetBlockTransactions"),
    hash,
    indexes: fc
      .uniqueArray(uint(0, 65_535), { minLength: 1, maxLength: 40 })
      .map((indexes) => indexes.sort((left, right) => left - right)),
  }),
  BlockTransactions: fc.record({
    kind: fc.constant("BlockTransactions"),
    transactions: some(bytes, 1, 40),
  }),
  RequestBlock: fc.record({ kind: fc.constant("RequestBlock"), hash }),
  ResponseBlock: fc.record({ kind: fc.constant("ResponseBlock"), block: bytes }),
  RequestHeaders: fc.record({
    kind: fc.constant("RequestHeaders"),
    locator: some(hash, 1, 32),
    countMax: uint(1, 2_000),
  }),
  ResponseHeaders: fc.record({ kind: fc.constant("ResponseHeaders"), headers: some(bytes, 0, 40) }),
  RequestBlockRange: fc.record({
    kind: fc.constant("RequestBlockRange"),
    fromHeight: fc.maxSafeNat(),
    count: uint(1, 1_024),
    lastHash: hash,
  }),
  ResponseBlockRange: fc.record({
    kind: fc.constant("ResponseBlockRange"),
    blocks: some(bytes, 1, 40),
  }),
  NewTransaction: fc.record({ kind: fc.constant("NewTransaction"), transaction: bytes }),
  AnnounceTransactions: fc.record({
    kind: fc.constant("AnnounceTransactions"),
    ids: some(hash, 1, 40),
  }),
  RequestTransactions: fc.record({
    kind: fc.constant("RequestTransactions"),
    ids: some(hash, 1, 40),
  }),
  ResponseTransactions: fc.record({
    kind: fc.constant("ResponseTransactions"),
    transactions: some(bytes, 0, 40),
  }),
  FeeFloor: fc.record({ kind: fc.constant("FeeFloor" as const), gasPrice: uint64 }),
  RelayKey: fc.record({
    kind: fc.constant("RelayKey"),
    key: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  }),
  AnnounceShortIds: fc.record({
    kind: fc.constant("AnnounceShortIds"),
    ids: some(shortId, 1, 40),
  }),
  RequestShortIds: fc.record({ kind: fc.constant("RequestShortIds"), ids: some(shortId, 1, 40) }),
  ResponseShortIds: fc.record({
    kind: fc.constant("ResponseShortIds"),
    transactions: some(bytes, 0, 40),
  }),
  Prune: fc.record({ kind: fc.constant("Prune"), what: relayed }),
  Graft: fc.record({ kind: fc.constant("Graft"), what: relayed }),
  GetPeers: fc.record({ kind: fc.constant("GetPeers"), countMax: uint(1, 256) }),
  Peers: fc.record({
    kind: fc.constant("Peers"),
    endpoints: some(
      fc.record({
        scheme: fc.stringMatching(/^[a-z][a-z0-9+.-]{0,15}$/),
        host: fc.oneof(fc.ipV4(), ipV6),
        port: uint(1, 65_535),
      }),
      0,
      256,
    ),
  }),
};

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  ...MESSAGE_KINDS.map((kind): fc.Arbitrary<Message> => ARBITRARIES[kind]),
);

/** A legal request id for this kind. */
export function requestIdFor(kind: MessageKind, id: number): number {
  return KINDS[kind].role === "oneWay" ? 0 : Math.max(1, id);
}
