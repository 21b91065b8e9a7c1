import test from "ava";
import { DEFAULTS } from "../../../src/config.js";
import type { PeerHandlerMessage } from "../../../src/actors/peer/peer-handler-messages.js";
import { NO_GOSSIP } from "../../../src/actors/peer/gossip-times.js";
import { PeerPerformance } from "../../../src/actors/peer/peer-performance.js";
import type { SyncMessage } from "../../../src/actors/sync/sync-messages.js";
import { CodedError } from "../../../src/errors.js";
import type { Message, MessageOf } from "../../../src/protocol/types/message.js";
import type { WorkerPool } from "../../../src/ports.js";
import {
  makeBlock,
  makeChain,
  makeTransaction,
  testParams,
  type MadeBlock,
} from "../../support/chain.js";
import {
  checkedBlocks,
  connectAll,
  createHarness,
  genesis,
  peerIdOf,
  published,
  START_WALL_MS,
} from "../support.js";
import { handshakeOf } from "../remote-peer.js";

import {
  RETRY_MS,
  chain,
  claimOf,
  config,
  honestAnswer,
  isHeaders,
  isRange,
  key,
  other,
  start,
  tip,
} from "./sync-bench.js";

// ---- a sync that goes well -------------------------------------------------------------------

test("it syncs from one peer: started, progressed in order, finished", async (t) => {
  const harness = start({ config });
  harness.join(1, chain);
  await harness.settle();
  t.is(harness.head(), tip.hash);
  const events = published(harness.events);
  t.deepEqual(events[0], { type: "SyncRequested", peerId: peerIdOf(1), claimedHeight: "70" });
  t.like(events[1], { type: "SyncStarted", strategy: "full", fromHeight: 0, peerId: peerIdOf(1) });
  const heights = events.flatMap((event) =>
    event.type === "SyncProgressed" ? [event.height] : [],
  );
  t.deepEqual(
    heights,
    [...heights].sort((a, b) => a - b),
  );
  t.is(heights.at(-1), 70);
  t.deepEqual(events.at(-1), { type: "SyncFinished", height: 70, headHash: tip.hash });
  const connected = events.flatMap((event) =>
    event.type === "BlockConnected" ? [event.height] : [],
  );
  t.deepEqual(
    connected,
    Array.from({ length: 70 }, (_, i) => i + 1),
  );
  t.true(harness.blames().every((blame) => blame === "UsefulData 1"));
  t.deepEqual(await harness.status(), {
    state: "synced",
    strategy: null,
    targetHeight: null,
    waitingFor: null,
  });
});

test("the end is told after the last block is durable", async (t) => {
  const harness = start({ config });
  harness.join(1, chain);
  await harness.settle();
  const types = harness.types();
  t.is(types.lastIndexOf("BlockConnected") < types.indexOf("SyncFinished"), true);
  t.is(types.lastIndexOf("SyncProgressed"), types.length - 2);
});

test("bodies come from several peers, none asked for more than its share at once", async (t) => {
  for (let seed = 0; seed < 5; seed++) {
    const harness = start({ config, seed });
    const peers = [1, 2, 3].map((number) => harness.join(number, chain));
    await harness.advance(RETRY_MS);
    t.is(harness.head(), tip.hash);
    t.true(peers.every(({ requests }) => requests.filter(isRange).length > 2));
    harness.stores.blocks.invariants();
  }
});

test("a few blocks at the tip are an incremental sync", async (t) => {
  const harness = start({ config, chain: chain.slice(0, 67) });
  harness.join(1, chain);
  await harness.settle();
  t.like(published(harness.events)[1], { strategy: "incremental", fromHeight: 67 });
  t.is(harness.head(), tip.hash);
});

test("a heavier branch is synced from its fork, and reorganised to", async (t) => {
  const longer = [...other, ...makeChain(10, { parent: other.at(-1)!.header })];
  const harness = start({ config, chain: chain.slice(0, 25) });
  harness.join(1, longer);
  await harness.settle();
  t.is(harness.head(), longer.at(-1)!.header.hash);
  t.is(harness.types().filter((type) => type === "BlockDisconnected").length, 25);
  t.is(harness.types().at(-1), "SyncFinished");
});

