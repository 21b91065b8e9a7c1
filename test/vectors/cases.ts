// The messages of the golden vectors: several of every kind, the first of each being the worked
// example of docs/protocol.md.

import type { Message, MessageKind, MessageOf } from "../../src/protocol/index.js";

export interface MessageCase<M extends Message = Message> {
  readonly name: string;
  readonly requestId?: number;
  readonly message: M;
}

/** Bytes that count up from `first`. */
function counting(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i) & 255);
}

function hash(first: number): string {
  return Buffer.from(counting(32, first)).toString("hex");
}

const UINT64_MAX = 2n ** 64n - 1n;

const HANDSHAKE: MessageOf<"Handshake"> = {
  kind: "Handshake",
  protocolVersion: 1,
  networkId: hash(0x10),
  agent: "vibecoin-network/0.1.0",
  nodeId: "alice",
  listenAddresses: ["tcp://192.0.2.1:8765"],
  head: { height: 2_000n, hash: hash(0x40), totalDifficulty: 4_098_048n },
  capabilities: ["blocks/1", "sync/1", "transactions/1"],
  quotas: [{ kind: 0x24, itemsPerSecond: 4_096, burstItems: 16_384 }],
};

export const MESSAGE_CASES: { readonly [K in MessageKind]: readonly MessageCase<MessageOf<K>>[] } =
  {
    Handshake: [
      { name: "a usual node", message: HANDSHAKE },
      {
        name: "nothing to tell",
        message: {
          ...HANDSHAKE,
          agent: "",
          nodeId: "",
          listenAddresses: [],
          head: { height: 0n, hash: hash(0), totalDifficulty: 1n },
          capabilities: [],
          quotas: [],
        },
      },
      {
        name: "the widest numbers and text beyond ASCII",
        message: {
          ...HANDSHAKE,
          protocolVersion: 65_535,
          nodeId: "Jürgen 北京 🛰",
          head: { height: UINT64_MAX, hash: hash(0xe0), totalDifficulty: 2n ** 53n },
          quotas: [{ kind: 255, itemsPerSecond: 2 ** 32 - 1, burstItems: 65_536 }],
        },
      },
    ],
    Disconnect: [
      {
        name: "a protocol violation",
        message: { kind: "Disconnect", reason: "ProtocolViolation", detail: "unknown-kind" },
      },
      { name: "shutdown", message: { kind: "Disconnect", reason: "Shutdown", detail: "" } },
      {
        name: "the longest detail",
        message: { kind: "Disconnect", reason: "InternalError", detail: "é".repeat(128) },
      },
    ],
    Ping: [
      { name: "a nonce above 2^53", message: { kind: "Ping", nonce: 0x0123456789abcdefn } },
      { name: "zero", message: { kind: "Ping", nonce: 0n } },
      { name: "the last in the first byte", message: { kind: "Ping", nonce: 23n } },
      { name: "the first of one byte", message: { kind: "Ping", nonce: 24n } },
      { name: "the first of two bytes", message: { kind: "Ping", nonce: 256n } },
      { name: "the first of four bytes", message: { kind: "Ping", nonce: 65_536n } },
      { name: "the last of four bytes", message: { kind: "Ping", nonce: 2n ** 32n - 1n } },
      { name: "the first of eight bytes", message: { kind: "Ping", nonce: 2n ** 32n } },
      { name: "the largest", message: { kind: "Ping", nonce: UINT64_MAX } },
    ],
    Pong: [
      { name: "the same nonce", message: { kind: "Pong", nonce: 0x0123456789abcdefn } },
      { name: "zero", message: { kind: "Pong", nonce: 0n } },
    ],
    WindowUpdate: [
      { name: "half a window", message: { kind: "WindowUpdate", lane: "sync", bytes: 131_072 } },
      { name: "the smallest", message: { kind: "WindowUpdate", lane: "block", bytes: 1 } },
      {
        name: "the largest",
        message: { kind: "WindowUpdate", lane: "transaction", bytes: 4_194_304 },
      },
    ],
    RequestRefused: [
      { name: "rate", requestId: 7, message: { kind: "RequestRefused", reason: "RateLimited" } },
      { name: "absent", requestId: 1, message: { kind: "RequestRefused", reason: "NotFound" } },
    ],
    Limits: [
      {
        name: "announcements and ranges of blocks",
        message: {
          kind: "Limits",
          quotas: [
            {
              kind: 0x31,
              itemsPerSecond: 8_192,
              burstItems: 65_536,
              bytesPerSecond: 524_288,
              burstBytes: 4_194_304,
            },
            {
              kind: 0x24,
              itemsPerSecond: 4_096,
              burstItems: 16_384,
              bytesPerSecond: 33_554_432,
              burstBytes: 268_435_456,
            },
          ],
        },
      },
      { name: "nothing to tell", message: { kind: "Limits", quotas: [] } },
      {
        name: "the most and the least",
        message: {
          kind: "Limits",
          quotas: Array.from({ length: 24 }, (_, kind) => {
            const value = kind === 0 ? 0 : 2 ** 32 - 1;
            return {
              kind,
              itemsPerSecond: value,
              burstItems: value,
              bytesPerSecond: value,
              burstBytes: value,
            };
          }),
        },
      },
    ],
    NewBlock: [
      { name: "24 bytes of block", message: { kind: "NewBlock", block: counting(24) } },
      { name: "one byte", message: { kind: "NewBlock", block: counting(1) } },
      { name: "a length of two bytes", message: { kind: "NewBlock", block: counting(256) } },
    ],
    AnnounceBlock: [
      {
        name: "a usual head",
        message: {
          kind: "AnnounceBlock",
          height: 2_001n,
          hash: hash(0x60),
          totalDifficulty: 2n ** 40n,
        },
      },
      {
        name: "a height that no honest chain has",
        message: {
          kind: "AnnounceBlock",
          height: UINT64_MAX,
          hash: hash(0),
          totalDifficulty: UINT64_MAX,
        },
      },
    ],
    CompactBlock: [
      {
        name: "three short ids, and one transaction",
        message: {
          kind: "CompactBlock",
          header: counting(24),
          nonce: 0x0123456789abcdefn,
          shortIds: counting(18, 64),
          prefilled: [{ index: 1, transaction: counting(12, 128) }],
        },
      },
      {
        name: "no transactions",
        message: {
          kind: "CompactBlock",
          header: counting(1),
          nonce: 0n,
          shortIds: new Uint8Array(),
          prefilled: [],
        },
      },
      {
        name: "prefilled alone",
        message: {
          kind: "CompactBlock",
          header: counting(4_096),
          nonce: UINT64_MAX,
          shortIds: new Uint8Array(),
          prefilled: [0, 1].map((index) => ({ index, transaction: counting(1, index) })),
        },
      },
    ],
    GetBlockTransactions: [
      {
        name: "two of them",
        requestId: 3,
        message: { kind: "GetBlockTransactions", hash: hash(0x60), indexes: [2, 300] },
      },
      {
        name: "the last one that there may be",
        requestId: 4,
        message: { kind: "GetBlockTransactions", hash: hash(0), indexes: [65_535] },
      },
    ],
    BlockTransactions: [
      {
        name: "two transactions",
        requestId: 3,
        message: { kind: "BlockTransactions", transactions: [counting(4), counting(30, 7)] },
      },
    ],
    RequestBlock: [
      { name: "by hash", requestId: 1, message: { kind: "RequestBlock", hash: hash(0x60) } },
      {
        name: "the largest request id",
        requestId: 2 ** 32 - 1,
        message: { kind: "RequestBlock", hash: hash(0xff) },
      },
    ],
    ResponseBlock: [
      {
        name: "24 bytes of block",
        requestId: 1,
        message: { kind: "ResponseBlock", block: counting(24) },
      },
      { name: "one byte", requestId: 2, message: { kind: "ResponseBlock", block: counting(1) } },
    ],
    RequestHeaders: [
      {
        name: "two locator hashes",
        requestId: 2,
        message: { kind: "RequestHeaders", locator: [hash(0x40), hash(0)], countMax: 2_000 },
      },
      {
        name: "one header after genesis",
        requestId: 3,
        message: { kind: "RequestHeaders", locator: [hash(0)], countMax: 1 },
      },
    ],
    ResponseHeaders: [
      {
        name: "two headers",
        requestId: 2,
        message: { kind: "ResponseHeaders", headers: [counting(5), counting(6, 16)] },
      },
      { name: "none", requestId: 3, message: { kind: "ResponseHeaders", headers: [] } },
    ],
    RequestBlockRange: [
      {
        name: "128 blocks",
        requestId: 4,
        message: { kind: "RequestBlockRange", fromHeight: 1_001, count: 128, lastHash: hash(0x80) },
      },
      {
        name: "the highest start",
        requestId: 5,
        message: {
          kind: "RequestBlockRange",
          fromHeight: 2 ** 53 - 1,
          count: 1,
          lastHash: hash(0x81),
        },
      },
    ],
    ResponseBlockRange: [
      {
        name: "two blocks",
        requestId: 4,
        message: { kind: "ResponseBlockRange", blocks: [counting(3), counting(24, 32)] },
      },
      {
        name: "one block",
        requestId: 5,
        message: { kind: "ResponseBlockRange", blocks: [counting(300)] },
      },
    ],
    NewTransaction: [
      {
        name: "32 bytes of transaction",
        message: { kind: "NewTransaction", transaction: counting(32, 64) },
      },
      { name: "one byte", message: { kind: "NewTransaction", transaction: counting(1) } },
    ],
    AnnounceTransactions: [
      { name: "two ids", message: { kind: "AnnounceTransactions", ids: [hash(1), hash(2)] } },
      {
        name: "24 ids",
        message: {
          kind: "AnnounceTransactions",
          ids: Array.from({ length: 24 }, (_, i) => hash(i)),
        },
      },
    ],
    RequestTransactions: [
      {
        name: "two ids",
        requestId: 6,
        message: { kind: "RequestTransactions", ids: [hash(1), hash(2)] },
      },
    ],
    ResponseTransactions: [
      {
        name: "two transactions",
        requestId: 6,
        message: { kind: "ResponseTransactions", transactions: [counting(4), counting(30, 7)] },
      },
      {
        name: "none of them",
        requestId: 7,
        message: { kind: "ResponseTransactions", transactions: [] },
      },
    ],
    FeeFloor: [
      { name: "one thousand", message: { kind: "FeeFloor", gasPrice: 1_000n } },
      { name: "none", message: { kind: "FeeFloor", gasPrice: 0n } },
      { name: "the highest", message: { kind: "FeeFloor", gasPrice: UINT64_MAX } },
    ],
    RelayKey: [
      { name: "bytes that count up", message: { kind: "RelayKey", key: counting(16) } },
      { name: "zeros", message: { kind: "RelayKey", key: new Uint8Array(16) } },
    ],
    AnnounceShortIds: [
      {
        name: "two ids",
        message: { kind: "AnnounceShortIds", ids: ["0001020304050607", "ff01020304050607"] },
      },
      {
        name: "the most",
        message: {
          kind: "AnnounceShortIds",
          ids: Array.from({ length: 1_024 }, (_, i) => i.toString(16).padStart(16, "0")),
        },
      },
    ],
    RequestShortIds: [
      {
        name: "one id",
        requestId: 9,
        message: { kind: "RequestShortIds", ids: ["0001020304050607"] },
      },
    ],
    ResponseShortIds: [
      {
        name: "one transaction",
        requestId: 9,
        message: { kind: "ResponseShortIds", transactions: [counting(32)] },
      },
    ],
    Prune: [
      { name: "transactions", message: { kind: "Prune", what: "transaction" } },
      { name: "blocks", message: { kind: "Prune", what: "block" } },
    ],
    Graft: [
      { name: "blocks", message: { kind: "Graft", what: "block" } },
      { name: "transactions", message: { kind: "Graft", what: "transaction" } },
    ],
    GetPeers: [
      { name: "as many as there may be", requestId: 8, message: { kind: "GetPeers", countMax: 256 } },
      { name: "one", requestId: 9, message: { kind: "GetPeers", countMax: 1 } },
    ],
    Peers: [
      {
        name: "two places",
        requestId: 8,
        message: {
          kind: "Peers",
          endpoints: [
            { scheme: "tcp", host: "192.0.2.1", port: 8_765 },
            { scheme: "tcp", host: "2001:db8::1", port: 8_765 },
          ],
        },
      },
      { name: "none", requestId: 9, message: { kind: "Peers", endpoints: [] } },
      {
        name: "the longest scheme and the ends of the numbers",
        requestId: 10,
        message: {
          kind: "Peers",
          endpoints: [
            { scheme: "abcdefghijklmno+", host: "255.255.255.255", port: 65_535 },
            { scheme: "a", host: "0.0.0.0", port: 1 },
          ],
        },
      },
    ],
  };

