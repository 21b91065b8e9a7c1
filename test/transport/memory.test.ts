// The transport contract over memory links on a virtual clock, and what only they can do.

import test from "ava";

import { isCoded } from "../../src/errors.js";
import { parseAddress } from "../../src/protocol/address.js";
import { seededRandom } from "../../src/runtime/random.js";
import { createMemoryNetwork } from "../../src/transport/memory.js";
import { transportContract } from "./contract.js";
import {
  Inbox,
  memoryBench,
  memoryPair,
  patterned,
  PEER_A,
  PEER_B,
  Recorder,
  selfDrivenClock,
} from "./support.js";

transportContract("memory", () => {
  const network = createMemoryNetwork({
    clock: selfDrivenClock(),
    random: seededRandom("contract"),
    latencyMs: 10,
    jitterMs: 5,
    pieceBytesMax: 5_000,
  });
  return {
    server: network.transport(PEER_A, { host: "server" }),
    client: network.transport(PEER_B, { host: "client" }),
    serverId: PEER_A,
    clientId: PEER_B,
    anywhere: parseAddress("memory://server:0"),
    nobody: parseAddress("memory://server:9"),
    silent: async () => {
      network.partition([["silent"]]);
      return parseAddress("memory://silent:1");
    },
    liveCount: () => network.linkCount,
  };
});

test("a dial takes one round trip and a byte one latency", async (t) => {
  const world = memoryBench();
  await world.a.listen(parseAddress("memory://a:7"), new Inbox());
  let dialed = false;
  void world.b.dial(parseAddress("memory://a:7"), { timeoutMs: 1_000 }).then(() => (dialed = true));
  await world.advance(99);
  t.false(dialed);
  await world.advance(1);
  t.true(dialed);

  const other = memoryBench();
  const [from, to] = await memoryPair(other);
  from.connection.write(Buffer.from("x"));
  await other.advance(49);
  t.is(to.bytes, 0);
  await other.advance(1);
  t.is(to.bytes, 1);
});

test("bandwidth spreads the bytes of a link over time", async (t) => {
  const world = memoryBench({ bytesPerSecond: 100_000, bufferBytes: 1_000_000 });
  const [from, to] = await memoryPair(world);
  for (let i = 0; i < 10; i++) from.connection.write(patterned(10_000));
  await world.advance(549);
  t.is(to.bytes, 45_000);
  await world.advance(501);
  t.is(to.bytes, 100_000);
});

test("one large chunk arrives bit by bit on a limited link", async (t) => {
  const world = memoryBench({ bytesPerSecond: 100_000, bufferBytes: 1_000_000 });
  const [from, to] = await memoryPair(world);
  from.connection.write(patterned(100_000));
  await world.advance(550);
  t.is(to.bytes, 50_000);
  await world.advance(500);
  t.deepEqual(Buffer.concat(to.chunks), Buffer.from(patterned(100_000)));
});

test("a partition stalls bytes and ends until it heals", async (t) => {
  const world = memoryBench();
  const [from, to] = await memoryPair(world);
  world.network.partition([["a"]]);
  from.connection.write(Buffer.from("waits"));
  from.connection.destroy();
  await world.advance(10_000);
  t.deepEqual([to.bytes, to.closes], [0, 0]);
  t.is(from.closes, 1);
  world.network.heal();
  await world.advance(100);
  t.is(to.closes, 1);
  t.is(world.network.linkCount, 0);
});

test("bytes written during a partition arrive in order when it heals", async (t) => {
  const world = memoryBench({ jitterMs: 40 });
  const [from, to] = await memoryPair(world);
  from.connection.write(Buffer.from("before "));
  world.network.partition([["a"], ["b"]]);
  from.connection.write(Buffer.from("during "));
  await world.advance(1_000);
  t.is(to.text(), "");
  world.network.heal();
  from.connection.write(Buffer.from("after"));
  await world.advance(1_000);
  t.is(to.text(), "before during after");
});

test("a dial into another partition fails by its timeout", async (t) => {
  const world = memoryBench();
  await world.a.listen(parseAddress("memory://a:7"), new Inbox());
  world.network.partition([["a"], ["b"]]);
  const failed = t.throwsAsync(world.b.dial(parseAddress("memory://a:7"), { timeoutMs: 700 }));
  await world.advance(699);
  t.is(world.clock.pendingTimers, 1);
  await world.advance(1);
  t.true(isCoded(await failed, "DIAL_FAILED"));
  t.is(world.clock.pendingTimers, 0);
});

test("hosts that no group names reach each other", async (t) => {
  const world = memoryBench();
  const [from, to] = await memoryPair(world);
  world.network.partition([["elsewhere"]]);
  from.connection.write(Buffer.from("x"));
  await world.advance(100);
  t.is(to.bytes, 1);
});

test("a cut ends both sides with an error, even a paused one", async (t) => {
  const world = memoryBench();
  const [from, to] = await memoryPair(world);
  to.connection.pause();
  world.network.cut("a", "elsewhere");
  await world.advance(1);
  t.deepEqual([from.closes, to.closes], [0, 0]);
  world.network.cut("a", "b");
  t.deepEqual([from.closes, to.closes], [0, 0], "never from within the call");
  await world.advance(1);
  t.deepEqual([from.closes, to.closes], [1, 1]);
  t.true(from.error instanceof Error && to.error instanceof Error);
  await world.advance(1_000);
  t.deepEqual([from.closes, to.closes], [1, 1]);
  t.is(world.network.linkCount, 0);
  t.is(world.clock.pendingTimers, 0);
});

test("a new latency holds for what is sent from then on", async (t) => {
  const world = memoryBench();
  const [from, to] = await memoryPair(world);
  world.network.setLatency(500);
  from.connection.write(Buffer.from("x"));
  await world.advance(499);
  t.is(to.bytes, 0);
  await world.advance(1);
  t.is(to.bytes, 1);
});

test("one seed is one trace, another seed another", async (t) => {
  const trace = async (seed: number): Promise<string> => {
    const options = { random: seededRandom(seed), jitterMs: 30, pieceBytesMax: 700 };
    const world = memoryBench(options);
    const [from, to] = await memoryPair(world);
    const seen: string[] = [];
    for (let i = 0; i < 20; i++) {
      from.connection.write(patterned(1_500));
      to.connection.write(patterned(100));
      await world.advance(7);
      seen.push(`${to.chunks.map((chunk) => chunk.length).join()}/${from.chunks.length}`);
    }
    return seen.join(" ");
  };
  const first = await trace(1);
  t.is(await trace(1), first);
  t.not(await trace(2), first);
});

test("a listener that closed while a dial was under way resets the connection", async (t) => {
  const world = memoryBench();
  const inbox = new Inbox();
  const listener = await world.a.listen(parseAddress("memory://a:7"), inbox);
  const dialing = world.b.dial(parseAddress("memory://a:7"), { timeoutMs: 1_000 });
  await world.advance(100);
  const dialed = new Recorder(await dialing);
  await listener.close();
  await world.advance(200);
  t.is(inbox.connections.length, 0);
  t.true(dialed.error instanceof Error);
  t.is(world.network.linkCount, 0);
});
