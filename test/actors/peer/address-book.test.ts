import test from "ava";
import fc from "fast-check";
import { AddressBook, type DrawOptions } from "../../../src/actors/peer/address-book.js";
import type { KnownAddress } from "../../../src/actors/peer/known-address.js";
import { resolveConfig, type NetworkConfigInput } from "../../../src/config.js";
import { formatAddress, parseAddress, type Endpoint } from "../../../src/protocol/address.js";
import { seededRandom } from "../../../src/runtime/random.js";
import { peerIdOf } from "../support.js";

const WALL_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PEER = peerIdOf(1);

/** `host:8765`, over tcp. */
const at = (host: string, port = 8765): Endpoint => ({ scheme: "tcp", host, port });
/** The numbered address of a numbered group. */
const address = (group: number, number = 1): Endpoint =>
  at(`${20 + (group >> 8)}.${group & 255}.${number >> 8}.${number & 255}`);

function bookOf(config: NetworkConfigInput = {}, seed = "book") {
  const random = seededRandom(seed);
  const book = new AddressBook({
    config: resolveConfig(config),
    schemes: new Set(["tcp"]),
    secret: seed,
    float: () => random.float(),
  });
  const draw = (more: Partial<DrawOptions> = {}, nowMs = 0): KnownAddress | undefined =>
    book.draw({
      now: { monotonicMs: nowMs, wallMs: WALL_MS + nowMs },
      alone: false,
      weightOf: () => 1,
      ...more,
    }).known;
  const hosts = (): string[] => [...book.all()].map(({ endpoint: { host } }) => host).sort();
  return { book, draw, hosts };
}

test("an address is known once, without the identity that whoever tells of it pins", (t) => {
  const { book } = bookOf();
  book.learned([{ ...at("8.8.8.8"), peerId: PEER }], { host: "9.9.9.9" }, WALL_MS);
  book.learned([at("8.8.8.8")], { host: "9.9.9.9" }, WALL_MS);
  t.deepEqual(
    [...book.all()].map(({ address, peerId }) => ({ address, peerId })),
    [{ address: "tcp://8.8.8.8:8765", peerId: undefined }],
  );
  t.is(book.get({ ...at("8.8.8.8"), peerId: PEER })?.source, "9.9.0.0/16");
  book.invariants();
});

test("nobody is sent where its teller is not, nor to what cannot be dialed", (t) => {
  const told: readonly (readonly [teller: string, host: string, believed: boolean])[] = [
    ["9.9.9.9", "8.8.8.8", true],
    ["9.9.9.9", "2001:4860::1", true],
    ["9.9.9.9", "127.0.0.1", false],
    ["9.9.9.9", "192.168.1.1", false],
    ["9.9.9.9", "fe80::1", false],
    ["9.9.9.9", "224.0.0.1", false],
    ["9.9.9.9", "240.0.0.1", false],
    ["9.9.9.9", "0.0.0.0", false],
    ["9.9.9.9", "evil.example", false],
    ["9.9.9.9", "localhost", false],
    ["192.168.1.2", "192.168.1.1", true],
    ["192.168.1.2", "127.0.0.1", false],
    ["127.0.0.1", "192.168.1.1", true],
    ["127.0.0.1", "127.0.0.2", true],
  ];
  for (const [teller, host, believed] of told) {
    const { book } = bookOf();
    book.learned([at(host)], { host: teller }, WALL_MS);
    t.is(book.size, believed ? 1 : 0, `${teller} tells of ${host}`);
  }
  const { book } = bookOf();
  book.learned([{ ...at("8.8.8.8"), scheme: "ws" }], { host: "9.9.9.9" }, WALL_MS);
  book.learned([at("8.8.8.8", 0)], { host: "9.9.9.9" }, WALL_MS);
  t.is(book.size, 0);
  const named = bookOf({ addresses: { names: true } });
  named.book.learned([at("node.example")], { host: "9.9.9.9" }, WALL_MS);
  t.is(named.book.size, 1);
});

