import test from "ava";
import fc from "fast-check";
import { DEFAULTS } from "../../../src/config.js";
import { DialBook } from "../../../src/actors/service/dial-book.js";
import { peerIdOf } from "../support.js";

const settings = DEFAULTS.dial;
const nobody = (): boolean => false;
const addresses = (targets: readonly { readonly address: string }[]): string[] =>
  targets.map(({ address }) => address);

test("addresses are known once, in order, up to the limit", (t) => {
  const book = new DialBook({ ...settings, candidatesMax: 3 }, () => 0.5);
  for (const address of ["a", "b", "a", "c", "d"]) book.add(address);
  t.deepEqual(addresses(book.due(0, 10, nobody)), ["a", "b", "c"]);
  t.is(book.get("d"), undefined);
  book.remove("b");
  book.add("d");
  t.deepEqual(addresses(book.due(0, 10, nobody)), ["a", "c", "d"]);
  book.invariants();
});

test("only idle addresses are due, no more than asked for, and none of a connected peer", (t) => {
  const book = new DialBook(settings, () => 0.5);
  for (const address of ["a", "b", "c", "d"]) book.add(address);
  t.is(book.due(0, 2, nobody).length, 2);
  t.is(book.due(0, -1, nobody).length, 0);
  book.get("a")!.state = "dialing";
  book.connected("b", peerIdOf(2));
  book.get("c")!.peerId = peerIdOf(3);
  t.deepEqual(addresses(book.due(0, 10, (id) => id === peerIdOf(3))), ["d"]);
  t.is(book.open, 2);
});

test("a peer that is connected already is noted, whether its address was known or not", (t) => {
  const book = new DialBook({ ...settings, candidatesMax: 1 }, () => 0.5);
  book.connected("a", peerIdOf(1));
  t.like(book.get("a"), { state: "connected", peerId: peerIdOf(1) });
  book.connected("b", peerIdOf(2));
  t.is(book.get("b"), undefined);
});

test("the pause after a failure doubles at most, and jitter spreads all of it", (t) => {
  const { backoffMinMs, backoffMaxMs } = settings;
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.array(unit, { minLength: 1, maxLength: 40 }), (jitters) => {
      let next = 0;
      const book = new DialBook(settings, () => jitters[next]!);
      book.add("a");
      const target = book.get("a")!;
      for (next = 0; next < jitters.length; next++) {
        target.state = "dialing";
        book.failed(target, 1_000);
        const pauseMs = target.notBeforeMs - 1_000;
        const ceilingMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** (next + 1));
        t.true(pauseMs >= backoffMinMs && pauseMs <= ceilingMs);
        const expectedMs = Math.max(backoffMinMs, jitters[next]! * ceilingMs);
        t.true(Math.abs(pauseMs - expectedMs) < 1e-6);
        t.is(book.open, 0);
      }
    }),
  );
});

test("a failure that does not grow leaves the length of the pause alone", (t) => {
  const book = new DialBook(settings, () => 0.999);
  book.add("a");
  const target = book.get("a")!;
  for (let i = 0; i < 10; i++) book.failed(target, 0, { grows: false });
  t.is(target.failures, 0);
  t.is(target.notBeforeMs, settings.backoffMinMs);
});

test("the next time to look is that of the idle address that is due first", (t) => {
  const book = new DialBook(settings, () => 0);
  t.is(book.next(), undefined);
  book.add("a");
  book.add("b");
  book.failed(book.get("a")!, 5_000);
  t.is(book.next()?.notBeforeMs, 0);
  book.get("b")!.state = "dialing";
  t.is(book.next()?.notBeforeMs, 5_000 + settings.backoffMinMs);
  t.deepEqual(book.due(5_999, 9, nobody), []);
  t.deepEqual(addresses(book.due(6_000, 9, nobody)), ["a"]);
});

test("alone the pause stays short, and becomes short when the last peer goes", (t) => {
  const book = new DialBook(settings, () => 0.999);
  book.add("a");
  const target = book.get("a")!;
  for (let i = 0; i < 20; i++) book.failed(target, 0, { alone: true });
  t.true(target.notBeforeMs <= settings.backoffAloneMaxMs);
  book.failed(target, 0);
  t.true(target.notBeforeMs > 500_000);
  book.hurry(1_000);
  t.true(target.notBeforeMs <= 1_000 + settings.backoffAloneMaxMs);
  const beforeMs = target.notBeforeMs;
  book.hurry(2_000);
  t.is(target.notBeforeMs, beforeMs, "nothing is put off");
});

test("whoever waits longest is dialed first, so that dead addresses keep nobody out", (t) => {
  const book = new DialBook(settings, () => 0);
  const dead = Array.from({ length: 20 }, (_, i) => `dead${i}`);
  for (const address of [...dead, "good"]) book.add(address);
  const dialed = new Set<string>();
  for (let nowMs = 0; nowMs < 5_000; nowMs += 1_000) {
    for (const target of book.due(nowMs, 8, nobody)) {
      dialed.add(target.address);
      book.failed(target, nowMs, { alone: true });
    }
  }
  t.true(dialed.has("good"));
});
