import test from "ava";
import { HeaderExchanges, answered } from "../../../src/actors/sync/header-exchanges.js";
import type { SyncPeer } from "../../../src/actors/sync/sync-peers.js";
import type { Direction } from "../../../src/ports.js";
import { peerIdOf } from "../support.js";
import { chainOf, hashAt } from "./plan-bench.js";

function peer(number: number, direction: Direction, more: Partial<SyncPeer> = {}): SyncPeer {
  return {
    peerId: peerIdOf(number),
    handler: { path: "", tell: () => true },
    direction,
    head: { height: 1n, hash: hashAt(1), totalDifficulty: BigInt(number) },
    claimedMs: 0,
    score: 0.5,
    askedMs: number,
    askedDifficulty: 0n,
    refutedDifficulty: 0n,
    notBeforeMs: 0,
    failures: 0,
    heard: false,
    ...more,
  };
}

function asked(exchanges: HeaderExchanges, one: SyncPeer, nowMs = 0) {
  const exchange = exchanges.begin(one, "claim");
  const tag = exchange.id;
  exchange.step = {
    name: "asked",
    tag,
    askedMs: nowMs,
    countMax: 16,
    headHeight: 0,
    commonHeight: -1,
  };
  return exchange;
}

function proven(exchanges: HeaderExchanges, one: SyncPeer, blocks: number, atMs = 0) {
  const exchange = exchanges.begin(one, "claim");
  exchange.chain = chainOf(blocks);
  exchange.provenMs = atMs;
  return exchange;
}

const exchangesOf = (headerPeersMax: number): HeaderExchanges =>
  new HeaderExchanges({ headerPeersMax, headersFirst: 32 });

const prefers = (a: { totalDifficulty: bigint }, b: { totalDifficulty: bigint }): boolean =>
  a.totalDifficulty > b.totalDifficulty;

function chooseAll(exchanges: HeaderExchanges, peers: readonly SyncPeer[]): number[] {
  const chosen: number[] = [];
  for (let next = exchanges.choose(peers); next; next = exchanges.choose(peers)) {
    asked(exchanges, next);
    chosen.push(Number.parseInt(next.peerId, 16));
  }
  return chosen;
}

test("whom this node dialed and who dialed it have places of their own, the former first", (t) => {
  const exchanges = exchangesOf(2);
  const inbound = [11, 12, 13].map((number) => peer(number, "inbound"));
  const outbound = [1, 2, 3].map((number) => peer(number, "outbound"));
  const chosen = chooseAll(exchanges, [...inbound, ...outbound]);
  t.deepEqual(
    chosen.map((number) => number > 10),
    [false, false, true, true],
  );
  exchanges.invariants();
});

test("the best promise is asked first, then who waits longest, by turns", (t) => {
  const exchanges = exchangesOf(4);
  const peers = [1, 2, 3, 4, 5, 6].map((number) => peer(number, "inbound"));
  t.deepEqual(chooseAll(exchanges, peers), [6, 1, 5, 2]);
});

test("ever new keys with ever larger claims keep nobody from being asked", (t) => {
  const exchanges = exchangesOf(4);
  const honest = peer(1, "inbound", { failures: 6, askedMs: 100 });
  let strangers = 10;
  const others: SyncPeer[] = [];
  for (let round = 0; round < 20 && exchanges.of(honest.peerId) === undefined; round++) {
    // They come, keep their places and go.
    for (const { peerId } of others.splice(0)) exchanges.end(peerId);
    const more = Array.from({ length: 31 }, () => peer(++strangers, "inbound"));
    others.push(...more.map((one) => ({ ...one, askedMs: 101 + round })));
    chooseAll(exchanges, [...others, honest]);
  }
  t.truthy(exchanges.of(honest.peerId));
});

test("of the same promise who failed less is asked first, then the better score", (t) => {
  const head = peer(1, "outbound").head;
  const failed = peer(1, "outbound", { head, failures: 1, score: 0.9, askedMs: 0 });
  const good = peer(2, "outbound", { head, score: 0.8, askedMs: 9 });
  const slow = peer(3, "outbound", { head, score: 0.7, askedMs: 9 });
  t.is(exchangesOf(4).choose([failed, slow, good])?.peerId, good.peerId);
});

test("a place that others wait for is lost after some patience, headers earn of it", (t) => {
  const exchanges = exchangesOf(1);
  const first = asked(exchanges, peer(1, "inbound"));
  const patienceMs = (): number => 2_000;
  const late = (peers: readonly SyncPeer[], nowMs: number): readonly string[] =>
    exchanges.late(peers, patienceMs, nowMs).map(({ peerId }) => peerId);
  const others = [peer(2, "inbound")];
  t.deepEqual(late(others, 1_999), []);
  t.deepEqual(late(others, 2_000), [first.peerId]);
  t.deepEqual(late([peer(3, "outbound")], 2_000), [], "another direction has its own places");
  t.deepEqual(late([peer(1, "inbound")], 2_000), [], "nobody else waits");
  answered(first, 500, 1_500);
  t.is(first.waitedMs, 1_000);
  asked(exchanges, peer(9, "outbound"));
  exchanges.renew(90_000);
  t.deepEqual(late(others, 90_000), [], "this node slept");
});

test("the heaviest proof wins, of peers that failed the least", (t) => {
  const exchanges = exchangesOf(4);
  proven(exchanges, peer(1, "outbound"), 5);
  const heavier = proven(exchanges, peer(2, "outbound"), 9);
  proven(exchanges, peer(3, "outbound", { failures: 1 }), 20);
  t.is(exchanges.decide(prefers, 0), heavier);
});

test("a proof waits a moment for those that were asked too, if they are worth it", (t) => {
  const exchanges = exchangesOf(4);
  const first = proven(exchanges, peer(1, "inbound"), 5, 100);
  const silent = asked(exchanges, peer(2, "inbound"));
  t.deepEqual(exchanges.decide(prefers, 100), { waitMs: 500 });
  t.is(exchanges.decide(prefers, 600), first);
  exchanges.end(silent.peerId);
  t.is(exchanges.decide(prefers, 100), first, "nobody else was asked");
  asked(exchanges, peer(3, "inbound", { failures: 1 }));
  t.is(exchanges.decide(prefers, 100), first, "one that failed is not waited for");
  const dialed = proven(exchanges, peer(4, "outbound"), 9, 100);
  asked(exchanges, peer(5, "inbound"));
  t.is(exchanges.decide(prefers, 100), dialed, "nor is a stranger beside one that was dialed");
});

test("nothing is decided before something is proven", (t) => {
  const exchanges = exchangesOf(4);
  asked(exchanges, peer(1, "outbound"));
  t.is(exchanges.decide(prefers, 1e9), undefined);
  t.is(exchanges.waitingFor(1_500), "headers from 00000000 for 1.5 s");
  asked(exchanges, peer(2, "outbound"));
  t.is(exchanges.waitingFor(1_500), "headers from 2 peers for 1.5 s");
});
