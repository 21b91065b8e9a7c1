import test from "ava";
import { KnownEndpoints } from "../../../src/actors/peer/known-endpoints.js";
import { Loneliness } from "../../../src/actors/peer/loneliness.js";
import { DEFAULTS } from "../../../src/config.js";

const EVERY_MS = 30_000;
const last = { address: "tcp://1.2.3.4:5", reason: "refused", addresses: 9 };

test("a node that knows only what peers told of says after a while that it has no peer", (t) => {
  const endpoints = new KnownEndpoints(DEFAULTS.dial, () => 0.5);
  const loneliness = new Loneliness(0);
  const told = [0, 29_999, 30_000, 31_000, 60_000].map((nowMs) =>
    loneliness.warning(endpoints, nowMs, EVERY_MS, last),
  );
  t.deepEqual(told, [
    undefined,
    undefined,
    { sinceSeconds: 30, ...last },
    undefined,
    { sinceSeconds: 60, ...last },
  ]);
  loneliness.end();
  t.is(loneliness.warning(endpoints, 90_000, EVERY_MS, last), undefined);
});

test("who waits for an address of its own says which, at once", (t) => {
  const endpoints = new KnownEndpoints(DEFAULTS.dial, () => 0.5);
  const loneliness = new Loneliness(0);
  const seed = endpoints.add({ scheme: "tcp", host: "1.2.3.4", port: 5 }, "configured")!;
  endpoints.dialing(seed, 0);
  t.is(loneliness.warning(endpoints, 0, EVERY_MS, last), undefined, "it may still answer");
  endpoints.failed(seed, 0, { why: "refused", alone: true });
  t.like(loneliness.warning(endpoints, 0, EVERY_MS, last), { next: seed.address, failures: 1 });
});