test("what the peers of one group tell has a bound, whatever their number", (t) => {
  const { book } = bookOf({ addresses: { newBuckets: 256, bucketSize: 4 } });
  for (let i = 0; i < 20_000; i++) {
    book.learned([address(i % 5_000, i)], { host: `9.9.${i % 200}.${i % 250}` }, WALL_MS);
  }
  t.true(book.size <= 64 * 4, `${book.size}`);
  const before = book.size;
  for (let i = 0; i < 100; i++) book.learned([address(i, 7)], { host: "7.7.7.7" }, WALL_MS);
  t.true(book.size > before + 30, "there is room for what others tell");
  book.invariants();
});

test("what was heard of keeps its place, until it is of no use any more", (t) => {
  const shape = { newBuckets: 1, bucketSize: 1 };
  const { book, hosts } = bookOf({ addresses: shape });
  const [first, second] = [address(1), address(2)];
  const teller = { host: "9.9.9.9" };
  book.learned([first], teller, WALL_MS);
  book.learned([second], teller, WALL_MS);
  t.deepEqual(hosts(), [first.host]);
  for (let i = 0; i < 3; i++) {
    book.dialing(first, WALL_MS);
    book.ended(first, 0, true);
  }
  book.learned([second], teller, WALL_MS + 1_000);
  t.deepEqual(hosts(), [first.host], "it was dialed just now");
  book.learned([second], teller, WALL_MS + 61_000);
  t.deepEqual(hosts(), [second.host], "it failed three times");
  book.learned([first], teller, WALL_MS + 29 * DAY_MS);
  t.deepEqual(hosts(), [second.host]);
  book.learned([first], teller, WALL_MS + 31 * DAY_MS);
  t.deepEqual(hosts(), [first.host], "nobody told of it for a month");
  book.learned([second], teller, WALL_MS);
  t.deepEqual(hosts(), [second.host], "it was heard of in the future");
});

test("whoever was found keeps its place among the found until a test of it fails", (t) => {
  const { book } = bookOf({ addresses: { triedBuckets: 1, bucketSize: 1, newBuckets: 64 } });
  const [old, young] = [address(1), address(2)];
  const tried = (): string | undefined => [...book.all()].find((one) => one.isTried)?.endpoint.host;
  book.found(old, PEER, WALL_MS);
  book.found(young, peerIdOf(2), WALL_MS + HOUR_MS);
  t.is(tried(), old.host);
  t.is(book.contested(WALL_MS + HOUR_MS), undefined, "it was found within hours");
  const later = WALL_MS + 5 * HOUR_MS;
  book.found(young, peerIdOf(2), later);
  t.is(book.contested(later)?.endpoint.host, old.host);
  // It is there.
  book.dialing(old, later + 1);
  book.found(old, PEER, later + 2);
  t.is(book.contested(later + 3), undefined);
  t.is(tried(), old.host);
  const evenLater = later + 5 * HOUR_MS;
  book.found(young, peerIdOf(2), evenLater);
  t.is(book.contested(evenLater)?.endpoint.host, old.host);
  book.dialing(old, evenLater + 1);
  t.is(book.contested(evenLater + 2), undefined, "one test at a time");
  book.ended(old, 0, true);
  book.resolve(evenLater + 3);
  t.is(tried(), young.host);
  t.not(book.get(old), undefined, "it is one of those that were heard of again");
  book.invariants();
});

test("found and heard ones are drawn as often, of many that were told by few groups not more", (t) => {
  const { book, draw } = bookOf();
  for (let i = 0; i < 10; i++) book.found(address(i), peerIdOf(i), WALL_MS);
  for (let i = 0; i < 2_000; i++) book.learned([address(300 + i)], { host: "9.9.9.9" }, WALL_MS);
  for (let i = 0; i < 200; i++) book.learned([address(5_000 + i)], { host: `7.${i}.1.1` }, WALL_MS);
  const counts = { tried: 0, poison: 0, other: 0 };
  for (let i = 0; i < 2_000; i++) {
    const known = draw()!;
    if (known.isTried) counts.tried++;
    else if (known.source === "9.9.0.0/16") counts.poison++;
    else counts.other++;
  }
  t.true(counts.tried > 850 && counts.tried < 1_150, `${counts.tried}`);
  t.true(counts.poison < counts.other, `${counts.poison} of ${counts.poison + counts.other}`);
});

