// Peers that have a proper identity and no manners, against a whole node: each is closed for its
// reason, its ledger says so where it broke a rule, and an honest peer notices nothing.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import { DEFAULTS, type NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import type { BlockStore, Log } from "../../src/ports.js";
import {
  KINDS,
  WINDOW_BYTES_MAX,
  type HandshakeInfo,
  type Message,
} from "../../src/protocol/index.js";
import { loadOrCreateIdentity, type Identity } from "../../src/transport/tls-identity.js";
import { createSystemRandom } from "../../src/runtime/random.js";
import { encodeMessage } from "../../src/protocol/codec/codec.js";
import { RecordPeer } from "../support/record-peer.js";
import { makeBlock, makeChain, makeKey, makeTransaction } from "../support/chain.js";
import { fragmentBytes, frameBytes } from "../support/frames.js";
import { listenAs } from "../support/hostile-listener.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode, storeOf } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const FRAGMENT = new Uint8Array(65_536);
const HASH = "11".repeat(32);

/** Remembers what went wrong, and tells who waits for a line. */
class ListeningLog implements Log {
  readonly errors: string[] = [];
  readonly #waiting = new Map<string, (fields: Fields) => void>();

  write(level: string, event: string, fields: Fields = {}): void {
    if (level === "error") this.errors.push(`${event}: ${JSON.stringify(fields)}`);
    this.#waiting.get(event)?.(fields);
  }

