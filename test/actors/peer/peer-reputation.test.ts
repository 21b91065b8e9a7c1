import test from "ava";
import type { BanRecord, PeerStore } from "../../../src/ports.js";
import {
  peerReputation,
  type ReputationMessage,
  type ReputationVerdict,
} from "../../../src/actors/peer/peer-reputation.js";
import { banText } from "../../../src/actors/peer/ban-list.js";
import type { PeerExplanation } from "../../../src/actors/peer/reputation-ledger.js";
import type { ReputationEvent } from "../../../src/actors/peer/reputation-events.js";
import { advancedPeerRegistry } from "../../../src/actors/peer/advanced-peer-registry.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { CodedError } from "../../../src/errors.js";
import {
  createHarness,
  peerIdOf,
  published,
  START_WALL_MS,
  type HarnessOptions,
} from "../support.js";

const peer = peerIdOf(1);
const HOUR_MS = 3_600_000;
const OWN_FAULT = "slowness of peers is our own fault";

function start(options: HarnessOptions = {}) {
  const harness = createHarness(options);
  const reputation = harness.spawn(peerReputation, { mailboxMax: 64 });
  // It stores what it is told, and tells at its start what is stored.
  const events = harness.probe<EventBusMessage>();
  harness.spawn(advancedPeerRegistry, {
    router: harness.probe<MessageRouterMessage>().ref,
    reputation,
    events: events.ref,
  });
  const subscriber = harness.probe<ReputationVerdict>();
  reputation.tell({ type: "Subscribe", subscriber: subscriber.ref });
  const report = (event: ReputationEvent, times = 1, peerId = peer): void => {
    for (let i = 0; i < times; i++) {
      reputation.tell({ type: "Report", peerId, event, detail: "why" });
    }
  };
  return { ...harness, reputation, events, subscriber, report };
}

async function explain(harness: ReturnType<typeof start>, peerId = peer): Promise<PeerExplanation> {
  // What was reported comes first: questions overtake reports.
  await harness.settle();
  const asker = harness.probe<PeerExplanation>();
  harness.reputation.tell({ type: "Explain", peerId, replyTo: asker.ref });
  await harness.settle();
  return asker.last!;
}

function bansIn(peers: PeerStore): readonly BanRecord[] {
  return peers
    .records()
    .flatMap(({ peerId, ban }) => (ban === undefined ? [] : [{ peerId, ...ban }]));
}

async function bansOf(
  harness: Pick<ReturnType<typeof start>, "probe" | "settle">,
  reputation: ActorRef<ReputationMessage>,
): Promise<readonly BanRecord[]> {
  const asker = harness.probe<readonly BanRecord[]>();
  reputation.tell({ type: "GetBans", replyTo: asker.ref });
  await harness.settle();
  return asker.last!;
}

test("a ban is told to subscribers, stored and logged", async (t) => {
  const harness = start();
  harness.report("InvalidBlock");
  await harness.settle();
  const ban = {
    peerId: peer,
    untilWallMs: START_WALL_MS + HOUR_MS,
    reason: "InvalidBlock",
    detail: "why",
    count: 1,
  };
  t.deepEqual(harness.subscriber.of("PeerBanned"), [{ type: "PeerBanned", ban }]);
  t.deepEqual(bansIn(harness.stores.peers), [ban]);
  t.deepEqual(await bansOf(harness, harness.reputation), [ban]);
  t.true(harness.log.some(({ event }) => event === "peer banned"));
});

test("the rule that was broken is a field of its own: in the ledger, the ban and the store", async (t) => {
  const harness = start();
  const why = { rule: "answer", detail: "more: than: asked" } as const;
  const report = { type: "Report", peerId: peer, event: "InvalidTransaction", ...why } as const;
  harness.reputation.tell(report);
  for (let i = 0; i < 2; i++) harness.reputation.tell({ type: "Broke", peerId: peer, ...why });
  const { ban, entries } = await explain(harness);
  t.is(entries.length, 3);
  for (const entry of entries) t.like(entry, why);
  t.like(ban, { reason: "ProtocolViolation", ...why });
  t.like(harness.subscriber.of("Disconnect")[0], { reason: "ProtocolViolation", ...why });
  t.like(bansIn(harness.stores.peers), [{ reason: "ProtocolViolation", ...why }]);
});