test("what failed rests, longer each time, and what nobody wants is never drawn", (t) => {
  const { book, draw } = bookOf();
  const endpoint = address(1);
  book.learned([endpoint], { host: "9.9.9.9" }, WALL_MS);
  t.is(draw()?.endpoint.host, endpoint.host);
  t.is(draw({ weightOf: () => 0 }), undefined);
  t.is(draw({ onlyNew: true })?.endpoint.host, endpoint.host);
  book.ended(endpoint, 0, true);
  t.is(draw(), undefined);
  const now = { monotonicMs: 0, wallMs: WALL_MS };
  const { nextMs } = book.draw({ now, alone: false, weightOf: () => 1 });
  t.true(nextMs! >= 1_000 && nextMs! <= 2_000);
  t.is(draw({}, nextMs)?.endpoint.host, endpoint.host);
  for (let i = 0; i < 20; i++) book.ended(endpoint, 0, true);
  const alone = book.draw({ now, alone: true, weightOf: () => 1 }).nextMs!;
  t.true(alone <= 45_000);
});

test("what failed while there was no peer rests longer each time too, and is told all the same", (t) => {
  const { book } = bookOf();
  const endpoint = address(1);
  const now = { monotonicMs: 0, wallMs: WALL_MS };
  book.found(endpoint, "ab".repeat(32), WALL_MS);
  const pauses = Array.from({ length: 20 }, () => {
    book.ended(endpoint, 0, undefined, true);
    return book.draw({ now, alone: true, weightOf: () => 1 }).nextMs!;
  });
  t.true(Math.max(...pauses) > 8_000, pauses.join(" "));
  t.true(
    pauses.every((ms) => ms <= 45_000),
    pauses.join(" "),
  );
  t.is(book.get(endpoint)?.failures, 0, "it may be this node that is cut off");
  book.ended(endpoint, 0, false);
  t.is(book.get(endpoint)?.missed, 0);
});

test("an own address is forgotten, and never learned again", (t) => {
  const { book } = bookOf();
  book.learned([address(1)], { host: "9.9.9.9" }, WALL_MS);
  book.ours(address(1));
  t.is(book.size, 0);
  book.learned([address(1)], { host: "9.9.9.9" }, WALL_MS);
  book.found(address(1), PEER, WALL_MS);
  t.is(book.size, 0);
});

test("others are told what this node knows first hand, and no hearsay", (t) => {
  const { book } = bookOf();
  const told = (wallMs = WALL_MS, local = false): string[] =>
    book
      .sample(100, wallMs, local)
      .map(({ host }) => host)
      .sort();
  book.learned([at("8.1.1.1")], { host: "9.9.9.9" }, WALL_MS);
  t.deepEqual(told(), []);
  book.learned([at("8.2.1.1")], { host: "9.9.9.9", self: PEER }, WALL_MS);
  t.deepEqual(told(), [], "whoever says so is somewhere else");
  book.learned([at("8.3.1.1")], { host: "8.3.1.1", self: PEER }, WALL_MS);
  book.found(at("8.4.1.1"), PEER, WALL_MS);
  book.found(at("192.168.1.1"), PEER, WALL_MS);
  book.found(at("seed.example"), PEER, WALL_MS);
  t.deepEqual(told(), ["8.3.1.1", "8.4.1.1"]);
  t.deepEqual(told(WALL_MS, true), ["192.168.1.1", "8.3.1.1", "8.4.1.1"]);
  t.deepEqual(told(WALL_MS + 2 * DAY_MS), ["8.4.1.1"]);
  t.deepEqual(told(WALL_MS + 8 * DAY_MS), []);
  for (let i = 0; i < 3; i++) book.ended(at("8.4.1.1"), 0, true);
  t.deepEqual(told(), ["8.3.1.1"]);
});

test("an answer shows a part of what is known, each time another one", (t) => {
  const { book } = bookOf();
  for (let i = 0; i < 1_000; i++) book.found(address(i), peerIdOf(i), WALL_MS);
  const known = book.size;
  const sample = (): string[] => book.sample(1_000, WALL_MS).map(formatAddress);
  const [one, other] = [sample(), sample()];
  t.is(one.length, Math.ceil(known * 0.23));
  t.is(new Set(one).size, one.length);
  t.notDeepEqual(one, other);
  t.is(book.sample(10, WALL_MS).length, 10);
});