export interface RefusedPayloadCase {
  readonly name: string;
  readonly kind: MessageKind;
  readonly payload: string;
}

/** Broken in one way each; the generator adds truncation, trailing bytes and more to each kind. */
export const REFUSED_PAYLOADS: readonly RefusedPayloadCase[] = [
  { name: "a longer form than needed", kind: "Ping", payload: "811817" },
  { name: "eight bytes for a small number", kind: "Ping", payload: "811b0000000000000007" },
  { name: "a negative number", kind: "Ping", payload: "8120" },
  { name: "a float", kind: "Ping", payload: "81fb3ff0000000000000" },
  { name: "a half float", kind: "Ping", payload: "81f93c00" },
  { name: "null", kind: "Ping", payload: "81f6" },
  { name: "undefined", kind: "Ping", payload: "81f7" },
  { name: "true", kind: "Ping", payload: "81f5" },
  { name: "a map", kind: "Ping", payload: "81a0" },
  { name: "a bignum tag", kind: "Ping", payload: "81c24101" },
  { name: "an indefinite array", kind: "Ping", payload: "9f05ff" },
  { name: "an indefinite byte string", kind: "NewBlock", payload: "815f4101ff" },
  { name: "a reserved length", kind: "NewBlock", payload: "815c" },
  { name: "text for bytes", kind: "NewBlock", payload: "816161" },
  { name: "text that is not UTF-8", kind: "Disconnect", payload: "820061ff" },
  { name: "a control character", kind: "Disconnect", payload: "8200611b" },
  { name: "an unknown reason", kind: "Disconnect", payload: "820a60" },
  { name: "a missing member", kind: "Disconnect", payload: "8100" },
  { name: "a window for the control lane", kind: "WindowUpdate", payload: "820001" },
  { name: "a fifth lane", kind: "WindowUpdate", payload: "820401" },
  { name: "an update of nothing", kind: "WindowUpdate", payload: "820100" },
  { name: "an update over 4 MiB", kind: "WindowUpdate", payload: "82011a00400001" },
  { name: "an unknown refusal", kind: "RequestRefused", payload: "8103" },
  { name: "an empty block", kind: "NewBlock", payload: "8140" },
  { name: "no header", kind: "CompactBlock", payload: "8440004080" },
  { name: "a part of a short id", kind: "CompactBlock", payload: "844101004500000000" + "0080" },
  {
    name: "a prefilled transaction beyond the end",
    kind: "CompactBlock",
    payload: "8441010040" + "818201" + "4101",
  },
  {
    name: "a prefilled place twice",
    kind: "CompactBlock",
    payload: "8441010040" + "8282004101" + "82004102",
  },
  {
    name: "descending indexes",
    kind: "GetBlockTransactions",
    payload: `825820${"00".repeat(32)}820201`,
  },
  { name: "no indexes", kind: "GetBlockTransactions", payload: `825820${"00".repeat(32)}80` },
  {
    name: "an index of 65,536",
    kind: "GetBlockTransactions",
    payload: `825820${"00".repeat(32)}811a00010000`,
  },
  { name: "no transactions of a block", kind: "BlockTransactions", payload: "8180" },
  { name: "a hash of 31 bytes", kind: "RequestBlock", payload: `81581f${"00".repeat(31)}` },
  { name: "a hash of 33 bytes", kind: "RequestBlock", payload: `815821${"00".repeat(33)}` },
  { name: "no locator", kind: "RequestHeaders", payload: "828001" },
  {
    name: "no headers wanted",
    kind: "RequestHeaders",
    payload: `82815820${"00".repeat(32)}00`,
  },
  {
    name: "2,001 headers wanted",
    kind: "RequestHeaders",
    payload: `82815820${"00".repeat(32)}1907d1`,
  },
  {
    name: "a range from 2^53",
    kind: "RequestBlockRange",
    payload: `831b0020000000000000015820${"00".repeat(32)}`,
  },
  {
    name: "a range of nothing",
    kind: "RequestBlockRange",
    payload: `8301005820${"00".repeat(32)}`,
  },
  {
    name: "a range of 1,025",
    kind: "RequestBlockRange",
    payload: `83011904015820${"00".repeat(32)}`,
  },
  { name: "an empty range", kind: "ResponseBlockRange", payload: "8180" },
  { name: "an empty block in a range", kind: "ResponseBlockRange", payload: "81824101" + "40" },
  { name: "no ids", kind: "AnnounceTransactions", payload: "8180" },
  { name: "a count that does not fit", kind: "AnnounceTransactions", payload: "819affffffff" },
  { name: "a key of 15 bytes", kind: "RelayKey", payload: `814f${"00".repeat(15)}` },
  { name: "no short ids", kind: "AnnounceShortIds", payload: "8180" },
  { name: "a short id of 7 bytes", kind: "AnnounceShortIds", payload: "818147" + "00".repeat(7) },
  { name: "a whole id", kind: "RequestShortIds", payload: "81815820" + "00".repeat(32) },
  { name: "of neither", kind: "Prune", payload: "8102" },
  { name: "of both", kind: "Graft", payload: "820001" },
  { name: "no places wanted", kind: "GetPeers", payload: "8100" },
  { name: "257 places wanted", kind: "GetPeers", payload: "81190101" },
  { name: "port 0", kind: "Peers", payload: endpointPayload("44c0000201", "00") },
  { name: "port 65,536", kind: "Peers", payload: endpointPayload("44c0000201", "1a00010000") },
  { name: "a host of 5 bytes", kind: "Peers", payload: endpointPayload("45c000020100", "01") },
  { name: "a name for a host", kind: "Peers", payload: endpointPayload("64686f7374", "01") },
  {
    name: "an IPv4 address in 16 bytes",
    kind: "Peers",
    payload: endpointPayload(`50${"00".repeat(10)}ffffc0000201`, "01"),
  },
  { name: "an upper-case scheme", kind: "Peers", payload: "81818363544350" + "44c0000201" + "01" },
  { name: "an empty scheme", kind: "Peers", payload: "81818360" + "44c0000201" + "01" },
  { name: "a fourth member", kind: "Peers", payload: "81818463746370" + "44c0000201" + "01" + "01" },
  {
    name: "257 places",
    kind: "Peers",
    payload: `81990101${"8363746370" .concat("44c0000201", "01").repeat(257)}`,
  },
];

