import test from "ava";
import { originOf } from "../../../src/actors/peer/eviction.js";
import { NO_GOSSIP } from "../../../src/actors/peer/gossip-times.js";
import type { KnownEndpoint } from "../../../src/actors/peer/known-endpoints.js";
import { NO_DEEDS } from "../../../src/actors/peer/peer-deeds.js";
import type { Entry } from "../../../src/actors/peer/peer-entry.js";
import { PeerPerformance, performanceOf } from "../../../src/actors/peer/peer-performance.js";
import { connected } from "../../../src/actors/peer/peer-state.js";
import { handshakeOf } from "../remote-peer.js";
import { PeerBook } from "../../../src/actors/peer/peer-book.js";
import type { Due } from "../../../src/actors/peer/outbound.js";
import { resolveConfig, type NetworkConfigInput } from "../../../src/config.js";
import { parseAddress, type Endpoint } from "../../../src/protocol/address.js";
import { seededRandom } from "../../../src/runtime/random.js";
import { peerIdOf, refusing, SELF } from "../support.js";

const WALL_MS = 1_700_000_000_000;
const MINUTE_MS = 60_000;
const why = "";

/** The numbered address of a numbered group. */
const address = (group: number, number = 1): Endpoint => ({
  scheme: "tcp",
  host: `${20 + (group >> 8)}.${group & 255}.${number >> 8}.${number & 255}`,
  port: 8765,
});

/** A connection that this node made, as the registry enters it. */
function entryOf({ id, peerId, remote }: Pick<Entry, "id" | "peerId" | "remote">): Entry {
  return {
    id,
    peerId,
    direction: "outbound",
    remote,
    origin: originOf(remote.host),
    dialed: remote,
    purpose: "full",
    handler: { ...refusing<never>(), path: `/peer-${id}` },
    state: connected(0),
    head: undefined,
    capabilities: new Set(),
    performance: performanceOf(new PeerPerformance().snapshot(), NO_GOSSIP, NO_DEEDS),
    deeds: NO_DEEDS,
    gone: { reason: "Closed", byPeer: false, detail: "" },
  };
}

/** A book whose dials end as these tests say; `step` is a look at what is due. */
function nodeOf(config: NetworkConfigInput = {}, seed = "outbound") {
  const random = seededRandom(seed);
  const book = new PeerBook({
    self: SELF,
    config: resolveConfig(config),
    schemes: new Set(["tcp"]),
    secret: seed,
    float: () => random.float(),
  });
  let nowMs = 0;
  let peers = 0;
  const entries = new Map<string, Entry>();
  const now = () => ({ monotonicMs: nowMs, wallMs: WALL_MS + nowMs });
  const node = {
    book,
    hear: (endpoints: readonly Endpoint[], host = "9.9.9.9") =>
      book.addresses.learned(endpoints, { host }, now().wallMs),
    find: (endpoint: Endpoint) => book.addresses.found(endpoint, peerIdOf(++peers), now().wallMs),
    /** What is dialed next, at most once a draw. */
    step(): readonly Due[] {
      const due = book.due(now());
      for (const one of due) book.dialing(one, now().wallMs);
      return due;
    },
    nowMs: () => nowMs,
    /** A peer is there, and shakes hands: its id. */
    join(due: Due): string {
      const { endpoint } = due.target;
      const entry = entryOf({ id: ++peers, peerId: peerIdOf(peers), remote: endpoint });
      book.connected(entry);
      book.becameReady(entry, handshakeOf(), now());
      entries.set(entry.peerId, entry);
      return entry.peerId;
    },
    /** It brought a block that was new. */
    brings: (peerId: string) => book.did(peerId, { ...NO_DEEDS, usefulBlockMs: nowMs }, nowMs),
    leave(target: KnownEndpoint): void {
      const entry = entries.get(target.peerId!)!;
      book.connections.beganClosing(entry, nowMs);
      book.connections.remove(entry);
      book.ended(target, nowMs, { why, alone: false, grows: false, wasReady: true });
    },
    here: () => [...book.connections.open()].map(({ peerId }) => peerId),
    connect: ({ target }: Due) => book.endpoints.connected(target, peerIdOf(++peers)),
    fail: ({ target }: Due) => book.ended(target, nowMs, { why, alone: false }),
    surplus: () => book.surplus(nowMs),
    pass: (durationMs: number) => void (nowMs += durationMs),
    /** Dials and connects until nothing is due; answers what was. */
    fill(isThere: (due: Due) => boolean = () => true): readonly Due[] {
      const all: Due[] = [];
      for (let idle = 0; idle < 4; idle++, nowMs += 1_000) {
        for (const due of node.step()) {
          idle = 0;
          all.push(due);
          if (isThere(due)) node.connect(due);
          else node.fail(due);
        }
      }
      book.addresses.invariants();
      return all;
    },
  };
  return node;
}

