import test from "ava";
import { originOf } from "../../../src/actors/peer/eviction.js";
import { historyOf } from "../../../src/actors/peer/explain-peer.js";
import type { KnownEndpoint } from "../../../src/actors/peer/known-endpoints.js";
import { PeerBook } from "../../../src/actors/peer/peer-book.js";
import type { Entry } from "../../../src/actors/peer/peer-entry.js";
import { NO_DEEDS } from "../../../src/actors/peer/peer-deeds.js";
import { NO_GOSSIP } from "../../../src/actors/peer/gossip-times.js";
import { PeerPerformance, performanceOf } from "../../../src/actors/peer/peer-performance.js";
import { connected } from "../../../src/actors/peer/peer-state.js";
import { resolveConfig, type NetworkConfigInput } from "../../../src/config.js";
import { parseAddress, type Endpoint } from "../../../src/protocol/address.js";
import { peerIdOf, refusing, SELF } from "../support.js";
import { handshakeOf } from "../remote-peer.js";

const WALL_MS = 1_700_000_000_000;
const at = (monotonicMs: number) => ({ monotonicMs, wallMs: WALL_MS + monotonicMs });
const addresses = (targets: readonly { readonly address: string }[]): string[] =>
  targets.map(({ address }) => address);
const endpoint = (number: number): Endpoint => parseAddress(`10.0.${number % 256}.1:8765`);

function bookOf(config: NetworkConfigInput = {}) {
  const book = new PeerBook({
    self: SELF,
    config: resolveConfig(config),
    schemes: new Set(["tcp"]),
    secret: "",
    float: () => 0.5,
  });
  let id = 0;
  /** A connection as the registry enters it. */
  const open = (number: number, more: Partial<Entry> = {}): Entry => {
    const entry: Entry = {
      id: ++id,
      peerId: peerIdOf(number),
      direction: "inbound",
      remote: endpoint(number),
      origin: originOf(endpoint(number).host),
      dialed: undefined,
      purpose: "full",
      handler: { ...refusing<never>(), path: `/peer-${id}` },
      state: connected(0),
      head: undefined,
      capabilities: new Set(),
      performance: performanceOf(new PeerPerformance().snapshot(), NO_GOSSIP, NO_DEEDS),
      deeds: NO_DEEDS,
      gone: { reason: "Closed", byPeer: false, detail: "" },
      ...more,
    };
    book.connected(entry);
    return entry;
  };
  /** Comes, is ready, and goes. */
  const visit = (number: number, host: string, nowMs = 0): void => {
    const entry = open(number, { remote: { scheme: "tcp", host, port: 1 } });
    book.becameReady(entry, handshakeOf(), at(nowMs));
    book.connections.beganClosing(entry, nowMs);
    book.connections.remove(entry);
  };
  const ban = (number: number, lastsMs: number, nowMs = 0): void => {
    const untilWallMs = at(nowMs).wallMs + lastsMs;
    book.banned({ peerId: peerIdOf(number), untilWallMs, reason: "", count: 1 }, at(nowMs));
  };
  const due = (nowMs: number): readonly KnownEndpoint[] =>
    book.due(at(nowMs)).map(({ target }) => target);
  return { book, due, open, visit, ban };
}

test("nobody is dialed twice, nor whose peer is connected, nor past the slots", (t) => {
  const { book, due, open } = bookOf({ maxOutbound: 3, dial: { concurrentMax: 2 } });
  for (let i = 1; i <= 5; i++) book.endpoints.add(endpoint(i), "configured");
  const first = due(0);
  t.is(first.length, 2);
  for (const target of first) book.endpoints.dialing(target, WALL_MS);
  t.deepEqual(due(0), []);
  const entry = open(1, { direction: "outbound", dialed: endpoint(1) });
  t.is(due(0).length, 1);
  book.becameReady(entry, handshakeOf(), at(0));
  // Known by another name too.
  const pinned = { ...endpoint(9), peerId: peerIdOf(1) };
  t.deepEqual(book.want(pinned), { type: "connected", peerId: peerIdOf(1) });
  t.false(addresses(due(0)).some((address) => address.includes("@")));
  book.invariants();
});

