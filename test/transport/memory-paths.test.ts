// What may lie between the hosts of a memory network: distance, lines, obstacles, and no power.

import test from "ava";
import fc from "fast-check";

import { isCoded } from "../../src/errors.js";
import { parseAddress } from "../../src/protocol/address.js";
import { seededRandom } from "../../src/runtime/random.js";
import { Inbox, memoryBench, memoryPair, patterned, PEER_B, Recorder } from "./support.js";

test("an obstacle holds one direction and lets the other pass", async (t) => {
  const world = memoryBench();
  const [b, a] = await memoryPair(world);
  const lift = world.network.obstruct((from, to) => from === "b" && to === "a");
  b.connection.write(Buffer.from("waits"));
  a.connection.write(Buffer.from("passes"));
  await world.advance(10_000);
  t.deepEqual([a.text(), b.text()], ["", "passes"]);
  lift();
  await world.advance(1);
  t.is(a.text(), "waits");
});

test("bytes pass when no obstacle is left, and lifting one twice lifts no other", async (t) => {
  const world = memoryBench();
  const [b, a] = await memoryPair(world);
  const all = (): boolean => true;
  const lifts = [world.network.obstruct(all), world.network.obstruct(all)];
  world.network.partition([["a"]]);
  b.connection.write(Buffer.from("x"));
  lifts[0]!();
  lifts[0]!();
  world.network.partition([]);
  await world.advance(1_000);
  t.is(a.bytes, 0);
  lifts[1]!();
  await world.advance(1_000);
  t.is(a.bytes, 1);
});

test("a dial whose answer is held up fails by its timeout, not before", async (t) => {
  const world = memoryBench();
  await world.a.listen(parseAddress("memory://a:7"), new Inbox());
  world.network.obstruct((from) => from === "a");
  const failed = t.throwsAsync(world.b.dial(parseAddress("memory://a:7"), { timeoutMs: 700 }));
  await world.advance(699);
  t.is(world.clock.pendingTimers, 1);
  await world.advance(1);
  t.true(isCoded(await failed, "DIAL_FAILED"));
});

test("a host without power is silent until it comes back and knows nothing", async (t) => {
  const world = memoryBench();
  const [b, a] = await memoryPair(world);
  a.connection.write(Buffer.from("on the wire"));
  world.network.powerOff("a");
  void world.a.close();
  b.connection.write(Buffer.from("hello?"));
  await world.advance(100_000);
  t.deepEqual([b.text(), b.closes, a.bytes, a.closes], ["on the wire", 0, 0, 0]);
  const refused = t.throwsAsync(world.b.dial(parseAddress("memory://a:7"), { timeoutMs: 500 }));
  await world.advance(500);
  t.regex((await refused)?.message ?? "", /handshake-timeout/);

  world.network.transport("aa".repeat(32), { host: "a" });
  await world.advance(49);
  t.is(b.closes, 0);
  await world.advance(1);
  t.true(b.error instanceof Error, "the reset took one way");
  t.is(world.network.linkCount, 0);
});

test("a link of which one side lost its power ends with the other, without a timer left", async (t) => {
  for (const end of ["close", "destroy"] as const) {
    const world = memoryBench();
    const [b, a] = await memoryPair(world);
    world.network.powerOff("a");
    b.connection[end]();
    await world.advance(5_000);
    t.deepEqual([b.closes, a.closes, world.network.linkCount], [1, 0, 0]);
    t.is(world.clock.pendingTimers, 0);
  }
});

test("a silent side that nobody writes to stays half open after its host came back", async (t) => {
  const world = memoryBench();
  const [b] = await memoryPair(world);
  world.network.powerOff("a");
  world.network.transport("aa".repeat(32), { host: "a" });
  await world.advance(1_000_000);
  t.is(b.closes, 0);
  b.connection.write(Buffer.from("still there?"));
  await world.advance(100);
  t.is(b.closes, 1);
});