const hostsOf = (due: readonly Due[]): string[] => due.map(({ target }) => target.endpoint.host);
const purposesOf = (due: readonly Due[]): string[] => due.map(({ purpose }) => purpose).sort();

test("slots are filled with what was heard of, one of a group, and two more for blocks alone", (t) => {
  const node = nodeOf();
  for (let group = 0; group < 30; group++) node.hear([address(group, 1), address(group, 2)]);
  const due = node.fill();
  t.is(due.length, 10);
  t.deepEqual(purposesOf(due), ["blocks", "blocks", ...Array<string>(8).fill("full")]);
  t.is(new Set(hostsOf(due).map((host) => node.book.addresses.groupOf(host))).size, 10);
});

test("few groups get few slots, however many addresses they have", (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const node = nodeOf({}, `groups ${seed}`);
    for (let i = 0; i < 30; i++) node.find(address(100 + i));
    for (let i = 0; i < 1_000; i++) node.hear([address(i % 4, i)], `7.${i % 4}.1.1`);
    const due = node.fill();
    t.is(due.length, 10);
    const hostile = hostsOf(due).filter((host) => Number(host.split(".")[1]) < 4);
    t.true(hostile.length <= 4, `${hostile.length} of 10`);
  }
});

test("hosts of a local network share no group, unless that is asked for", (t) => {
  const local = Array.from({ length: 9 }, (_, i) => parseAddress(`192.168.1.${i + 1}:8765`));
  const open = nodeOf();
  open.hear(local, "192.168.1.99");
  t.is(open.fill().length, 9);
  const strict = nodeOf({ dial: { exemptLocal: false } });
  strict.hear(local, "192.168.1.99");
  t.is(strict.fill().length, 1);
});

test("seeds come first, and are left to others once half of the slots are filled", (t) => {
  const seedPeers = ["9.1.1.1:1", "9.2.1.1:1"];
  const node = nodeOf({ maxOutbound: 4, dial: { blocksOnlyMax: 0 } });
  for (const seed of seedPeers) node.book.endpoints.add(parseAddress(seed), "configured");
  for (let group = 0; group < 30; group++) node.hear([address(group)]);
  t.deepEqual(hostsOf(node.step()).slice(0, 2), ["9.1.1.1", "9.2.1.1"]);
  const [seed] = [...node.book.endpoints.all()];
  node.fill();
  for (const target of node.book.endpoints.all()) {
    if (target.state === "dialing") node.connect({ target, purpose: "full" });
  }
  node.book.ended(seed!, 0, { why, alone: false });
  node.pass(MINUTE_MS);
  const next = node.fill();
  t.is(next.length, 2, "one in its place, one in that of the seed that is left");
  t.false(hostsOf(next).includes("9.1.1.1"), "others are known");
});

test("a seed leaves once somebody has come in its place, and not before", (t) => {
  const node = nodeOf({ maxOutbound: 4, dial: { blocksOnlyMax: 0 } });
  const seed = node.book.endpoints.add(parseAddress("9.1.1.1:1"), "configured")!;
  const { surplus } = node;
  for (let group = 0; group < 3; group++) node.hear([address(group)]);
  node.fill();
  t.is(surplus(), undefined, "nobody else is known");
  node.hear([address(7)]);
  t.deepEqual(hostsOf(node.fill()), [address(7).host]);
  t.is(surplus(), seed);
  node.book.ended(seed, 0, { why, alone: false, grows: false });
  node.pass(MINUTE_MS);
  t.deepEqual(node.fill(), []);
});

test("seeds do not take each other's places", (t) => {
  const node = nodeOf({ maxOutbound: 4, dial: { blocksOnlyMax: 0 } });
  for (let i = 1; i <= 9; i++) node.book.endpoints.add(address(i), "configured");
  node.fill();
  node.pass(MINUTE_MS);
  node.fill();
  t.is(node.book.endpoints.count("connected"), 4);
  t.is(node.surplus(), undefined);
});

test("a seed stays where nobody is dialed but whom the operator named, or there is no place for two", (t) => {
  for (const dial of [{ onlyConfigured: true }, { feelerEveryMs: 0 }]) {
    const node = nodeOf({ maxOutbound: 4, dial: { blocksOnlyMax: 0, ...dial } });
    node.book.endpoints.add(parseAddress("9.1.1.1:1"), "configured");
    for (let group = 0; group < 9; group++) node.hear([address(group)]);
    node.fill();
    t.is(node.surplus(), undefined);
    t.true(node.book.endpoints.count("connected") <= 4);
  }
});