test("a host that says that it has many ports is told once, and takes the places of no others", (t) => {
  const { book } = bookOf();
  for (let i = 0; i < 30; i++) book.found(address(i), peerIdOf(i), WALL_MS);
  for (let attacker = 0; attacker < 4; attacker++) {
    const host = `8.${attacker}.1.1`;
    for (let port = 2_000; port < 4_000; port++) {
      book.learned([at(host, port)], { host, self: PEER }, WALL_MS);
    }
  }
  t.true(book.size > 200);
  const hosts = book.sample(256, WALL_MS).map(({ host }) => host);
  t.is(new Set(hosts).size, hosts.length);
  t.is(hosts.filter((host) => !host.startsWith("8.")).length, 30);
  const near = bookOf().book;
  for (const port of [2_000, 2_001]) near.found(at("127.0.0.1", port), peerIdOf(port), WALL_MS);
  t.is(near.sample(256, WALL_MS, true).length, 2, "of this machine each port is a node");
});

test("one secret puts an address in one place, another secret in another", (t) => {
  const placesOf = (secret: string): string => {
    const { book } = bookOf({}, secret);
    for (let i = 0; i < 20; i++) book.learned([address(i)], { host: "9.9.9.9" }, WALL_MS);
    return JSON.stringify([...book.all()].map(({ places }) => places));
  };
  t.is(placesOf("one"), placesOf("one"));
  t.not(placesOf("one"), placesOf("other"));
});

test("whatever comes in whatever order, both tables stay sound and bounded", (t) => {
  const endpoint = fc.record({ group: fc.nat(12), number: fc.nat(6) });
  const command = fc.oneof(
    fc.record({
      type: fc.constant("learned" as const),
      endpoint,
      from: fc.nat(6),
      own: fc.boolean(),
    }),
    fc.record({ type: fc.constant("found" as const), endpoint }),
    fc.record({ type: fc.constant("failed" as const), endpoint }),
    fc.record({ type: fc.constant("forget" as const), endpoint }),
    fc.record({ type: fc.constant("ours" as const), endpoint }),
    fc.record({ type: fc.constant("passed" as const), hours: fc.nat(200) }),
    fc.record({ type: fc.constant("tested" as const) }),
  );
  const shape = { newBuckets: 3, triedBuckets: 2, bucketSize: 2 };
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), fc.string(), (commands, secret) => {
      const { book, draw } = bookOf({ addresses: shape }, secret);
      let wallMs = WALL_MS;
      for (const one of commands) {
        const where =
          "endpoint" in one ? address(one.endpoint.group, one.endpoint.number) : at("x");
        switch (one.type) {
          case "learned": {
            const host = one.own ? where.host : `9.${one.from}.1.1`;
            book.learned([where], one.own ? { host, self: PEER } : { host }, wallMs);
            break;
          }
          case "found":
            book.dialing(where, wallMs);
            book.found(where, PEER, wallMs);
            break;
          case "failed":
            book.dialing(where, wallMs);
            book.ended(where, 0, true);
            break;
          case "forget":
            book.forget(where);
            break;
          case "ours":
            book.ours(where);
            t.is(book.get(where), undefined);
            break;
          case "passed":
            wallMs += one.hours * HOUR_MS;
            break;
          case "tested":
            book.contested(wallMs);
        }
        book.invariants();
        t.true(book.size <= 5 * 2);
      }
      t.is(draw({}, 1e12) === undefined, book.size === 0);
    }),
    { numRuns: 200 },
  );
});

test("an address that many tell of is not hidden among the many of one teller", (t) => {
  const { book, draw } = bookOf({ addresses: { newBuckets: 256, bucketSize: 16 } });
  const honest = parseAddress("8.8.8.8:8765");
  book.learned([honest], { host: "9.9.9.9" }, WALL_MS);
  for (let i = 0; i < 5_000; i++) book.learned([address(i)], { host: "9.9.9.9" }, WALL_MS);
  for (let i = 0; i < 200; i++) book.learned([honest], { host: `7.${i}.1.1` }, WALL_MS);
  t.true(book.get(honest)!.places.length >= 3);
  let drawn = 0;
  for (let i = 0; i < 3_000; i++) if (draw()?.endpoint.host === honest.host) drawn++;
  t.true(drawn > 30, `${drawn} of 3,000`);
});