test("what had not left a host is lost with its power", async (t) => {
  const world = memoryBench({ ratesOf: () => ({ upBytesPerSecond: 100_000 }) });
  const [b, a] = await memoryPair(world);
  b.connection.write(patterned(50_000));
  await world.advance(200);
  world.network.powerOff("b");
  await world.advance(10_000);
  t.is(a.bytes, 20_000);
  t.is(a.closes, 0);
});

test("connections share the lines of their hosts, and each direction has its own", async (t) => {
  const rates = { b: { upBytesPerSecond: 100_000 }, a: { downBytesPerSecond: 50_000 } };
  const world = memoryBench({ ratesOf: (host) => rates[host as "a" | "b"] ?? {} });
  const [first, one] = await memoryPair(world);
  const inbox = new Inbox();
  const c = world.network.transport(PEER_B, { host: "c" });
  await c.listen(parseAddress("memory://c:7"), inbox);
  const dialing = world.b.dial(parseAddress("memory://c:7"), { timeoutMs: 1_000 });
  await world.advance(200);
  const second = new Recorder(await dialing);
  const other = new Recorder(inbox.connections[0]!);
  first.connection.write(patterned(20_000));
  second.connection.write(patterned(20_000));
  one.connection.write(patterned(200_000));
  await world.advance(51);
  t.is(first.bytes, 200_000, "a's way up is unlimited");
  await world.advance(200);
  t.deepEqual([one.bytes, other.bytes], [10_000, 0], "c waits for its turn on b's line");
  await world.advance(200);
  t.deepEqual([one.bytes, other.bytes], [20_000, 20_000], "a's line is the slower one");
});

test("distance counts for each pair of hosts, and direction", async (t) => {
  const distanceMs = (from: string): number => (from === "b" ? 100 : 20);
  const world = memoryBench({ latencyMs: 1, distanceMs });
  const [b, a] = await memoryPair(world);
  b.connection.write(Buffer.from("x"));
  a.connection.write(Buffer.from("y"));
  await world.advance(21);
  t.deepEqual([a.bytes, b.bytes], [0, 1]);
  await world.advance(80);
  t.is(a.bytes, 1);
});

test("jitter never reorders a connection, and does reorder two of them", async (t) => {
  let overtaken = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const world = memoryBench({ random: seededRandom(seed), jitterMs: 100 });
      const [first, one] = await memoryPair(world);
      const [second, two] = await memoryPair(world, 8);
      for (let at = 0; at < 5; at++) first.connection.write(Buffer.from([at]));
      second.connection.write(Buffer.from("x"));
      while (one.bytes < 5) {
        await world.advance(1);
        if (two.bytes === 1 && one.bytes === 0) overtaken++;
      }
      t.deepEqual([...Buffer.concat(one.chunks)], [0, 1, 2, 3, 4]);
    }),
    { numRuns: 20, seed: 1 },
  );
  t.true(overtaken > 0);
});

test("a host's own clock runs its timers, not the bytes", async (t) => {
  const world = memoryBench();
  await world.a.listen(parseAddress("memory://a:7"), new Inbox());
  const clock = world.clock.view({ drift: 1 });
  const c = world.network.transport(PEER_B, { host: "c", clock });
  const dialing = c.dial(parseAddress("memory://a:7"), { timeoutMs: 250 });
  await world.advance(100);
  const dialed = await dialing;
  t.is(dialed.openedAtMs, 0);

  world.network.obstruct(() => true);
  const failed = t.throwsAsync(c.dial(parseAddress("memory://a:7"), { timeoutMs: 1_000 }));
  await world.advance(499);
  t.is(world.clock.pendingTimers, 1);
  await world.advance(1);
  t.true(isCoded(await failed, "DIAL_FAILED"), "a fast clock's second is half as long");
  const side = new Recorder(dialed);
  dialed.close();
  await world.advance(1_000);
  t.is(side.closes, 1, "and so are its two of patience with a close");
});