/** One place with this host and port, both encoded. */
function endpointPayload(host: string, port: string): string {
  return `81818363746370${host}${port}`;
}

/** Frames that break a rule of the frame layer; all kinds are allowed unless `allowed` is set. */
export interface RefusedFrameCase {
  readonly name: string;
  readonly rule: string;
  readonly allowed?: readonly MessageKind[];
  readonly bytes: string;
}

export const REFUSED_FRAMES: readonly RefusedFrameCase[] = [
  { name: "kind code 0", rule: "unknown-kind", bytes: "00000002" + "00" + "00" + "00000000" },
  { name: "kind code 255", rule: "unknown-kind", bytes: "00000002" + "ff" + "00" + "00000000" },
  {
    name: "a ping before the handshake",
    rule: "kind-not-allowed",
    allowed: ["Handshake", "Disconnect"],
    bytes: "00000002" + "03" + "00" + "00000000",
  },
  {
    name: "a transaction without its capability",
    rule: "kind-not-allowed",
    allowed: ["Disconnect", "Ping", "Pong", "WindowUpdate", "RequestRefused"],
    bytes: "00000002" + "30" + "03" + "00000000",
  },
  { name: "a reserved bit", rule: "flags", bytes: "00000002" + "03" + "10" + "00000000" },
  { name: "a ping on lane 1", rule: "wrong-lane", bytes: "00000002" + "03" + "01" + "00000000" },
  { name: "a block on lane 0", rule: "wrong-lane", bytes: "00000002" + "10" + "00" + "00000000" },
  { name: "a ping as a response", rule: "flags", bytes: "00000002" + "03" + "08" + "00000000" },
  {
    name: "a response without the flag",
    rule: "flags",
    bytes: "00000002" + "21" + "01" + "00000001",
  },
  { name: "a fragmented ping", rule: "flags", bytes: "00000002" + "03" + "04" + "00000000" },
  { name: "an empty frame", rule: "fragment-length", bytes: "00000000" + "10" + "01" + "00000000" },
  { name: "65,537 bytes", rule: "fragment-length", bytes: "00010001" + "10" + "01" + "00000000" },
  {
    name: "17 bytes of ping",
    rule: "message-length",
    bytes: "00000011" + "03" + "00" + "00000000",
  },
  { name: "4 GiB", rule: "message-length", bytes: "ffffffff" + "10" + "01" + "00000000" },
  { name: "a ping with an id", rule: "request-id", bytes: "00000002" + "03" + "00" + "00000001" },
  {
    name: "a request without one",
    rule: "request-id",
    bytes: "00000023" + "20" + "01" + "00000000",
  },
  {
    name: "a response within another",
    rule: "fragment-order",
    bytes: "00000001" + "21" + "0d" + "00000001" + "81" + "00000001" + "21" + "09" + "00000002",
  },
];