test("a seed is dialed on where nobody else is known", (t) => {
  const node = nodeOf({ maxOutbound: 4 });
  for (let i = 1; i <= 3; i++) node.book.endpoints.add(address(i), "configured");
  node.fill();
  const [seed] = [...node.book.endpoints.all()];
  node.book.ended(seed!, 0, { why, alone: false });
  node.pass(MINUTE_MS);
  t.deepEqual(hostsOf(node.step()), [seed!.endpoint.host]);
});

test("static peers and trusted ones are dialed whatever slots are taken", (t) => {
  const trusted = peerIdOf(7_000);
  const node = nodeOf({ maxOutbound: 2, staticPeers: ["9.1.1.1:1"], trustedPeers: [trusted] });
  for (let group = 0; group < 30; group++) node.hear([address(group)]);
  node.fill();
  node.book.endpoints.add(parseAddress("9.1.1.1:1"), "static");
  node.book.endpoints.add({ ...parseAddress("9.2.1.1:1"), peerId: trusted }, "configured");
  t.deepEqual(hostsOf(node.step()).sort(), ["9.1.1.1", "9.2.1.1"]);
  t.is(node.book.want(address(99)).type, "full");
});

test("a node that dials the operator's own alone dials nobody whom peers tell of", (t) => {
  const node = nodeOf({ dial: { onlyConfigured: true } });
  for (let group = 0; group < 30; group++) node.hear([address(group)]);
  node.find(address(99));
  t.deepEqual(node.fill(), []);
  node.book.endpoints.add(address(5), "configured");
  t.deepEqual(hostsOf(node.fill()), [address(5).host]);
  t.deepEqual(nodeOf({ maxOutbound: 0 }).fill(), []);
});

test("a book of dead addresses is dialed at a bounded rate, each ever more rarely", (t) => {
  const node = nodeOf();
  for (let i = 0; i < 1_000; i++) node.hear([address(i, i)], `7.${i % 8}.1.1`);
  let dials = 0;
  for (let i = 0; i < 4_000; i++, node.pass(100)) {
    for (const due of node.step()) {
      dials++;
      node.fail(due);
    }
  }
  t.true(dials > 300 && dials <= 1_600, `${dials} dials in 400 s`);
});

test("while all slots are taken an address is tested now and then, the found ones' rivals first", (t) => {
  const node = nodeOf({ maxOutbound: 1, dial: { blocksOnlyMax: 0 } });
  for (let group = 0; group < 30; group++) node.hear([address(group)]);
  t.deepEqual(purposesOf(node.fill()), ["full"]);
  let feelers = 0;
  for (let minute = 0; minute < 60; minute++) {
    for (let second = 0; second < 60; second++, node.pass(1_000)) {
      for (const due of node.step()) {
        t.is(due.purpose, "feeler");
        feelers++;
        node.fail(due);
      }
    }
  }
  t.true(feelers >= 20 && feelers <= 40, `${feelers} in an hour`);
  t.is([...node.book.endpoints.all()].length, 1, "what was tested is not kept");
});

test("whoever is connected keeps its place in the book: it is here, and cannot be dialed besides", (t) => {
  const node = nodeOf({
    maxOutbound: 1,
    dial: { blocksOnlyMax: 0 },
    addresses: { triedBuckets: 1, bucketSize: 1, newBuckets: 64 },
  });
  const [friend, rival] = [address(1), address(2)];
  node.find(friend);
  t.deepEqual(hostsOf(node.fill()), [friend.host]);
  // For longer than anybody who was found lately keeps its place for that.
  node.pass(300 * MINUTE_MS);
  node.find(rival);
  for (let minute = 0; minute < 60; minute++, node.pass(MINUTE_MS)) {
    for (const due of node.step()) node.fail(due);
  }
  t.true(node.book.addresses.get(friend)?.isTried);
  t.not(node.book.addresses.get(rival)?.isTried, true);
  node.book.addresses.invariants();
});

const HALF_HOUR_MS = 30 * MINUTE_MS;

/** All slots are taken, of peers that are ready, and more addresses are known. */
function full() {
  const node = nodeOf({ maxOutbound: 2, dial: { blocksOnlyMax: 0 } });
  for (let group = 0; group < 30; group++) node.hear([address(group)]);
  const tried: string[] = [];
  /** Connects whoever is dialed to stay; answers who that was. */
  const step = (): void => {
    for (const due of node.step()) {
      if (due.purpose === "feeler") node.fail(due);
      else tried.push(node.join(due));
    }
    const surplus = node.surplus();
    if (surplus !== undefined) node.leave(surplus);
  };
  const run = (forMs: number): void => {
    for (let ms = 0; ms < forMs; ms += 1_000, node.pass(1_000)) step();
  };
  run(10_000);
  return { node, run, tried };
}