for (const [where, host, stays] of [
  ["its address keeps its place there", "9.1.1.1", true],
  ["another address gives its place away", "9.3.1.1", false],
] as const) {
  test(`whoever dialed this node from ${where}, untested`, (t) => {
    const { book, open } = bookOf({
      maxOutbound: 1,
      dial: { blocksOnlyMax: 0 },
      addresses: { triedBuckets: 1, bucketSize: 1, newBuckets: 64 },
    });
    book.endpoints.add(endpoint(50), "asked");
    open(50, { direction: "outbound", dialed: endpoint(50) });
    const [friend, rival] = [parseAddress("9.1.1.1:1"), parseAddress("9.2.1.1:1")];
    book.addresses.found(friend, peerIdOf(1), WALL_MS);
    const entry = open(1, { remote: { ...friend, host, port: 9 } });
    book.becameReady(entry, handshakeOf(), at(0));
    // Longer than whoever was found lately keeps its place for that.
    const laterMs = 5 * 3_600_000;
    book.addresses.found(rival, peerIdOf(2), at(laterMs).wallMs);
    for (let minute = 0; minute < 60; minute++) {
      const now = at(laterMs + minute * 60_000);
      for (const one of book.due(now)) {
        book.dialing(one, now.wallMs);
        book.ended(one.target, now.monotonicMs, { why: "", alone: false });
      }
    }
    t.is(book.addresses.get(friend)?.isTried ?? false, stays);
    t.is(book.addresses.get(rival)?.isTried ?? false, !stays);
  });
}

test("whoever is wanted comes first, or hears that there is no slot or no room", (t) => {
  const { book, due } = bookOf({ maxOutbound: 1, dial: { candidatesMax: 2 } });
  book.endpoints.add(endpoint(1), "configured");
  t.is(book.want(endpoint(2)).type, "waits");
  const [target] = due(0);
  t.deepEqual(target?.endpoint, endpoint(2));
  book.endpoints.dialing(target!, WALL_MS);
  t.is(book.want(endpoint(2)).type, "waits", "the dial that is under way is theirs");
  t.is(book.want(endpoint(1)).type, "full");
  t.is(book.want(endpoint(3)).type, "unknown");
});

test("the endpoint of a banned peer is left alone until the ban ends, unless it is trusted", (t) => {
  for (const trustedPeers of [[], [peerIdOf(1)]]) {
    const { book, due, open, ban } = bookOf({ trustedPeers, maxInbound: 8 });
    const entry = open(1, { direction: "outbound", dialed: endpoint(1) });
    book.connections.beganClosing(entry, 0);
    const target = book.targetOf(entry)!;
    book.endpoints.failed(target, 0, { why: "", alone: true });
    ban(1, 1_000_000);
    t.is(due(999_999).length, trustedPeers.length);
    t.is(due(1_000_000).length, 1);
  }
});

test("whoever was sent away is neither dialed nor let in before its time, unless it is asked for", (t) => {
  const { book, open } = bookOf({ trustedPeers: [peerIdOf(1)], maxInbound: 8 });
  const entry = open(1, { direction: "outbound", dialed: endpoint(1) });
  book.connections.beganClosing(entry, 0);
  book.absences.begin(peerIdOf(1), 1_000_000, 0);
  book.endpoints.failed(book.targetOf(entry)!, 0, { why: "", alone: true });
  const slot = { peerId: peerIdOf(1), direction: "inbound", remote: endpoint(1) } as const;
  const detail = "the operator sent it away, for 1 s";
  t.like(book.admit(slot, 999_999), { admit: false, reason: "Banned", detail });
  t.true(book.admit(slot, 1_000_000).admit);
  t.is(book.want(endpoint(1)).type, "waits");
  t.true(book.admit(slot, 999_999).admit, "it was asked for");
});

test("a claim is never lowered, and ends with its connection", (t) => {
  const { book, open } = bookOf();
  const claim = (totalDifficulty: bigint) => ({
    height: 1n,
    hash: "ab".repeat(32),
    totalDifficulty,
  });
  t.is(book.claimed(peerIdOf(1), claim(99n)), undefined);
  const entry = open(1);
  t.is(book.claimed(peerIdOf(1), claim(99n)), undefined, "it is not ready");
  book.becameReady(entry, handshakeOf({ head: claim(50n) }), at(0));
  t.is(book.claimed(peerIdOf(1), claim(49n)), undefined);
  t.is(book.claimed(peerIdOf(1), claim(51n)), entry);
  t.deepEqual(entry.head, { claimed: claim(51n) });
  book.connections.beganClosing(entry, 0);
  t.is(book.claimed(peerIdOf(1), claim(99n)), undefined);
});

test("an endpoint stays taken while one of its connections is open", (t) => {
  const { book, open } = bookOf();
  const outbound = { direction: "outbound", dialed: endpoint(1) } as const;
  const [first, second] = [open(1, outbound), open(2, outbound)];
  book.connections.beganClosing(first, 0);
  t.is(book.targetOf(first), undefined);
  book.connections.beganClosing(second, 0);
  t.deepEqual(book.targetOf(second)?.endpoint, endpoint(1));
});