test("a ban that an older version stored with a text for its reason holds, and is told by it", async (t) => {
  const { peers } = createHarness().stores;
  const reason = "ProtocolViolation: flood: too many pings";
  const ban = { untilWallMs: START_WALL_MS + HOUR_MS, reason, count: 1 };
  await peers.put({ peerId: peer, ban });
  const harness = start({ env: { peers } });
  await harness.settle();
  t.deepEqual(await bansOf(harness, harness.reputation), [{ peerId: peer, ...ban }]);
  t.is(banText(ban), reason);
});

test("a new subscriber hears of the bans in force, not of past ones", async (t) => {
  const harness = start();
  harness.report("InvalidBlock");
  await harness.advance(HOUR_MS);
  harness.report("InvalidBlock", 1, peerIdOf(2));
  await harness.settle();
  const late = harness.probe<ReputationVerdict>();
  harness.reputation.tell({ type: "Subscribe", subscriber: late.ref });
  await harness.settle();
  t.deepEqual(
    late.of("PeerBanned").map(({ ban }) => ban.peerId),
    [peerIdOf(2)],
  );
});

test("a subscriber that stopped is told nothing more", async (t) => {
  const harness = start();
  harness.subscriber.stop();
  await harness.settle();
  const before = harness.system.deadLetters;
  harness.report("InvalidBlock");
  await harness.settle();
  t.is(harness.system.deadLetters, before);
});

test("slowness costs nobody anything while this process is slow itself", async (t) => {
  const harness = start();
  harness.loop.delayMs = harness.config.reputation.selfBlameLoopDelayMs + 1;
  harness.report("Timeout", 10);
  harness.report("SlowResponse", 10);
  await harness.settle();
  harness.loop.delayMs = 0;
  await harness.advance(2_000);
  t.is((await explain(harness)).score, 0);
  const lines = harness.log.filter(({ event }) => event === OWN_FAULT);
  t.like(lines, [{ fields: { excused: 20, excuse: "this process was held up for 251 ms" } }]);
});

test("nobody pays for slowness while half of the pool's queue is taken", async (t) => {
  for (const queued of [127, 128]) {
    const workers = { ...createHarness().env.workers };
    workers.load = () => ({ queued, running: 2, queueMax: 256 });
    const harness = start({ env: { workers } });
    harness.report("Timeout");
    await harness.advance(2_000);
    t.is((await explain(harness)).score === 0, queued === 128);
  }
});

test("when half of the peers fail together nobody pays, and it is said once a minute", async (t) => {
  const harness = start();
  harness.reputation.tell({ type: "PeersCounted", ready: 8 });
  const fail = async (count: number): Promise<void> => {
    for (let number = 1; number <= count; number++) harness.report("Timeout", 1, peerIdOf(number));
    await harness.advance(2_000);
  };
  const said = () => harness.log.filter(({ event }) => event === OWN_FAULT);
  await fail(4);
  t.is((await explain(harness)).score, 0);
  t.like(said(), [{ fields: { excuse: "4 of 8 peers failed together", excused: 4 } }]);
  for (let i = 0; i < 10; i++) await fail(8);
  t.is(said().length, 1);
  await harness.advance(60_000);
  await fail(8);
  t.like(said()[1], { fields: { excused: 88 } });
  t.is((await explain(harness)).score, 0);
  await fail(3);
  t.true(Math.abs((await explain(harness)).score + 2) < 0.1, "three of eight are their own affair");
});

