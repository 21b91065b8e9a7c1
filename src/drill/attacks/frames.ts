// Attacks with frames and messages that no peer may send.

import { KINDS, WINDOW_BYTES_MAX, type MessageKind } from "../../protocol/index.js";
import type { Drill } from "../drill.js";
import type { RecordPeer } from "../wire/record-peer.js";
import { encodeMessage } from "../../protocol/codec/codec.js";
import { fragmentBytes, frameBytes, messageBytes, payloadBytes } from "../wire/frames.js";
import { handshakeInfo } from "../wire/raw-peer.js";
import type { Field } from "../field.js";
import { counter, members, pests, strangers, type Blow } from "./blows.js";

const FRAGMENT = new Uint8Array(65_536);
/** What has begun must go on within 20 s, by default. */
const UNFINISHED_SECONDS = 24;
const UNFINISHED_MS = 30_000;
const HASH = "11".repeat(32);
/** The one field of an empty tuple: of no kind's shape. */
const EMPTY = Uint8Array.of(0x80);
const HANDSHAKE_BYTES_MAX = KINDS.Handshake.payloadBytesMax;

/** CBOR whose reading would take more than its bytes: depth, counts, lengths, tags. */
const BOMBS: readonly Uint8Array[] = [
  new Uint8Array(HANDSHAKE_BYTES_MAX).fill(0x81),
  Buffer.from("9bffffffffffffffff", "hex"),
  Buffer.from("895affffffff", "hex"),
  new Uint8Array(HANDSHAKE_BYTES_MAX).fill(0xc1),
];

const hash32 = Buffer.concat([Buffer.of(0x81, 0x58, 32), Buffer.alloc(32, 0x11)]);
const announceBlock = {
  kind: "AnnounceBlock",
  height: 1n,
  hash: HASH,
  totalDifficulty: 1n,
} as const;

/** What breaks a rule of the wire by itself. */
const BROKEN: readonly Blow[] = [
  (peer, field) => peer.write(handshakeInfo(field.options.networkId)),
  (peer) => peer.writeBytes(frameBytes({ code: 0x7f, flags: 0, payload: FRAGMENT })),
  (peer) => peer.writeBytes(frameBytes({ code: KINDS.Ping.code, flags: 3, payload: EMPTY })),
  (peer) => peer.writeBytes(frameBytes({ code: KINDS.Ping.code, flags: 0x40, payload: EMPTY })),
  (peer) => {
    peer.writeBytes(fragmentBytes("NewBlock", FRAGMENT, { more: true }));
    peer.write(announceBlock);
  },
  (peer) => {
    for (let i = 0; i <= 64; i++) {
      peer.writeBytes(fragmentBytes("NewBlock", FRAGMENT, { more: true }));
    }
  },
  (peer) => peer.write({ kind: "WindowUpdate", lane: "sync", bytes: WINDOW_BYTES_MAX }),
  (peer) => peer.writePayload("AnnounceBlock", Uint8Array.of(0x83, 0x01, 0x02, 0x03)),
  (peer) => peer.writePayload("AnnounceTransactions", new Uint8Array(60_000).fill(0xc1)),
  (peer) => peer.writeBytes(fragmentBytes("RequestBlock", hash32)),
  (peer) => {
    const twice = Buffer.from(fragmentBytes("RequestBlock", hash32, { requestId: 1 }));
    peer.writeBytes(Buffer.concat([twice, twice]));
  },
  (peer) => {
    peer.writeBytes(fragmentBytes("ResponseBlock", FRAGMENT, { requestId: 77, more: true }));
  },
];

const next = counter();