test("what a peer says of itself is kept as far as it can be dialed", (t) => {
  const { book, open } = bookOf();
  const listenAddresses = ["tcp://1.2.3.4:5", "nonsense", "tcp://0.0.0.0:5", "tcp://1.2.3.4:0"];
  book.becameReady(open(1), handshakeOf({ listenAddresses }), at(0));
  t.deepEqual(book.peers.get(peerIdOf(1))?.told, [parseAddress("tcp://1.2.3.4:5")]);
  t.is([...book.endpoints.all()].length, 0, "that alone has nobody dialed");
});

test("what a peer says of other hosts is believed no further than what anybody tells of them", (t) => {
  const { book, open } = bookOf();
  const third = [22, 25, 443, 2_001, 2_002].map((port) => `tcp://7.7.7.7:${port}`);
  const listenAddresses = ["tcp://8.8.8.8:443", ...third];
  const remote = parseAddress("8.8.8.8:50000");
  book.becameReady(open(1, { remote }), handshakeOf({ listenAddresses }), at(0));
  t.deepEqual(
    [...book.addresses.all()].map(({ address }) => address),
    ["tcp://8.8.8.8:443", "tcp://7.7.7.7:2001"],
  );
});

test("ever new keys of one network push out each other", (t) => {
  const { book, visit, ban, open } = bookOf({ reputation: { peersTrackedMax: 20 } });
  for (let i = 1; i <= 10; i++) visit(i, `8.8.${i}.1`);
  ban(2_000, 60_000);
  book.becameReady(open(3_000, { remote: parseAddress("6.6.6.1:1") }), handshakeOf(), at(0));
  for (let i = 100; i < 1_000; i++) {
    visit(i, `6.6.6.${i % 250}`);
    book.invariants();
  }
  for (let i = 1; i <= 10; i++) t.not(book.peers.get(peerIdOf(i)), undefined, `${i}`);
  t.not(book.peers.get(peerIdOf(2_000)), undefined, "banned");
  t.not(book.peers.get(peerIdOf(3_000)), undefined, "connected");
  t.is([...book.peers.all()].length, 20);
});

test("a ban refuses its peer until it ends, whatever becomes of the wall clock", (t) => {
  const { book, ban } = bookOf();
  const candidate = { peerId: peerIdOf(1), direction: "inbound", remote: endpoint(1) } as const;
  const reason = (nowMs: number): string => {
    const admission = book.admit(candidate, nowMs);
    return admission.admit ? "admitted" : admission.reason;
  };
  t.is(reason(0), "admitted");
  ban(1, 60_000);
  t.is(reason(59_999), "Banned");
  t.is(reason(60_000), "admitted");
});

test("preferred peers are dialed first, those on probation last, while that lasts", (t) => {
  const { book, due } = bookOf();
  for (const number of [1, 2, 3]) {
    const target = book.endpoints.add(endpoint(number), "configured", number)!;
    target.peerId = peerIdOf(number);
  }
  book.judged(peerIdOf(1), { class: "probation", score: -60, lastsMs: 1_000 }, 0);
  book.judged(peerIdOf(3), { class: "preferred", score: 60, lastsMs: 2_000 }, 0);
  const order = (nowMs: number) => due(nowMs).map(({ peerId }) => Number(peerId));
  t.deepEqual(order(999), [3, 2, 1]);
  t.deepEqual(order(1_000), [3, 1, 2]);
  t.deepEqual(order(2_000), [1, 2, 3]);
});

test("what was stored is known again: bans hold, and endpoints are dialed after the seeds", (t) => {
  const first = bookOf();
  const entry = first.open(1, { direction: "outbound", dialed: endpoint(1) });
  first.book.becameReady(entry, handshakeOf(), at(0));
  first.ban(2, 60_000);
  const records = first.book.records
    .takeChanged()
    .map((peerId) => first.book.records.recordOf(peerId)!);
  t.is(records.length, 2);
  const { book, due } = bookOf();
  book.endpoints.add(endpoint(3), "configured");
  t.deepEqual(
    book.records.restore(records, at(1_000)).map(({ peerId }) => peerId),
    [peerIdOf(2)],
  );
  t.deepEqual(book.records.takeChanged(), [], "nothing is to be written");
  t.deepEqual(
    records.map(({ peerId }) => book.records.recordOf(peerId)),
    records,
  );
  t.deepEqual(addresses(due(1_000)), ["tcp://10.0.3.1:8765", "tcp://10.0.1.1:8765"]);
  t.not(book.peers.banOf(peerIdOf(2), 1_000), undefined);
  t.is(book.peers.banOf(peerIdOf(2), 60_000), undefined);
});

