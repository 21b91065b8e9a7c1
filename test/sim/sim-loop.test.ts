import test from "ava";
import type { Connection, ConnectionHandler, Transport } from "../../src/ports.js";
import { parseAddress } from "../../src/protocol/address.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import { SimLoop } from "../../src/sim/sim-loop.js";

function loopOf() {
  const base = new VirtualClock();
  const seen: string[] = [];
  const loop = new SimLoop(base, {
    schedule: ({ path }) => void seen.push(`${path} runs`),
    post: (fn) => fn(),
  });
  let handler: ConnectionHandler | undefined;
  const connection = { open: (own: ConnectionHandler) => void (handler = own) };
  const transport = loop.transport({
    dial: () => Promise.resolve(connection as Connection),
  } as unknown as Transport);
  const at = (): string => `at ${loop.clock.monotonicMs()}`;
  return { base, loop, seen, transport, at, arrive: () => handler?.onData(new Uint8Array(1)) };
}

const cell = { path: "/a", drain: () => false, endSlice: () => false, charge: () => undefined };

test("what happens to a held process waits: then timers are late, data is read, actors run", async (t) => {
  const { base, loop, seen, transport, at, arrive } = loopOf();
  const connection = await transport.dial(parseAddress("memory://b:1"), { timeoutMs: 1 });
  connection.open({
    onData: () => seen.push(`data ${at()}`),
    onDrain: () => undefined,
    onClose: () => undefined,
  });
  loop.clock.setTimer(100, () => seen.push(`timer ${at()}`));
  loop.clock.setTimer(200, () => seen.push("a cancelled timer")).cancel();
  loop.hold();
  arrive();
  loop.scheduler.schedule(cell);
  base.advanceBy(5_000);
  t.deepEqual(seen, []);
  loop.release();
  t.deepEqual(seen, ["timer at 5000", "data at 5000", "/a runs"]);
  t.is(loop.loopDelayMs(), 5_000);
  base.advanceBy(10_001);
  t.is(loop.loopDelayMs(), 0);
});

test("actors may have a turn for late timers before what arrived is read, in its order", async (t) => {
  const { base, loop, seen, transport, at, arrive } = loopOf();
  const connection = await transport.dial(parseAddress("memory://b:1"), { timeoutMs: 1 });
  let count = 0;
  connection.open({
    onData: () => seen.push(`data ${++count} ${at()}`),
    onDrain: () => undefined,
    onClose: () => undefined,
  });
  loop.clock.setTimer(100, () => seen.push(`timer ${at()}`));
  loop.hold({ readsLast: true });
  arrive();
  loop.scheduler.schedule(cell);
  base.advanceBy(5_000);
  loop.release();
  arrive();
  t.deepEqual(seen, ["timer at 5000", "/a runs"]);
  base.advanceBy(1);
  t.deepEqual(seen.splice(2), ["data 1 at 5001", "data 2 at 5001"]);

  loop.hold({ readsLast: true });
  arrive();
  loop.release();
  loop.hold();
  base.advanceBy(10);
  t.deepEqual(seen.splice(2), []);
  loop.release();
  t.deepEqual(seen.splice(2), ["data 3 at 5011"]);
});

test("the monotonic clock of a machine that sleeps stands still, its timers with it", (t) => {
  const { base, loop, seen, at } = loopOf();
  base.advanceBy(1_000);
  loop.clock.setTimer(100, () => seen.push(`timer ${at()}`));
  loop.hold({ clockStands: true });
  base.advanceBy(5_000);
  loop.release();
  t.is(loop.clock.monotonicMs(), 1_000);
  t.is(loop.clock.wallMs(), 6_000);
  t.is(loop.loopDelayMs(), 0);
  t.deepEqual(seen, []);
  base.advanceBy(100);
  t.deepEqual(seen, ["timer at 1100"]);
});