  /** The fields of the next line of this event. */
  next(event: string): Promise<Fields> {
    return new Promise((resolve) => this.#waiting.set(event, resolve));
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** A listening node, an honest peer of it, and what its log says went wrong. */
class Victim {
  readonly node: Network;
  readonly honest: Network;
  readonly log: ListeningLog;

  constructor(node: Network, honest: Network, log: ListeningLog) {
    this.node = node;
    this.honest = honest;
    this.log = log;
  }

  get address(): string {
    return this.node.listenAddress!;
  }

  connect(t: ExecutionContext, identity: Identity, localAddress = "127.0.0.1"): Promise<RawPeer> {
    const peer = RawPeer.connect({ address: this.address, identity, from: { localAddress } });
    t.teardown(() => peer.then((connected) => connected.destroy()).catch(() => undefined));
    return peer;
  }

  /** A peer past its handshake. */
  async join(
    t: ExecutionContext,
    identity: Identity,
    info: Partial<HandshakeInfo> = {},
  ): Promise<RawPeer> {
    const peer = await this.connect(t, identity);
    const ready = nextEvent(this.node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
    peer.send(handshakeInfo(NETWORK_ID, info));
    await ready;
    return peer;
  }

  async isUnharmed(t: ExecutionContext): Promise<void> {
    const pingMs = await this.honest.pingPeer(this.node.peerId);
    t.true(pingMs !== undefined, "the honest peer is answered");
    t.deepEqual(this.log.errors, []);
  }
}

async function victim(
  t: ExecutionContext,
  config: NetworkConfigInput = {},
  blockStore?: BlockStore,
): Promise<Victim> {
  t.timeout(60_000);
  const log = new ListeningLog();
  const own = blockStore === undefined ? { log } : { log, blockStore };
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", ...config }, own);
  const joined = nextEvent(node, "PeerConnected");
  const honest = await startTestNode(t, { seedPeers: [node.listenAddress!] });
  await joined;
  return new Victim(node, honest, log);
}

// ---- violations ------------------------------------------------------------------------------

/** What the peer does after its handshake (or instead of one), and the rule it breaks by it. */
interface Offence {
  readonly title: string;
  readonly rule: RegExp;
  readonly stranger?: true;
  readonly info?: Partial<HandshakeInfo>;
  readonly commit: (peer: RawPeer) => void;
}

const unfinishedBlock = fragmentBytes("NewBlock", FRAGMENT, { more: true });
const announceBlock = {
  kind: "AnnounceBlock",
  height: 1n,
  hash: HASH,
  totalDifficulty: 1n,
} as const;

const OFFENCES: readonly Offence[] = [
  {
    title: "a message before the handshake",
    rule: /^kind-not-allowed: Ping/,
    stranger: true,
    commit: (peer) => peer.write({ kind: "Ping", nonce: 1n }),
  },
  {
    title: "a second handshake",
    rule: /^kind-not-allowed: Handshake/,
    commit: (peer) => peer.write(handshakeInfo(NETWORK_ID)),
  },
  {
    title: "an unknown kind",
    rule: /^unknown-kind: kind code 127/,
    commit: (peer) => peer.writeBytes(frameBytes({ code: 0x7f, flags: 0, payload: FRAGMENT })),
  },
  {
    title: "a kind on another lane than its own",
    rule: /^wrong-lane: Ping on lane transaction/,
    commit: (peer) => {
      peer.writeBytes(
        frameBytes({ code: KINDS.Ping.code, flags: 3, payload: Uint8Array.of(0x80) }),
      );
    },
  },
  {
    title: "reserved flags",
    rule: /^flags: reserved bits/,
    commit: (peer) => {
      const payload = Uint8Array.of(0x80);
      peer.writeBytes(frameBytes({ code: KINDS.Ping.code, flags: 0x40, payload }));
    },
  },
  {
    title: "a kind that was not negotiated",
    rule: /^kind-not-allowed: AnnounceBlock/,
    info: { capabilities: ["sync/1"] },
    commit: (peer) => peer.write(announceBlock),
  },
  {
    title: "another message within an unfinished one",
    rule: /^fragment-order: AnnounceBlock within an unfinished NewBlock/,
    commit: (peer) => {
      peer.writeBytes(unfinishedBlock);
      peer.write(announceBlock);
    },
  },
  {
    title: "an announced length over its kind's limit",
    rule: /^message-length: Ping of more than 16 bytes/,
    commit: (peer) => {
      peer.writeBytes(frameBytes({ code: KINDS.Ping.code, flags: 0, length: 2 ** 32 - 1 }));
    },
  },
  {
    title: "a frame over 64 KiB",
    rule: /^fragment-length: a frame of 65537 bytes/,
    commit: (peer) => {
      peer.writeBytes(frameBytes({ code: KINDS.NewBlock.code, flags: 1, length: 65_537 }));
    },
  },
  {
    title: "a message that grows over its kind's limit",
    rule: /^message-length: NewBlock of more than 4194304 bytes/,
    commit: (peer) => {
      // Its credit is renewed as it arrives, so only the limit ends it.
      for (let i = 0; i <= 64; i++) peer.writeBytes(unfinishedBlock);
    },
  },
  {
    title: "credit beyond the largest window",
    rule: /^window-overflow/,
    commit: (peer) => {
      peer.write({ kind: "WindowUpdate", lane: "sync", bytes: WINDOW_BYTES_MAX });
    },
  },
  {
    title: "a payload of another shape",
    rule: /^payload: AnnounceBlock/,
    commit: (peer) => peer.writePayload("AnnounceBlock", Uint8Array.of(0x83, 0x01, 0x02, 0x03)),
  },
  {
    title: "a payload of tags",
    rule: /^payload: AnnounceTransactions/,
    commit: (peer) => {
      peer.writePayload("AnnounceTransactions", new Uint8Array(60_000).fill(0xc1));
    },
  },
  {
    title: "a flood of pings",
    rule: /^flood: too many pings/,
    commit: (peer) => {
      for (let i = 0; i < 5_000; i++) peer.write({ kind: "Ping", nonce: 1n });
    },
  },
  {
    title: "a flood of requests",
    rule: /^flood: more than 64 requests are unanswered/,
    commit: (peer) => {
      const payload = requestPayload();
      const frames = Array.from({ length: 500 }, (_, index) =>
        fragmentBytes("RequestBlock", payload, { requestId: index + 1 }),
      );
      peer.writeBytes(Buffer.concat(frames));
    },
  },
  {
    title: "a request whose id is still open",
    rule: /^request-id: request 1 is not answered yet/,
    commit: (peer) => {
      const frame = Buffer.from(fragmentBytes("RequestBlock", requestPayload(), { requestId: 1 }));
      peer.writeBytes(Buffer.concat([frame, frame]));
    },
  },
  {
    title: "an answer that nobody asked for, at its first fragment",
    rule: /^request-id: an unsolicited ResponseBlock/,
    commit: (peer) => {
      peer.writeBytes(fragmentBytes("ResponseBlock", FRAGMENT, { requestId: 77, more: true }));
    },
  },
  {
    title: "a request without an id",
    rule: /^request-id: RequestBlock with request id 0/,
    commit: (peer) => peer.writeBytes(fragmentBytes("RequestBlock", requestPayload())),
  },
];

function requestPayload(): Uint8Array {
  return Buffer.concat([Buffer.of(0x81, 0x58, 32), Buffer.alloc(32, 0x11)]);
}

for (const { title, rule, stranger, info, commit } of OFFENCES) {
  test(`${title}: the peer is told its violation, blamed and closed`, async (t) => {
    const target = await victim(t);
    const identity = identityOf(1);
    const peer = await (stranger ? target.connect(t, identity) : target.join(t, identity, info));
    commit(peer);
    const farewell = await peer.farewell();
    t.is(farewell?.reason, "ProtocolViolation");
    t.regex(farewell?.detail ?? "", rule);
    const { entries, score } = await target.node.explainPeer(peer.peerId);
    const last = entries.at(-1);
    t.is(last?.event, "ProtocolViolation");
    t.regex(`${last?.rule}: ${last?.detail}`, rule);
    t.true(score < -40);
    await target.isUnharmed(t);
  });
}

// ---- answers that are not what was asked for ---------------------------------------------------

const CHAIN = makeChain(3);
const CLAIM = { height: 3n, hash: CHAIN[2]!.header.hash, totalDifficulty: 2n ** 40n };

interface WrongAnswer {
  readonly title: string;
  readonly asked: "RequestHeaders" | "RequestBlock";
  readonly answer: Message;
}

const WRONG_ANSWERS: readonly WrongAnswer[] = [
  {
    title: "more headers than asked for",
    asked: "RequestHeaders",
    answer: {
      kind: "ResponseHeaders",
      headers: Array.from({ length: 1_500 }, () => CHAIN[0]!.headerBytes),
    },
  },
  {
    title: "headers that do not follow the locator",
    asked: "RequestHeaders",
    answer: {
      kind: "ResponseHeaders",
      headers: CHAIN.slice(1).map(({ headerBytes }) => headerBytes),
    },
  },
  {
    title: "another block than the one asked for",
    asked: "RequestBlock",
    answer: { kind: "ResponseBlock", block: makeBlock({ fields: { extra: Buffer.of(1) } }).bytes },
  },
];

for (const { title, asked, answer } of WRONG_ANSWERS) {
  test(`${title}: the peer is told its violation, blamed and closed`, async (t) => {
    t.timeout(20_000);
    const target = await victim(t);
    const peer = await target.join(t, identityOf(1));
    // The tip is asked for by its hash, what is further ahead by headers.
    const tip = { ...CLAIM, height: 1n, hash: CHAIN[0]!.header.hash };
    peer.send({ kind: "AnnounceBlock", ...(asked === "RequestBlock" ? tip : CLAIM) });
    const request = await peer.message(asked);
    const gone = nextEvent(target.node, "PeerDisconnected");
    peer.send(answer, peer.requestIds[peer.received.indexOf(request!)]);
    t.like(await gone, { reason: "ProtocolViolation", rule: "answer", byPeer: false });
    const farewell = await peer.farewell();
    t.is(farewell?.reason, "ProtocolViolation");
    t.regex(farewell?.detail ?? "", /^answer: /);
    const { entries } = await target.node.explainPeer(peer.peerId);
    const violations = entries.filter(({ event }) => event === "ProtocolViolation");
    t.is(violations.length, 1);
    t.is(violations[0]!.rule, "answer");
    await target.isUnharmed(t);
  });
}

test("a peer that floods with TLS records without data is blamed and closed, without a word", async (t) => {
  const target = await victim(t);
  const identity = identityOf(1);
  const peer = await RecordPeer.connect({ address: target.address, identity });
  t.teardown(() => peer.destroy());
  const joined = nextEvent(target.node, "PeerConnected");
  const gone = nextEvent(target.node, "PeerDisconnected");
  peer.sendRecords(fragmentBytes("Handshake", encodeMessage(handshakeInfo(NETWORK_ID))), 1_000);
  await joined;
  peer.sendKeyUpdates(1_000);
  t.like(await gone, { reason: "ProtocolViolation", rule: "tls-records", byPeer: false });
  await peer.closed;
  const { entries } = await target.node.explainPeer(identity.peerId);
  t.is(entries.at(-1)?.event, "ProtocolViolation");
  t.is(entries.at(-1)?.rule, "tls-records");
  t.regex(entries.at(-1)?.detail ?? "", /^over 32 TLS records without data/);
  await target.isUnharmed(t);
});

// ---- peers that do not belong here: no offence -----------------------------------------------

for (const [title, reason, info] of [
  ["another network", "WrongNetwork", { networkId: "22".repeat(32) }],
  ["another version", "IncompatibleVersion", { protocolVersion: 2 }],
] as const) {
  test(`a peer of ${title} is told so and not blamed`, async (t) => {
    const target = await victim(t);
    const peer = await target.connect(t, identityOf(1));
    peer.send(handshakeInfo(NETWORK_ID, info));
    t.is((await peer.farewell())?.reason, reason);
    t.deepEqual((await target.node.explainPeer(peer.peerId)).entries, []);
    await target.isUnharmed(t);
  });
}

test("a handshake that is never finished ends at its deadline, even when the peer holds on", async (t) => {
  const target = await victim(t, { handshake: { timeoutMs: 1_000 } });
  const address = target.address;
  const ended = target.log.next("peer disconnected");
  const peer = new RawPeer({ address, identity: identityOf(1), allowHalfOpen: true });
  t.teardown(() => peer.destroy());
  await peer.secured;
  const bytes = frameBytes({ code: KINDS.Handshake.code, flags: 0, length: 1_000 });
  peer.writeBytes(bytes);
  const trickle = setInterval(() => peer.writeBytes(Uint8Array.of(0)), 50);
  t.teardown(() => clearInterval(trickle));
  // The node does not wait for the other half of the connection to end. Its last word is lost where
  // the next byte of the peer meets a socket that is gone.
  const { peerId } = peer;
  t.like(await ended, { peerId, reason: "Timeout", detail: "no handshake in time" });
  await peer.closed;
  await target.isUnharmed(t);
});

test("this node's own identity is refused as itself", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "vibecoin-self-"));
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  const identity = await loadOrCreateIdentity(dataDir, createSystemRandom());
  const target = await victim(t, { dataDir });
  const peer = await target.connect(t, identity);
  t.is((await peer.farewell())?.reason, "SelfConnection");
  await target.isUnharmed(t);
});

test("a node that is given its own address does not keep a connection to itself", async (t) => {
  const target = await victim(t);
  void target.node.connect(target.address);
  // The dialer forgets an address that led to itself: another one given later is dialed all the same.
  const other = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const joined = nextEvent(target.node, "PeerConnected", ({ peerId }) => peerId === other.peerId);
  void target.node.connect(other.listenAddress!);
  await joined;
  const peers = await target.node.peers();
  t.false(peers.some(({ peerId }) => peerId === target.node.peerId));
  await target.isUnharmed(t);
});

// ---- duplicates and slots --------------------------------------------------------------------

test("of two connections in the same direction the newest stays", async (t) => {
  const target = await victim(t);
  const first = await target.join(t, identityOf(1));
  const second = await target.join(t, identityOf(1));
  t.is((await first.farewell())?.reason, "DuplicateConnection");
  t.true(await second.ping());
  t.is((await target.node.peers()).length, 2);
  await target.isUnharmed(t);
});

test("of two connections in opposite directions both sides keep the same one", async (t) => {
  const bindAddr = "tcp://127.0.0.1:0";
  const nodes = [
    await startTestNode(t, { bindAddr }),
    await startTestNode(t, { bindAddr }),
  ] as const;
  const [left, right] = nodes;
  const connected = Promise.all(nodes.map((node) => nextEvent(node, "PeerConnected")));
  void left.connect(right.listenAddress!);
  void right.connect(left.listenAddress!);
  await connected;
  for (;;) {
    const [seenLeft, seenRight] = await Promise.all(nodes.map((node) => node.peers()));
    const [atLeft] = seenLeft!;
    const [atRight] = seenRight!;
    if (atLeft === undefined || atRight === undefined) continue;
    // They agree once each sees what the other sees, from its own side.
    if (atLeft.direction !== atRight.direction) {
      t.is(atLeft.direction, left.peerId < right.peerId ? "outbound" : "inbound");
      break;
    }
  }
  t.true((await left.pingPeer(right.peerId)) !== undefined);
});

for (const whose of ["this node", "the peer"] as const) {
  test(`the connection that ${whose} dialed stays where its id is the smaller one`, async (t) => {
    const target = await victim(t);
    const { node } = target;
    const isOurs = whose === "this node";
    let number = 100;
    while (node.peerId < identityOf(number).peerId !== isOurs) number++;
    const { peerId } = identityOf(number);
    const came = await target.join(t, identityOf(number));
    const answer = (): undefined => undefined;
    const there = await listenAs(t, { number, networkId: NETWORK_ID, answer });
    t.deepEqual(await node.connect(there.address), [peerId]);
    if (isOurs) t.is((await came.farewell())?.reason, "DuplicateConnection");
    else t.true(await came.ping());
    const directions = (await node.peers()).filter((peer) => peer.peerId === peerId);
    t.deepEqual(
      directions.map(({ direction }) => direction),
      [isOurs ? "outbound" : "inbound"],
    );
  });
}

test("a banned peer that comes back is refused as banned", async (t) => {
  const target = await victim(t);
  const identity = identityOf(1);
  // Scores decay, so two offences of 50 stay just short of the 100 that ban.
  for (let offence = 0; offence < 3; offence++) {
    const peer = await target.join(t, identity);
    peer.write(handshakeInfo(NETWORK_ID));
    t.is((await peer.farewell())?.reason, "ProtocolViolation");
  }
  const back = await target.connect(t, identity);
  t.is((await back.farewell())?.reason, "Banned");
  t.is((await target.node.explainPeer(identity.peerId)).class, "banned");
  await target.isUnharmed(t);
});

test("a peer over the inbound slots is refused, and admitted when one is free", async (t) => {
  const target = await victim(t, { maxInbound: 2 });
  const first = await target.join(t, identityOf(1));
  const late = await target.connect(t, identityOf(2));
  t.is((await late.farewell())?.reason, "TooManyConnections");
  const gone = nextEvent(target.node, "PeerDisconnected");
  first.destroy();
  await gone;
  await target.join(t, identityOf(2));
  await target.isUnharmed(t);
});

test("too many peers of one address group are refused where local addresses are not exempt", async (t) => {
  const inbound = { exemptLocal: false, perGroupMax: 2, perAddressPerSecond: 100 };
  const target = await victim(t, { inbound });
  const second = await target.connect(t, identityOf(1), "127.0.0.2");
  t.is((await second.message("Handshake"))?.kind, "Handshake");
  const third = await target.connect(t, identityOf(2), "127.0.0.3");
  t.like(await third.farewell(), { reason: "TooManyConnections" });
  const elsewhere = await target.connect(t, identityOf(3), "127.0.9.1");
  t.is((await elsewhere.message("Handshake"))?.kind, "Handshake");
  await target.isUnharmed(t);
});

// ---- slow readers ----------------------------------------------------------------------------

test("a peer that asks for much, grants credit and never reads is dropped", async (t) => {
  const key = makeKey(1);
  const data = new Uint8Array(60_000);
  const blocks = makeChain(1, {
    transactions: Array.from({ length: 16 }, (_, nonce) => makeTransaction(key, nonce, { data })),
  });
  const liveness = { pingIntervalMs: 500, deadAfterMs: 2_000 };
  const target = await victim(t, { liveness }, await storeOf(blocks));
  const peer = await target.join(t, identityOf(1));
  const gone = nextEvent(target.node, "PeerDisconnected", ({ peerId }) => peerId === peer.peerId);
  const { hash } = blocks[0]!.header;
  // What it grants is the test's business, so its session must not hear what comes.
  peer.deafen();
  const grant = (bytes: number): void => peer.write({ kind: "WindowUpdate", lane: "block", bytes });
  // As much credit as there may be, and again what the first blocks of 1 MB used of it: then only its
  // reading is missing.
  grant(WINDOW_BYTES_MAX - DEFAULTS.lanes.windowInitialBytes);
  for (let id = 1; id <= 4; id++) {
    peer.write({ kind: "RequestBlock", hash }, id);
    await peer.until(() => peer.requestIds.includes(id) || peer.ended);
    grant(blocks[0]!.bytes.length);
  }
  peer.socket.pause();
  for (let id = 5; id <= 40; id++) peer.write({ kind: "RequestBlock", hash }, id);
  // It is not silent, and breaks no rule.
  const alive = setInterval(() => peer.write({ kind: "Pong", nonce: 1n }), 100);
  t.teardown(() => clearInterval(alive));
  t.is((await gone).reason, "Timeout");
  await target.isUnharmed(t);
});