test("with nobody to sync from it says that it waits for a peer", async (t) => {
  const harness = start({ config });
  t.like(await harness.status(), { state: "waiting", waitingFor: "a peer" });
  harness.join(1, []);
  const waitingFor = "a peer whose headers can be checked";
  t.like(await harness.status(), { state: "waiting", waitingFor });
});

test("a peer without the capability of sync is not asked", async (t) => {
  const harness = start({ config });
  const handler = harness.probe<PeerHandlerMessage>();
  const info = handshakeOf();
  harness.sync.tell({
    type: "PeerReady",
    peerId: peerIdOf(1),
    handler: handler.ref,
    direction: "inbound",
    address: "tcp://127.0.0.1:1",
    info,
    head: { claimed: claimOf(tip) },
    capabilities: new Set(["blocks/1"]),
  });
  await harness.advance(10 * RETRY_MS);
  t.is(handler.received.length, 0);
});

test("the heaviest claim is asked first, among equals the better score", async (t) => {
  const harness = start({ config: { sync: { ...config.sync, headerPeersMax: 1 } } });
  const peers = [1, 2, 3].map((number) => harness.join(number, []));
  await harness.settle();
  for (const [index, blocks] of [other, chain, chain].entries()) {
    const { peerId } = Object.assign(peers[index]!, { chain: blocks });
    const head = { claimed: claimOf(blocks.at(-1)!.header) };
    harness.sync.tell({ type: "PeerClaimed", peerId, head });
  }
  const performance = { ...new PeerPerformance().snapshot(), ...NO_GOSSIP, score: 0.9 };
  harness.sync.tell({ type: "PeerMeasured", peerId: peerIdOf(3), performance });
  await harness.advance(RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.deepEqual(
    peers.map(({ requests }) => requests.some(isHeaders)),
    [false, false, true],
  );
});

test("news of the next blocks is left to gossip for a moment, then sync steps in", async (t) => {
  const harness = start({ config, chain: chain.slice(0, 60) });
  const peer = harness.join(1, chain.slice(0, 60));
  await harness.settle();
  const claim = (blocks: readonly MadeBlock[]): void => {
    peer.chain = blocks;
    const claimed = claimOf(blocks.at(-1)!.header);
    harness.sync.tell({ type: "PeerClaimed", peerId: peer.peerId, head: { claimed } });
  };
  claim(chain.slice(0, 61));
  await harness.advance(RETRY_MS - 1);
  t.is(peer.requests.length, 0);
  await harness.advance(2 * RETRY_MS);
  t.is(harness.head(), chain[60]!.header.hash);
  // A claim that is far ahead is followed at the next look.
  claim(chain);
  await harness.advance(RETRY_MS);
  t.is(harness.head(), tip.hash);
});

test("a handler that met an orphan makes sync look at once", async (t) => {
  const harness = start({ config, chain: chain.slice(0, 60) });
  const peer = harness.join(1, chain.slice(0, 60));
  await harness.settle();
  peer.chain = chain.slice(0, 62);
  const head = { claimed: claimOf(chain[61]!.header) };
  harness.sync.tell({ type: "PeerClaimed", peerId: peer.peerId, head });
  await harness.settle();
  harness.sync.tell({ type: "BehindPeer", peerId: peer.peerId });
  await harness.settle();
  t.is(harness.head(), chain[61]!.header.hash);
});

// ---- claims ----------------------------------------------------------------------------------

test("a claim that is not backed by headers is refuted and costs its peer a little", async (t) => {
  const harness = start({ config, chain: chain.slice(0, 10) });
  const liar = harness.join(1, chain.slice(0, 10), 10n ** 18n);
  await harness.advance(60 * RETRY_MS);
  // The second time to see that its chain is ours.
  t.is(liar.requests.length, 2);
  t.deepEqual(harness.blames(), ["UnprovenClaim 1"]);
  t.like(await harness.status(), { state: "synced" });
  t.true(harness.types().every((type) => type === "SyncRequested"));
});

test("headers that prove less than what we have are refuted, whether or not they fill the answer", async (t) => {
  for (const length of [16, 20, 9]) {
    const harness = start({ config, chain: chain.slice(0, 30) });
    const liar = harness.join(1, other.slice(0, length), 10n ** 18n);
    await harness.advance(60 * RETRY_MS);
    t.is(harness.head(), chain[29]!.header.hash);
    t.true(liar.requests.length <= 3, `${liar.requests.length} requests for ${length}`);
    t.false(liar.requests.some(isRange));
    t.like(await harness.status(), { state: "synced" });
  }
});

test("a liar that claims more each time does not keep an honest peer from being asked", async (t) => {
  const harness = start({ config, chain: chain.slice(0, 30) });
  const liar = harness.join(1, other.slice(0, 16), 10n ** 15n);
  let claimed = 10n ** 15n;
  const lie = (): void => {
    claimed += 1n;
    const head = { claimed: { ...claimOf(tip), totalDifficulty: claimed } };
    harness.sync.tell({ type: "PeerClaimed", peerId: liar.peerId, head });
    harness.sync.tell({ type: "BehindPeer", peerId: liar.peerId });
  };
  liar.answer = (request, honest) => {
    if (isHeaders(request)) lie();
    return honest;
  };
  await harness.settle();
  harness.join(2, chain);
  await harness.advance(20 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.true(liar.requests.length < 20);
});

test("a peer with a proven chain that claims more than it has is refuted after its sync", async (t) => {
  const harness = start({ config });
  const peer = harness.join(1, chain, 10n ** 18n);
  await harness.advance(60 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.true(peer.requests.filter(isHeaders).length <= 7);
  t.like(await harness.status(), { state: "synced" });
});

// ---- bad headers -----------------------------------------------------------------------------

test("an invalid header is its sender's fault, and another peer is synced from", async (t) => {
  const bad = makeBlock({ parent: chain[19]!.header, sealed: false });
  const harness = start({ config });
  const evil = harness.join(1, [...chain.slice(0, 20), bad], tip.totalDifficulty + 1n);
  harness.join(2, chain);
  await harness.advance(10 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.true(harness.blames().includes("InvalidBlock 1"));
  t.true(published(harness.events).some((event) => event.type === "BlockRejected"));
  t.true(evil.requests.filter(isHeaders).length <= 2);
});

for (const below of [0, 20]) {
  test(`a header from the future on ${below} others costs nobody anything, and is followed in its time`, async (t) => {
    const parent = chain[below - 1]?.header;
    const timestampMs = START_WALL_MS + testParams.maxFutureMs + 4 * RETRY_MS;
    const fields = { timestampMs };
    const early = makeBlock({ ...(parent === undefined ? {} : { parent }), fields });
    const harness = start({ config });
    harness.join(1, [...chain.slice(0, below), early]);
    await harness.advance(RETRY_MS);
    t.is(harness.head(), parent?.hash ?? genesis.header.hash);
    await harness.advance(20 * RETRY_MS);
    t.is(harness.head(), early.header.hash);
    t.true(harness.blames().every((blame) => blame.startsWith("UsefulData")));
  });
}

const badAnswers: { [name: string]: Message } = {
  "headers that cannot be read": { kind: "ResponseHeaders", headers: [Uint8Array.of(1, 2)] },
  "headers that do not follow the locator": {
    kind: "ResponseHeaders",
    headers: chain.slice(30, 35).map(({ headerBytes }) => headerBytes),
  },
  "more headers than asked for": {
    kind: "ResponseHeaders",
    headers: chain.slice(0, 17).map(({ headerBytes }) => headerBytes),
  },
};
for (const [name, answer] of Object.entries(badAnswers)) {
  test(`${name} are blamed, and another peer is asked`, async (t) => {
    const harness = start({ config });
    const evil = harness.join(1, chain, tip.totalDifficulty + 1n);
    evil.answer = (request, honest) => (isHeaders(request) ? answer : honest);
    harness.join(2, chain);
    await harness.advance(10 * RETRY_MS);
    t.is(harness.head(), tip.hash);
    t.regex(harness.blames()[0]!, /^(ProtocolViolation|InvalidBlock) 1$/);
  });
}

test("a peer that does not answer for headers is left alone for a doubling time", async (t) => {
  const harness = start({ config });
  const peer = harness.join(1, chain);
  peer.answer = () => "Timeout";
  await harness.advance(64 * RETRY_MS);
  t.true(peer.requests.length >= 5 && peer.requests.length <= 7, `${peer.requests.length}`);
  delete peer.answer;
  await harness.advance(70 * RETRY_MS);
  t.is(harness.head(), tip.hash);
});

test("a header peer that moves to another branch ends the session, and its new one is synced", async (t) => {
  const harness = start({ config });
  const branch = [...chain.slice(0, 20), makeBlock({ parent: chain[19]!.header })];
  const first = makeBlock({ parent: chain[19]!.header, transactions: [makeTransaction(key, 0)] });
  const moved = [...branch.slice(0, 20), first, ...makeChain(60, { parent: first.header })];
  const peer = harness.join(1, chain);
  let asked = 0;
  // It keeps the bodies of its old branch for those who are in the middle of it.
  peer.answer = (request, honest) => {
    const fresh = honestAnswer(moved, request.message as Message);
    if (isHeaders(request)) return ++asked < 3 ? honest : fresh;
    return honest === "NotFound" ? fresh : honest;
  };
  await harness.settle();
  const head = { claimed: claimOf(moved.at(-1)!.header) };
  harness.sync.tell({ type: "PeerClaimed", peerId: peer.peerId, head });
  await harness.advance(20 * RETRY_MS);
  t.true(harness.types().includes("SyncFailed"));
  t.false(harness.blames().some((blame) => blame.startsWith("InvalidBlock")));
  t.is(harness.head(), moved.at(-1)!.header.hash);
});

test("a header peer that no longer has what it offered ends the session at once", async (t) => {
  const harness = start({ config });
  const moved = [
    ...chain.slice(0, 20),
    ...makeChain(40, { parent: chain[19]!.header, fields: { extra: Uint8Array.of(1) } }),
  ];
  const peer = harness.join(1, chain);
  peer.answer = (request, honest) => {
    if (!isRange(request) || peer.chain === moved) return honest;
    peer.chain = moved;
    return "NotFound";
  };
  await harness.settle();
  t.is(harness.types().filter((type) => type === "SyncFailed").length, 1);
  const head = { claimed: claimOf(moved.at(-1)!.header) };
  harness.sync.tell({ type: "PeerClaimed", peerId: peer.peerId, head });
  await harness.advance(5 * RETRY_MS);
  t.is(harness.head(), moved.at(-1)!.header.hash);
});

test("a heavier chain that forks too deep is refused, with a word in the log", async (t) => {
  const shallow = { ...config, chain: { reorgDepthMax: 5 } };
  const harness = start({ config: shallow, chain: other });
  const peer = harness.join(1, chain);
  await harness.advance(60 * RETRY_MS);
  t.is(harness.head(), other.at(-1)!.header.hash);
  // Later looks, at one header each, are whether it has anything that can be checked.
  const isLook = (asked: Message) => asked.kind === "RequestHeaders" && asked.countMax === 1;
  t.is(peer.requests.filter(({ message }) => !isLook(message as Message)).length, 1);
  t.true(harness.log.some(({ event }) => event === "a heavier chain forks too deep to follow"));
});

test("a branch that is too deep to move to is not downloaded again for the same claim", async (t) => {
  const harness = start({ config, chain: other });
  harness.stores.blocks.undo = () => undefined;
  harness.join(1, chain);
  await harness.advance(60 * RETRY_MS);
  t.is(harness.head(), other.at(-1)!.header.hash);
  const failed = published(harness.events).filter(({ type }) => type === "SyncFailed");
  t.like(failed, [{ reason: "blocks were not connected: too-deep" }]);
  t.is(failed.length, 1);
});

test("when the pool loses headers they are asked for again", async (t) => {
  const { workers } = createHarness().env;
  let lost = 3;
  const unreliable: WorkerPool = {
    ...workers,
    validateHeaders: (job) =>
      lost-- > 0
        ? Promise.reject(new CodedError("WORKER_LOST", "A thread died."))
        : workers.validateHeaders(job),
  };
  const harness = start({ config, env: { workers: unreliable } });
  harness.join(1, chain);
  await harness.advance(5 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.true(harness.blames().every((blame) => blame.startsWith("UsefulData")));
});

// ---- bad bodies ------------------------------------------------------------------------------

test("blocks other than the headers promise are their server's violation", async (t) => {
  const harness = start({ config });
  harness.join(1, chain);
  const evil = harness.join(2, chain);
  // Valid blocks, but those of one height below.
  evil.answer = (request, honest) => {
    if (!isRange(request)) return honest;
    const { fromHeight, count } = request.message as MessageOf<"RequestBlockRange">;
    const wrong = other.slice(0, count).map(({ bytes }) => bytes);
    return fromHeight > 0 ? { kind: "ResponseBlockRange", blocks: wrong } : honest;
  };
  await harness.advance(10 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  const blames = harness.blames();
  t.true(blames.includes("ProtocolViolation 2"));
  t.false(blames.includes("ProtocolViolation 1") || blames.includes("InvalidBlock 1"));
});

test("valid blocks of another branch in place of the promised ones are a violation too", async (t) => {
  // The range is one task, so that nothing else in it gives them away.
  const whole = { sync: { ...config.sync, taskBytesTarget: 1_000_000 } };
  const harness = start({ config: whole });
  const offering = harness.join(1, chain);
  offering.answer = (request, honest) => (isRange(request) ? "Busy" : honest);
  const evil = harness.join(2, chain);
  evil.answer = (request, honest) => {
    if (!isRange(request)) return honest;
    const { fromHeight, count } = request.message as MessageOf<"RequestBlockRange">;
    if (fromHeight !== 1) return honest;
    delete offering.answer;
    return {
      kind: "ResponseBlockRange",
      blocks: other.slice(0, count).map(({ bytes }) => bytes),
    };
  };
  await harness.advance(10 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.true(harness.blames().includes("ProtocolViolation 2"));
  t.false(harness.stores.blocks.has(other[0]!.header.hash));
});

test("a body that its server spoiled is the server's fault alone", async (t) => {
  const harness = start({ config });
  harness.join(1, chain);
  const evil = harness.join(2, chain);
  evil.answer = (request, honest) => {
    if (!isRange(request) || typeof honest === "string") return honest;
    const { blocks } = honest as MessageOf<"ResponseBlockRange">;
    return { kind: "ResponseBlockRange", blocks: blocks.map((block) => block.slice(0, -1)) };
  };
  await harness.advance(10 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.true(harness.blames().includes("InvalidBlock 2"));
  t.false(harness.blames().includes("InvalidBlock 1"));
});

for (const [name, answer] of Object.entries({
  "an empty range": [],
  "more blocks than asked for": chain.map(({ bytes }) => bytes),
})) {
  test(`${name} is a violation`, async (t) => {
    const harness = start({ config });
    harness.join(1, chain);
    const evil = harness.join(2, chain);
    evil.answer = (request, honest) =>
      isRange(request) ? { kind: "ResponseBlockRange", blocks: answer } : honest;
    await harness.advance(10 * RETRY_MS);
    t.is(harness.head(), tip.hash);
    t.true(harness.blames().includes("ProtocolViolation 2"));
  });
}

test("ranges may come in parts", async (t) => {
  const harness = start({ config });
  const peer = harness.join(1, chain);
  peer.answer = (request, honest) => {
    if (!isRange(request) || typeof honest === "string") return honest;
    const { blocks } = honest as MessageOf<"ResponseBlockRange">;
    return { kind: "ResponseBlockRange", blocks: blocks.slice(0, 1) };
  };
  await harness.settle();
  t.is(harness.head(), tip.hash);
  t.true(harness.blames().every((blame) => blame.startsWith("UsefulData")));
});

test("an invalid chain costs the one who offered it and the one who served it, and is not tried again", async (t) => {
  const spend = makeBlock({ parent: chain[9]!.header, transactions: [makeTransaction(key, 5)] });
  const bad = makeBlock({ parent: spend.header, transactions: [makeTransaction(key, 5)] });
  const invalid = [...chain.slice(0, 10), spend, bad, ...makeChain(80, { parent: bad.header })];
  const harness = start({ config });
  const evil = harness.join(1, invalid);
  await harness.settle();
  t.like(
    published(harness.events).find(({ type }) => type === "BlockRejected"),
    { rule: "nonce", hash: bad.header.hash, peerId: peerIdOf(1) },
  );
  t.true(harness.blames().includes("InvalidBlock 1"));
  t.true(harness.types().includes("SyncFailed"));
  t.is(harness.head(), spend.header.hash, "what was valid stays");
  const asked = evil.requests.filter(isHeaders).length;
  harness.join(2, chain);
  await harness.advance(100 * RETRY_MS);
  t.is(evil.requests.filter(isHeaders).length, asked);
  t.is(harness.head(), tip.hash);
});

test("a block with a forged signature is found in the pool, by its place", async (t) => {
  const bytes = makeTransaction(key, 0).slice();
  bytes[bytes.length - 1]! ^= 1;
  const bad = makeBlock({ parent: chain[9]!.header, transactions: [bytes] });
  const invalid = [...chain.slice(0, 10), bad, ...makeChain(5, { parent: bad.header })];
  const harness = start({ config });
  harness.join(1, invalid);
  await harness.settle();
  t.like(
    published(harness.events).find(({ type }) => type === "BlockRejected"),
    { rule: "signature", hash: bad.header.hash, peerId: peerIdOf(1) },
  );
  t.true(harness.stores.blocks.head().height <= 10);
});

// ---- trouble ---------------------------------------------------------------------------------

test("a server that leaves in mid-session is replaced", async (t) => {
  const harness = start({ config });
  harness.join(1, chain);
  const leaving = harness.join(2, chain);
  leaving.answer = (request, honest) => (isRange(request) ? "silence" : honest);
  await harness.settle();
  harness.leave(leaving);
  await harness.advance(3 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.true(harness.blames().every((blame) => blame.startsWith("UsefulData")));
});

test("when the header peer leaves, what it proved is still synced from others", async (t) => {
  const harness = start({ config });
  const offering = harness.join(1, chain);
  offering.answer = (request, honest) => (isRange(request) ? "silence" : honest);
  await harness.settle();
  t.like(await harness.status(), { state: "syncing", targetHeight: 70 });
  harness.join(2, chain);
  harness.leave(offering);
  await harness.advance(10 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.like(await harness.status(), { state: "synced" });
});

test("when it leaves and nobody else has its chain, the session ends and others are synced from", async (t) => {
  const harness = start({ config });
  const offering = harness.join(1, chain);
  offering.answer = (request, honest) => (isRange(request) ? "silence" : honest);
  await harness.settle();
  harness.join(2, other);
  harness.leave(offering);
  await harness.advance(10 * RETRY_MS);
  t.is(harness.head(), other.at(-1)!.header.hash);
  t.like(await harness.status(), { state: "synced" });
});

test("when it leaves before anything was proven, nothing is told and others are asked", async (t) => {
  const harness = start({ config });
  const offering = harness.join(1, chain);
  offering.answer = () => "silence";
  await harness.settle();
  t.like(await harness.status(), {
    state: "syncing",
    waitingFor: "headers from 00000000 for 0.0 s",
  });
  harness.leave(offering);
  await harness.advance(RETRY_MS);
  t.true(harness.types().every((type) => type === "SyncRequested"));
  t.like(await harness.status(), { state: "waiting", waitingFor: "a peer" });
});

test("when it leaves and the pool loses its first headers, no end is told of what never started", async (t) => {
  const { workers } = createHarness().env;
  let answer: () => void = () => undefined;
  const slow: WorkerPool = {
    ...workers,
    validateHeaders: () =>
      new Promise((_resolve, reject) => {
        answer = () => reject(new CodedError("WORKER_LOST", "A thread died."));
      }),
  };
  const harness = start({ config, env: { workers: slow } });
  const offering = harness.join(1, chain);
  await harness.settle();
  harness.leave(offering);
  await harness.settle();
  answer();
  await harness.advance(RETRY_MS);
  t.true(harness.types().every((type) => type === "SyncRequested"));
});

test("a peer that holds everybody up loses the range to another", async (t) => {
  const harness = start({ config });
  harness.join(1, chain);
  const slow = harness.join(2, chain);
  slow.answer = (request, honest) => (isRange(request) ? "silence" : honest);
  await harness.advance(30_000);
  t.is(harness.head(), tip.hash);
  t.true(harness.log.some(({ event }) => event === "sync waits for a slow peer"));
});

test("those who dialed this node and give nothing do not keep it from one that it dialed", async (t) => {
  const harness = start({ config });
  for (let number = 1; number <= 8; number++) {
    const silent = harness.join(number, chain, undefined, "inbound");
    silent.answer = (request, honest) => (isRange(request) ? "silence" : honest);
  }
  await harness.settle();
  harness.join(9, chain);
  // Less than the time after which the session would be given up.
  await harness.advance(DEFAULTS.sync.frontWaitMaxMs / 2);
  t.is(harness.head(), tip.hash);
  t.is(harness.types().filter((type) => type === "SyncStarted").length, 1);
});

test("a late answer to a range that another peer served is not looked at", async (t) => {
  const harness = start({ config });
  harness.join(1, chain);
  const slow = harness.join(2, chain);
  slow.answer = (request, honest) => (isRange(request) ? "silence" : honest);
  await harness.advance(30_000);
  for (const request of slow.requests)
    slow.reply(request, honestAnswer(chain, request.message as Message));
  await harness.settle();
  t.is(harness.head(), tip.hash);
  t.true(harness.blames().every((blame) => blame.startsWith("UsefulData")));
});

test("the only server is asked again when it refuses, and then left alone for a doubling time", async (t) => {
  const harness = start({ config });
  const busy = harness.join(1, chain);
  busy.answer = (request, honest) => (isRange(request) ? "Busy" : honest);
  await harness.advance(RETRY_MS / 2);
  t.like(await harness.status(), { state: "syncing", strategy: "full", targetHeight: 70 });
  t.regex((await harness.status()).waitingFor!, /^a peer that serves blocks 1 to \d+$/);
  await harness.advance(60 * RETRY_MS);
  const ended = harness.types().filter((type) => type === "SyncFailed").length;
  t.true(ended >= 3 && ended <= 5, `${ended}`);
  delete busy.answer;
  await harness.advance(200 * RETRY_MS);
  t.is(harness.head(), tip.hash);
});

test("claimants that never answer hold up nobody who does, and one who is slow gets its time", async (t) => {
  const harness = start({ config: { sync: { ...config.sync, headerPeersMax: 1 } } });
  const better = makeChain(100, { fields: { extra: Uint8Array.of(9) } });
  for (const number of [1, 2, 3]) harness.join(number, better).answer = () => "silence";
  const slow = harness.join(4, chain);
  slow.answer = () => "silence";
  await harness.advance(RETRY_MS);
  t.is(slow.requests.length, 0, "three promise more");
  await harness.advance(10 * DEFAULTS.sync.stallMinMs);
  t.true(slow.requests.length >= 1, "each was passed over after its time");
  delete slow.answer;
  await harness.advance(200 * DEFAULTS.sync.stallMinMs);
  t.is(harness.head(), tip.hash);
});

test("a peer that proves a heavier chain and withholds its blocks does not hold up the others", async (t) => {
  const harness = start({ config });
  const better = makeChain(100, { fields: { extra: Uint8Array.of(9) } });
  const withholder = harness.join(1, better);
  withholder.answer = (request, honest) => (isRange(request) ? "Busy" : honest);
  harness.join(2, chain);
  await harness.advance(3 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.true(harness.types().includes("SyncFailed"));
  // Its chain is the better one all the same: it is followed when its blocks come.
  delete withholder.answer;
  await harness.advance(100 * RETRY_MS);
  t.is(harness.head(), better.at(-1)!.header.hash);
});

test("when the pool loses blocks they are asked for again, and nobody is blamed", async (t) => {
  const { workers } = createHarness().env;
  let lost = 5;
  const unreliable: WorkerPool = {
    ...workers,
    validateBlocks: (job) =>
      lost-- > 0
        ? Promise.reject(new CodedError("WORKER_LOST", "A thread died."))
        : workers.validateBlocks(job),
  };
  const harness = start({ config, env: { workers: unreliable } });
  harness.join(1, chain);
  await harness.advance(5 * RETRY_MS);
  t.is(harness.head(), tip.hash);
  t.true(harness.blames().every((blame) => blame.startsWith("UsefulData")));
});

test("when our own chain catches up by itself the session ends", async (t) => {
  const harness = start({ config });
  const peer = harness.join(1, chain.slice(0, 20));
  peer.answer = (request, honest) => (isRange(request) ? "silence" : honest);
  await harness.settle();
  connectAll(harness.stores.blocks, checkedBlocks(chain.slice(0, 40)));
  await harness.advance(RETRY_MS);
  t.like(await harness.status(), { state: "syncing" }, "what was asked for may still come");
  for (const request of peer.requests.filter(isRange)) peer.reply(request, "Timeout");
  await harness.advance(RETRY_MS);
  t.is(harness.types().at(-1), "SyncFinished");
  t.like(await harness.status(), { state: "synced" });
});

test("a store that fails ends the session", async (t) => {
  const harness = start({ config });
  harness.stores.fail();
  harness.join(1, chain);
  await harness.settle();
  t.like(
    published(harness.events).find(({ type }) => type === "SyncFailed"),
    { reason: "blocks were not connected: store-failed" },
  );
});

test("after a crash it starts again from the peers that the registry knows", async (t) => {
  const harness = start({ config });
  harness.expectFault(harness.sync);
  await harness.settle();
  const nonsense = { type: "Nonsense" } as unknown as SyncMessage;
  harness.sync.tell(nonsense);
  await harness.advance(100);
  t.is(harness.faults.length, 1);
  t.is(harness.registry.of("Subscribe").length, 2);
  harness.join(1, chain);
  await harness.advance(RETRY_MS);
  t.is(harness.head(), tip.hash);
});

test("peers that lose, delay, cut and spoil answers do not keep it from the best chain", async (t) => {
  for (let seed = 0; seed < 12; seed++) {
    const harness = start({ config, seed });
    const chance = harness.env.random;
    const delayed: (() => void)[] = [];
    const peers = [1, 2, 3, 4].map((number) => harness.join(number, chain));
    for (const peer of peers.slice(1)) {
      peer.answer = (request, honest) => {
        const luck = chance.float();
        if (luck < 0.1) return "Busy";
        if (luck < 0.2) return "Timeout";
        if (luck < 0.4) {
          delayed.push(() => peer.reply(request, honest));
          return "silence";
        }
        if (luck < 0.6 && isRange(request) && typeof honest !== "string") {
          const { blocks } = honest as MessageOf<"ResponseBlockRange">;
          return { kind: "ResponseBlockRange", blocks: blocks.slice(0, 1) };
        }
        return honest;
      };
    }
    for (let step = 0; step < 200 && harness.head() !== tip.hash; step++) {
      await harness.advance(500);
      for (const answer of delayed.splice(0)) answer();
    }
    t.is(harness.head(), tip.hash, `seed ${seed}`);
    harness.stores.blocks.invariants();
    const connected = published(harness.events).flatMap((event) =>
      event.type === "BlockConnected" ? [event.height] : [],
    );
    t.deepEqual(
      connected,
      Array.from({ length: 70 }, (_, i) => i + 1),
    );
  }
});