test("an endpoint belongs to whoever was found there last", (t) => {
  const { book, open } = bookOf();
  const visit = (number: number): void => {
    const entry = open(number, { direction: "outbound", dialed: endpoint(1) });
    book.becameReady(entry, handshakeOf(), at(number));
    book.connections.beganClosing(entry, 0);
    book.endpoints.failed(book.targetOf(entry)!, 0, { why: "", alone: true });
  };
  visit(1);
  t.is(book.records.recordOf(peerIdOf(1))?.endpoints?.length, 1);
  book.records.takeChanged();
  visit(2);
  t.deepEqual([...book.records.takeChanged()].sort(), [peerIdOf(1), peerIdOf(2)]);
  t.is(book.records.recordOf(peerIdOf(1)), undefined);
  t.is(book.records.recordOf(peerIdOf(2))?.endpoints?.length, 1);
});

test("whatever a store answers, what is none is left out and written anew", (t) => {
  const { book } = bookOf({ dial: { candidatesMax: 4 }, reputation: { bansKeptMax: 2 } });
  const [good, half] = [peerIdOf(1), peerIdOf(2)];
  const ban = { untilWallMs: WALL_MS + 1_000, reason: "", count: 1 };
  const where = { address: "tcp://10.0.0.1:1", readyWallMs: WALL_MS };
  const nonsense = [null, 7, "x", [], {}, { peerId: 7 }, { peerId: "AB" }, { peerId: "x", ban }];
  const odd = [
    { ...where, address: "nowhere" },
    { ...where, address: "tcp://10.0.0.1:0" },
    { ...where, readyWallMs: "now" },
    { ...where, address: "tcp://10.0.0.2:1", readyWallMs: WALL_MS + 1 },
    { ...where, address: "tcp://10.0.0.3:1", readyWallMs: 0 },
    null,
  ];
  const many = Array.from({ length: 9 }, (_, i) => ({ ...where, address: `tcp://10.1.0.${i}:1` }));
  book.records.restore(
    [
      ...nonsense,
      { peerId: good, ban, endpoints: [where] },
      { peerId: half, ban: { ...ban, count: 0 }, endpoints: odd },
      { peerId: peerIdOf(3), ban },
      { peerId: peerIdOf(4), ban: { ...ban, untilWallMs: WALL_MS - 1 } },
      { peerId: peerIdOf(5), endpoints: many },
    ],
    at(0),
  );
  book.invariants();
  t.deepEqual([...book.records.takeChanged()].sort(), [half, peerIdOf(4), peerIdOf(5)]);
  t.is(book.records.recordOf(half), undefined);
  t.deepEqual(book.records.recordOf(good), { peerId: good, ban, endpoints: [where] });
  t.is(book.records.recordOf(peerIdOf(5))?.endpoints?.length, 3);
  t.is(book.addresses.size, 4);
});

test("a peer is explained by all that is known of it", (t) => {
  const { book, open, ban } = bookOf({ trustedPeers: [peerIdOf(1)], maxInbound: 8 });
  const unknown = historyOf(book, peerIdOf(9), undefined, at(0));
  t.like(unknown, { class: "good", score: 0, trusted: false, awayMs: 0, readyWallMs: null });
  book.absences.begin(peerIdOf(8), 5_000, 0);
  t.is(historyOf(book, peerIdOf(8), undefined, at(2_000)).awayMs, 3_000);
  t.deepEqual([...unknown.connections, ...unknown.endpoints, ...unknown.told], []);
  const target = book.endpoints.add(endpoint(1), "configured")!;
  book.endpoints.dialing(target, WALL_MS);
  book.endpoints.failed(target, 0, { why: "refused", alone: true });
  const listenAddresses = ["tcp://1.2.3.4:5"];
  const entry = open(1, { direction: "outbound", dialed: endpoint(1) });
  book.becameReady(entry, handshakeOf({ listenAddresses }), at(500));
  ban(1, 60_000);
  const history = historyOf(book, peerIdOf(1), undefined, at(2_000));
  const { address } = target;
  t.like(history, {
    class: "banned",
    trusted: true,
    readyWallMs: WALL_MS + 500,
    told: listenAddresses,
  });
  t.is(history.ban?.untilWallMs, WALL_MS + 60_000);
  t.like(history.connections, [{ direction: "outbound", address, phase: "ready", forMs: 1_500 }]);
  t.deepEqual(history.endpoints, [
    {
      address,
      source: "configured",
      state: "connected",
      failures: 1,
      dialedWallMs: WALL_MS,
      readyWallMs: WALL_MS + 500,
      end: "refused",
      waitMs: 0,
    },
  ]);
  t.like(history.addresses[0], { address, isTried: true, foundWallMs: WALL_MS + 500 });
  t.is(history.addresses.length, 1, "what it says of another host is no more than told");
  t.deepEqual(structuredClone(history), history);
});
