import test from "ava";
import fc from "fast-check";
import { WhoHas } from "../../../src/actors/peer/who-has.js";

const LIMITS = { perPeerMax: 8, ownMax: 8, recordsMax: 20 };

test("one peer's many pushes out its own, and nobody else's", (t) => {
  const has = new WhoHas(LIMITS);
  const [quiet, loud] = [has.join(), has.join()];
  has.told("quiet", quiet);
  for (let number = 0; number < 100; number++) has.told(`loud ${number}`, loud);
  t.not(has.find("quiet"), undefined);
  t.is(has.size, 9);
});

test("what others told of too outlives its first teller", (t) => {
  const has = new WhoHas(LIMITS);
  const [one, two] = [has.join(), has.join()];
  const place = has.told("both", one);
  has.mark(place, two);
  has.told("one", one);
  has.leave(one);
  t.is(has.find("one"), undefined);
  t.true(has.has(has.find("both")!, two));
  t.is(has.join(), one, "its place is taken again");
  t.false(has.has(has.find("both")!, one));
});

test("more peers than a word has bits are told apart", (t) => {
  const has = new WhoHas(LIMITS);
  const slots = Array.from({ length: 100 }, () => has.join());
  const place = has.here("key");
  for (const slot of slots) if (slot % 3 === 0) has.mark(place, slot);
  t.deepEqual(
    slots.filter((slot) => has.has(place, slot)),
    slots.filter((slot) => slot % 3 === 0),
  );
});

test("it knows what a set for each peer would know, as far as it remembers", (t) => {
  const step = fc.record({
    act: fc.constantFrom("told", "here", "join", "leave"),
    peer: fc.nat(9),
    key: fc.nat(30).map(String),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const has = new WhoHas(LIMITS);
      const slots = new Map<number, number>();
      const known = new Map<number, Set<string>>();
      for (const { act, peer, key } of steps) {
        const slot = slots.get(peer);
        if (act === "join" && slot === undefined) {
          slots.set(peer, has.join());
          known.set(peer, new Set());
        } else if (act === "leave" && slot !== undefined) {
          has.leave(slot);
          slots.delete(peer);
          known.delete(peer);
        } else if (act === "here") has.here(key);
        else if (act === "told" && slot !== undefined) {
          const place = has.find(key);
          if (place === undefined) has.told(key, slot);
          else has.mark(place, slot);
          known.get(peer)!.add(key);
        }
        has.invariants();
        for (const [other, own] of slots) {
          for (let number = 0; number <= 30; number++) {
            const place = has.find(String(number));
            if (place === undefined || !has.has(place, own)) continue;
            if (!known.get(other)!.has(String(number))) return false;
          }
        }
      }
      return true;
    }),
    { numRuns: 100 },
  );
  t.pass();
});