/** All that is known of all addresses, places too. */
const contentsOf = (book: AddressBook): readonly KnownAddress[] =>
  [...book.all()]
    .map((known) => ({ ...known, endedMs: 0, rest: 0, places: sorted(known.places) }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
const sorted = (places: KnownAddress["places"]): KnownAddress["places"] =>
  [...places].sort((a, b) => a.at - b.at);

test("what was written is known again, and nothing of it is to be written", (t) => {
  const told = fc.record({ group: fc.nat(40), number: fc.nat(3), from: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(told, { maxLength: 100 }), fc.array(fc.nat(40)), (heard, found) => {
      const { book } = bookOf();
      const pages = new Map<string, string>();
      const write = (): void => {
        while (book.hasChanged) {
          const some = book.takeChanged(3);
          t.true(some.length <= 3);
          for (const { name, text } of some) pages.set(name, text);
        }
      };
      for (const { group, number, from } of heard) {
        book.learned([address(group, number)], { host: `9.${from}.1.1` }, WALL_MS);
        if (from === 0) write();
      }
      for (const group of found) book.found(address(group), peerIdOf(group), WALL_MS + group);
      write();
      const again = bookOf().book;
      for (const [name, text] of pages) again.restore(name, text);
      again.invariants();
      t.deepEqual(contentsOf(again), contentsOf(book));
      t.false(again.hasChanged);
    }),
    { numRuns: 50 },
  );
});

test("what lies elsewhere than it was written, under another secret or shape, is written anew", (t) => {
  const { book } = bookOf({}, "one");
  for (let i = 0; i < 30; i++) book.learned([address(i)], { host: `9.${i}.1.1` }, WALL_MS);
  const pages = new Map(book.takeChanged(1_000).map(({ name, text }) => [name, text]));
  const other = bookOf({ addresses: { newBuckets: 8, triedBuckets: 2 } }, "other").book;
  for (const [name, text] of pages) other.restore(name, text);
  t.true(other.size > 25, "but for those whose new places are one");
  for (const { name, text } of other.takeChanged(1_000)) pages.set(name, text);
  const again = bookOf({ addresses: { newBuckets: 8, triedBuckets: 2 } }, "other").book;
  for (const [name, text] of pages) if (text !== "") again.restore(name, text);
  t.deepEqual(contentsOf(again), contentsOf(other));
  t.false(again.hasChanged);
});

test("whatever pages a store answers, what is no address is left out", (t) => {
  const row = ["tcp://8.8.8.8:8765", "9.9.0.0/16", WALL_MS, 0, 0, 0, 0];
  const rows = [
    null,
    7,
    [],
    ["nowhere", ...row.slice(1)],
    ["tcp://8.8.8.8:0", ...row.slice(1)],
    ["ws://8.8.8.8:1", ...row.slice(1)],
    [`tcp://${PEER}@8.8.8.8:1`, ...row.slice(1)],
    [row[0], "a\nb", ...row.slice(2)],
    [row[0], row[1], -1, 0, 0, 0, 0],
    [row[0], row[1], 0.5, 0, 0, 0, 0],
    [row[0], row[1], WALL_MS, 0, 0, 0, "many"],
  ];
  const { book, hosts } = bookOf();
  for (const text of ["", "{", "7", "null", JSON.stringify(rows)]) book.restore("new-1", text);
  for (const name of ["new-", "tried-x", "other", "new-99999999999"]) {
    book.restore(name, JSON.stringify([row]));
  }
  t.deepEqual(hosts(), []);
  book.restore("new-1", JSON.stringify([...rows, row]));
  t.deepEqual(hosts(), ["8.8.8.8"]);
  book.invariants();
  const { book: other } = bookOf();
  fc.assert(
    fc.property(fc.jsonValue(), fc.boolean(), (value, isTried) => {
      other.restore(isTried ? "tried-0" : "new-0", JSON.stringify(value));
      other.invariants();
      t.is(other.size, 0);
    }),
  );
});