test("of two peers both may fail without any fault of ours", async (t) => {
  const harness = start();
  harness.reputation.tell({ type: "PeersCounted", ready: 2 });
  for (const number of [1, 2]) harness.report("Timeout", 1, peerIdOf(number));
  await harness.advance(2_000);
  t.is((await explain(harness)).score, -2);
});

test("what slowness cannot cause is charged all the same", async (t) => {
  const harness = start();
  harness.loop.delayMs = 60_000;
  harness.report("ProtocolViolation");
  t.is((await explain(harness)).score, -50);
});

test("at the bound of the loop's delay a timeout is still the peer's", async (t) => {
  const harness = start();
  harness.loop.delayMs = harness.config.reputation.selfBlameLoopDelayMs;
  harness.report("Timeout");
  await harness.advance(2_000);
  t.is((await explain(harness)).score, -2);
});

test("slowness bans only while enough peers are ready", async (t) => {
  const harness = start();
  harness.report("Timeout", 60);
  await harness.advance(2_000);
  t.is(harness.subscriber.of("PeerBanned").length, 0);
  harness.reputation.tell({ type: "PeersCounted", ready: 9 });
  await harness.settle();
  harness.report("Timeout");
  await harness.advance(2_000);
  t.is(harness.subscriber.of("PeerBanned").length, 1);
});

test("to unban is told, stored, and resets the score", async (t) => {
  const harness = start();
  harness.report("InvalidBlock");
  await harness.settle();
  harness.subscriber.take();
  harness.reputation.tell({ type: "Unban", peerId: peer });
  await harness.settle();
  t.deepEqual(
    harness.subscriber.take().map(({ type }) => type),
    ["BanForgotten", "PeerJudged"],
  );
  t.deepEqual(harness.stores.peers.records(), []);
  t.is((await explain(harness)).score, 0);
  harness.reputation.tell({ type: "Unban", peerId: peer });
  await harness.settle();
  t.deepEqual(harness.subscriber.take(), []);
});

test("what a peer brought and broke is told, once for all reports of a batch", async (t) => {
  const harness = start();
  harness.scheduler.messagesPerTurn = 64;
  harness.report("GoodTransaction", 20);
  harness.report("QuickResponse", 20, peerIdOf(2));
  await harness.settle();
  const told = harness.subscriber.of("PeerDid");
  t.deepEqual([...new Set(told.map(({ peerId }) => peerId))], [peer]);
  t.true(told.length < 20, `${told.length} messages`);
  t.like(told.at(-1), { deeds: { usefulTransactions: 20, usefulBlocks: 0 } });
});

test("to explain gives score, class, ban and reasons", async (t) => {
  const harness = start();
  harness.report("GoodBlock");
  harness.report("InvalidBlock");
  const explained = await explain(harness);
  t.is(explained.class, "banned");
  t.is(explained.ban?.peerId, peer);
  t.deepEqual(
    explained.entries.map(({ event, detail, wallMs }) => [event, detail, wallMs]),
    [
      ["GoodBlock", "why", START_WALL_MS],
      ["InvalidBlock", "why", START_WALL_MS],
    ],
  );
});

test("the end of a ban is published, and long after it is gone from the store", async (t) => {
  const harness = start();
  const ends = () => published(harness.events).filter(({ type }) => type === "PeerUnbanned");
  harness.report("InvalidBlock");
  await harness.advance(HOUR_MS - 1);
  t.deepEqual(ends(), []);
  await harness.advance(1);
  t.deepEqual(ends(), [{ type: "PeerUnbanned", peerId: peer }]);
  t.is(bansIn(harness.stores.peers).length, 1);
  await harness.advance(harness.config.reputation.banRememberedMs);
  t.deepEqual(harness.stores.peers.records(), []);
  t.is(ends().length, 1);
});