export const FRAMES: readonly Drill[] = [
  {
    name: "frame-length-bomb",
    threat: "a frame announces four gigabytes, so that memory is set aside for them",
    expects: { gone: ["message-length", "fragment-length"] },
    attack: strangers((peer) => {
      peer.writeBytes(frameBytes({ code: KINDS.Handshake.code, flags: 0, length: 2 ** 32 - 1 }));
    }),
  },
  {
    name: "cbor-bombs",
    threat: "CBOR of great depth, count or length, or all tags, that a reader would take apart",
    expects: { gone: ["payload"] },
    attack: strangers((peer) => {
      peer.writeBytes(payloadBytes("Handshake", BOMBS[next() % BOMBS.length]!));
    }),
  },
  {
    name: "early-messages",
    threat: "messages before the handshake",
    expects: { gone: ["kind-not-allowed"] },
    attack: strangers((peer) => peer.write({ kind: "Ping", nonce: 1n })),
  },
  {
    name: "broken-frames",
    threat: "unknown kinds and lanes, a second handshake, wrong order, sizes, credit, ids, shapes",
    expects: {
      gone: [
        ...["kind-not-allowed", "unknown-kind", "wrong-lane", "flags", "fragment-order"],
        ...["message-length", "window-overflow", "payload", "request-id", "credit"],
      ],
    },
    attack: members((peer, field) => BROKEN[next() % BROKEN.length]!(peer, field)),
  },
  {
    name: "mutated-messages",
    threat: "messages with random faults look for one that crashes a part of the node",
    expects: { bounded: "what is wrong ends the peer alone" },
    attack: pests(mutated),
  },
  {
    name: "unfinished-message",
    threat: "a message of which nothing more comes holds memory",
    expects: { gone: ["Timeout"], withinMs: UNFINISHED_MS },
    secondsMin: UNFINISHED_SECONDS,
    attack: members((peer) => {
      peer.writeBytes(fragmentBytes("NewBlock", FRAGMENT, { more: true }));
    }),
  },
  {
    name: "ping-flood",
    threat: "pings without an end: each is to be answered",
    expects: { gone: ["flood"] },
    attack: members((peer) => {
      const ping = Buffer.from(messageBytes({ kind: "Ping", nonce: 1n }));
      peer.writeBytes(Buffer.concat(Array.from({ length: 5_000 }, () => ping)));
    }),
  },
  {
    name: "pong-flood",
    threat: "pongs and window updates without an end: what needs no answer takes time too",
    expects: { gone: ["flood", "window-overflow"] },
    attack: members((peer) => {
      const pong = Buffer.from(messageBytes({ kind: "Pong", nonce: 1n }));
      const update = Buffer.from(messageBytes({ kind: "WindowUpdate", lane: "block", bytes: 1 }));
      const many = next() % 2 === 0 ? pong : update;
      peer.writeBytes(Buffer.concat(Array.from({ length: 10_000 }, () => many)));
    }),
  },
  {
    name: "request-flood",
    threat: "requests without waiting for answers",
    expects: { gone: ["flood"] },
    attack: members((peer) => {
      const frames = Array.from({ length: 500 }, (_, index) =>
        fragmentBytes("RequestBlock", hash32, { requestId: index + 1 }),
      );
      peer.writeBytes(Buffer.concat(frames));
    }),
  },
  {
    name: "tiny-records",
    threat: "each byte in a TLS record of its own",
    expects: { bounded: "so many records a turn, then others are served" },
    attack: records(() => {
      const fragment = fragmentBytes("NewBlock", FRAGMENT, { more: true });
      let at = 0;
      return (peer) => {
        const part = fragment.subarray(at, at + 2_000);
        at = (at + part.length) % fragment.length;
        return peer.sendRecords(part, 1);
      };
    }),
  },
  {
    name: "key-updates",
    threat: "TLS key updates, of which no program above TLS hears",
    expects: { gone: ["tls-records"] },
    attack: records(() => (peer) => peer.sendKeyUpdates(100)),
  },
  {
    name: "log-flood",
    threat: "as many lines in the log as can be had",
    expects: { gone: ["kind-not-allowed", "tls-failed"] },
    async attack(field) {
      await Promise.all([
        strangers((peer) => peer.write({ kind: "Ping", nonce: 1n }), { peers: 8 })(field),
        members((peer) => {
          const detail = "log me ".repeat(30);
          peer.send({ kind: "Disconnect", reason: "InternalError", detail });
        })(field),
      ]);
    },
  },
];

/** Peers that write their own records, for as long as they may. */
function records(begin: () => (peer: RecordPeer) => boolean): Drill["attack"] {
  return (field) =>
    field.repeat(2, async () => {
      const peer = await field.recordPeer();
      const hello = encodeMessage(handshakeInfo(field.options.networkId));
      peer.sendRecords(fragmentBytes("Handshake", hello), hello.length);
      const blow = begin();
      while (!peer.raw.destroyed && !field.isOver) {
        if (!blow(peer)) await field.drained(peer.raw);
        field.strike(peer.raw);
        await field.turn();
      }
    });
}

const MUTATED_KINDS: readonly MessageKind[] = [
  ...["NewBlock", "AnnounceBlock", "RequestBlock", "RequestHeaders", "RequestBlockRange"],
  ...["NewTransaction", "AnnounceTransactions", "RequestTransactions", "Ping", "WindowUpdate"],
] as MessageKind[];

/** A random payload, or one of another kind, with a flipped byte. */
function mutated(peer: Parameters<Blow>[0], field: Field): void {
  const kind = MUTATED_KINDS[Math.floor(Math.random() * MUTATED_KINDS.length)]!;
  const block = field.chain[0]!;
  const bodies = [block.bytes, block.headerBytes, hash32, encodeMessage(announceBlock)];
  const payload = Buffer.from(bodies[Math.floor(Math.random() * bodies.length)]!);
  payload[Math.floor(Math.random() * payload.length)]! ^= 1 << Math.floor(Math.random() * 8);
  const { payloadBytesMax, role } = KINDS[kind];
  const requestId = role === "request" ? field.next() : 0;
  peer.writeBytes(payloadBytes(kind, payload.subarray(0, payloadBytesMax), requestId));
}