test("while the chain does not grow one peer more is tried now and then, and leaves again", (t) => {
  const { node, run, tried } = full();
  t.is(tried.length, 2);
  node.book.headIs("a", node.nowMs());
  run(HALF_HOUR_MS);
  t.is(tried.length, 2);
  run(20_000);
  t.is(tried.length, 3);
  t.is(node.book.endpoints.count("connected"), 3, "it has a while to bring a block");
  run(20_000);
  t.is(node.book.endpoints.count("connected"), 2);
  t.deepEqual(node.here(), tried.slice(0, 2), "of those that bring nothing the last one leaves");
  run(HALF_HOUR_MS);
  t.is(tried.length, 5, "each ten minutes after the one before has left");
  node.book.headIs("b", node.nowMs());
  run(HALF_HOUR_MS);
  t.is(tried.length, 5, "it grows again");
});

test("whoever brings the block that was missing stays, in the place of who had none for longest", (t) => {
  const { node, run, tried } = full();
  const [one, other] = tried as [string, string];
  node.brings(one);
  node.pass(1_000);
  node.brings(other);
  node.book.headIs("a", node.nowMs());
  run(HALF_HOUR_MS + 10_000);
  const [, , third] = tried as [string, string, string];
  node.brings(third);
  node.book.headIs("b", node.nowMs());
  run(60_000);
  t.deepEqual(node.here(), [other, third]);
});

test("one more is dialed until somebody is there, however many are not", (t) => {
  const node = nodeOf({ maxOutbound: 1, dial: { blocksOnlyMax: 0 } });
  for (let group = 0; group < 30; group++) node.hear([address(group)]);
  const [first] = node.fill();
  node.book.headIs("a", node.nowMs());
  node.pass(HALF_HOUR_MS);
  let dials = 0;
  for (let second = 0; second < 60; second++, node.pass(1_000)) {
    for (const due of node.step()) {
      if (due.purpose === "full") dials++;
      node.fail(due);
    }
  }
  t.true(dials >= 20, `${dials} dials`);
  t.is(first!.target.state, "connected");
});

for (const [how, dial] of [
  ["it is asked not to", { staleTipMs: 0 }],
  ["it has no slot for it", { feelerEveryMs: 0 }],
  ["it dials the operator's alone", { onlyConfigured: true }],
] as const) {
  test(`nobody is tried for a chain that does not grow where ${how}`, (t) => {
    const node = nodeOf({ maxOutbound: 1, dial: { blocksOnlyMax: 0, ...dial } });
    node.book.endpoints.add(address(99), "configured");
    for (let group = 0; group < 30; group++) node.hear([address(group)]);
    node.fill();
    node.book.headIs("a", node.nowMs());
    node.pass(HALF_HOUR_MS);
    t.false(purposesOf(node.fill((due) => due.purpose === "full")).includes("full"));
  });
}

test("somebody who waits for an address that is only tested gets a connection", (t) => {
  const node = nodeOf({ maxOutbound: 1, dial: { blocksOnlyMax: 0 } });
  for (let group = 0; group < 30; group++) node.hear([address(group)]);
  node.fill();
  let feeler: Due | undefined;
  while (feeler === undefined) {
    node.pass(1_000);
    [feeler] = node.step();
  }
  t.is(node.book.want(feeler.target.endpoint).type, "waits");
  t.is(node.book.purposeOf(feeler.target.endpoint), "full");
});

test("peers of bad repute are drawn rarely, banned and connected ones never", (t) => {
  const counts = { bad: 0, good: 0 };
  for (let seed = 0; seed < 200; seed++) {
    const node = nodeOf({ maxOutbound: 1 }, `repute ${seed}`);
    for (let i = 1; i <= 4; i++) node.find(address(i));
    const { book } = node;
    book.judged(peerIdOf(1), { class: "probation", score: -60, lastsMs: MINUTE_MS }, 0);
    const ban = { untilWallMs: WALL_MS + MINUTE_MS, reason: "", count: 1 };
    book.banned({ peerId: peerIdOf(2), ...ban }, { monotonicMs: 0, wallMs: WALL_MS });
    const [due] = node.step();
    t.not(due?.target.peerId, peerIdOf(2));
    if (due?.target.peerId === peerIdOf(1)) counts.bad++;
    else counts.good++;
  }
  t.true(counts.bad < 30, `${counts.bad}`);
});