test("of too many stored bans, and of those long past, nothing stays in the store", async (t) => {
  const first = createHarness();
  const { peers } = first.stores;
  for (let i = 0; i < 50; i++) {
    const untilWallMs = START_WALL_MS + (i < 10 ? -7 * 24 * HOUR_MS : HOUR_MS);
    await peers.put({ peerId: peerIdOf(i), ban: { untilWallMs, reason: "", count: 1 } });
  }
  const harness = start({ env: { peers }, config: { reputation: { bansKeptMax: 16 } } });
  await harness.settle();
  t.is(peers.records().length, 16);
  harness.report("InvalidBlock", 1, peerIdOf(99));
  await harness.settle();
  t.is(peers.records().length, 16);
  t.true(peers.records().some(({ peerId }) => peerId === peerIdOf(99)));
  await harness.advance(7 * 24 * HOUR_MS);
  t.deepEqual(peers.records(), []);
});

test("a ban that gives way to newer ones is told to have ended", async (t) => {
  const harness = start({ config: { reputation: { bansKeptMax: 16 } } });
  const banned = new Set<string>();
  for (let i = 0; i < 40; i++) {
    harness.report("InvalidBlock", 1, peerIdOf(i));
    await harness.advance(1);
    for (const verdict of harness.subscriber.take()) {
      if (verdict.type === "PeerBanned") banned.add(verdict.ban.peerId);
      if (verdict.type === "BanForgotten") banned.delete(verdict.peerId);
    }
  }
  const kept = await bansOf(harness, harness.reputation);
  t.deepEqual([...banned].sort(), kept.map(({ peerId }) => peerId).sort());
});

test("bans survive a restart of the node", async (t) => {
  const first = start();
  first.report("InvalidBlock");
  await first.settle();
  const second = start({ env: { peers: first.stores.peers } });
  await second.settle();
  t.deepEqual(
    second.subscriber.of("PeerBanned").map(({ ban }) => ban.peerId),
    [peer],
  );
  t.is((await explain(second)).class, "banned");
});

test("a ban that cannot be stored holds in memory, and the failure is logged", async (t) => {
  const full = (): Promise<void> =>
    Promise.reject(new CodedError("STORE_FAILED", "The disk is full."));
  const failing: PeerStore = { records: () => [], put: full, delete: full, close: async () => {} };
  const harness = start({ env: { peers: failing } });
  harness.report("InvalidBlock");
  await harness.settle();
  t.is(harness.subscriber.of("PeerBanned").length, 1);
  const line = harness.log.find(({ event }) => event === "the peer store failed");
  t.regex(String(line?.fields.error), /The disk is full/);
});

test("a class is told when it changes, with how long it lasts, and now and then while it stays", async (t) => {
  const harness = start();
  const { halfLifeMs, probationScore } = harness.config.reputation;
  harness.report("ProtocolViolation");
  await harness.settle();
  const told = () => harness.subscriber.of("PeerJudged");
  t.like(told()[0], { class: "probation", score: probationScore, lastsMs: 0 });
  harness.report("InvalidTransaction");
  await harness.settle();
  t.is(told().length, 1, "it is on probation");
  await harness.advance(61_000);
  harness.report("InvalidTransaction");
  await harness.settle();
  const { score, lastsMs } = told().at(-1)!;
  t.is(told().length, 2);
  t.true(Math.abs(score * 0.5 ** (lastsMs / halfLifeMs) - probationScore) < 1e-6);
  harness.reputation.tell({ type: "Unban", peerId: peer });
  harness.report("InvalidBlock");
  await harness.settle();
  harness.reputation.tell({ type: "Unban", peerId: peer });
  await harness.settle();
  t.like(told().at(-1), { class: "good", score: 0 });
});

test("under a flood of reports the oldest are dropped, and commands still come through", async (t) => {
  const harness = start();
  await harness.settle();
  harness.report("UnprovenClaim", 1_000);
  harness.reputation.tell({ type: "PeersCounted", ready: 0 });
  t.is((await explain(harness)).score, -128);
});
