import test from "ava";
import fc from "fast-check";
import { DEFAULTS } from "../../../src/config.js";
import { KnownEndpoints, type KnownEndpoint } from "../../../src/actors/peer/known-endpoints.js";
import { parseAddress } from "../../../src/protocol/address.js";
import { peerIdOf } from "../support.js";

const settings = DEFAULTS.dial;
const all = (): number => 0;
const why = "refused";
const alone = false;

/** Endpoints by the names of their hosts. */
function endpoints(more: Partial<typeof settings> = {}, float = (): number => 0.5) {
  const known = new KnownEndpoints({ ...settings, ...more }, float);
  const endpointOf = (host: string) => parseAddress(`${host}:1`);
  return {
    known,
    add: (host: string, notBeforeMs = 0) => known.add(endpointOf(host), "configured", notBeforeMs),
    get: (host: string): KnownEndpoint => known.get(endpointOf(host))!,
    endpointOf,
    due: (
      nowMs: number,
      count: number,
      rankOf: (target: KnownEndpoint) => number | undefined = all,
    ) => known.due(nowMs, count, rankOf).map(({ endpoint }) => endpoint.host),
  };
}

test("endpoints are known once, in order, up to the limit", (t) => {
  const { known, add, due, get } = endpoints({ candidatesMax: 3 });
  for (const host of ["a", "b", "a", "c", "d"]) add(host);
  t.deepEqual(due(0, 10), ["a", "b", "c"]);
  known.remove(get("b"));
  add("d");
  t.deepEqual(due(0, 10), ["a", "c", "d"]);
  known.invariants();
});

test("only idle endpoints are due, no more than asked for, by their rank", (t) => {
  const { known, add, due, get } = endpoints();
  for (const host of ["a", "b", "c", "d", "e"]) add(host);
  t.is(due(0, 2).length, 2);
  t.is(due(0, -1).length, 0);
  known.dialing(get("a"), 0);
  known.connected(get("b"), peerIdOf(2));
  const ranks = new Map([
    ["c", 2],
    ["d", 1],
  ]);
  t.deepEqual(
    due(0, 10, ({ endpoint }) => ranks.get(endpoint.host)),
    ["d", "c"],
  );
  known.want(get("c"));
  t.deepEqual(
    due(0, 10, (target) => (known.isWanted(target) ? -1 : ranks.get(target.endpoint.host))),
    ["c", "d"],
  );
  t.is(known.taken, 2);
});

test("the pause after a failure doubles at most, and jitter spreads all of it", (t) => {
  const { backoffMinMs, backoffMaxMs } = settings;
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.array(unit, { minLength: 1, maxLength: 40 }), (jitters) => {
      let next = 0;
      const { known, add } = endpoints({}, () => jitters[next]!);
      const target = add("a")!;
      for (next = 0; next < jitters.length; next++) {
        known.dialing(target, 0);
        known.failed(target, 1_000, { why, alone });
        const pauseMs = target.notBeforeMs - 1_000;
        const ceilingMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** (next + 1));
        t.true(pauseMs >= backoffMinMs && pauseMs <= ceilingMs);
        const expectedMs = Math.max(backoffMinMs, jitters[next]! * ceilingMs);
        t.true(Math.abs(pauseMs - expectedMs) < 1e-6);
        t.is(known.taken, 0);
      }
    }),
  );
});

test("a failure that does not grow leaves the length of the pause alone", (t) => {
  const { known, add } = endpoints({}, () => 0.999);
  const target = add("a")!;
  for (let i = 0; i < 10; i++) known.failed(target, 0, { why, grows: false, alone });
  t.is(target.failures, 0);
  t.is(target.notBeforeMs, settings.backoffMinMs);
});

test("the next time to look is that of the idle endpoint that is due first", (t) => {
  const { known, add, due, get } = endpoints({}, () => 0);
  t.is(known.next(), undefined);
  add("a");
  add("b");
  known.failed(get("a"), 5_000, { why, alone });
  t.is(known.next()?.notBeforeMs, 0);
  known.dialing(get("b"), 0);
  t.is(known.next()?.notBeforeMs, 5_000 + settings.backoffMinMs);
  t.deepEqual(due(5_999, 9), []);
  t.deepEqual(due(6_000, 9), ["a"]);
});

test("alone the pause stays short, and becomes short when the last peer goes", (t) => {
  const { known, add } = endpoints({}, () => 0.999);
  const target = add("a")!;
  for (let i = 0; i < 20; i++) known.failed(target, 0, { why, alone: true });
  t.true(target.notBeforeMs <= settings.backoffAloneMaxMs);
  known.failed(target, 0, { why, alone });
  t.true(target.notBeforeMs > 500_000);
  known.hurry(1_000);
  t.true(target.notBeforeMs <= 1_000 + settings.backoffAloneMaxMs);
  const beforeMs = target.notBeforeMs;
  known.hurry(2_000);
  t.is(target.notBeforeMs, beforeMs, "nothing is put off");
});

test("whoever waits longest is dialed first, so that dead endpoints keep nobody out", (t) => {
  const { known, add, get } = endpoints({}, () => 0);
  for (let i = 0; i < 20; i++) add(`dead${i}`);
  add("good", 500);
  const dialed = new Set<string>();
  for (let nowMs = 0; nowMs < 5_000; nowMs += 1_000) {
    for (const target of known.due(nowMs, 8, all)) {
      dialed.add(target.endpoint.host);
      known.failed(target, nowMs, { why, alone: true });
    }
  }
  t.true(dialed.has(get("good").endpoint.host));
});
