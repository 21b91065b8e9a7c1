import test from "ava";
import type { Message } from "../../../src/protocol/types/message.js";
import { HASH, ready, requestBlock, responseBlock, start } from "./peer-bench.js";

function rangeOf(count: number): Message {
  return { kind: "RequestBlockRange", fromHeight: 1, count, lastHash: HASH };
}

test("a request is answered by its number, and quickness is rewarded", async (t) => {
  const harness = await ready();
  harness.ask(requestBlock, 1);
  harness.ask(requestBlock, 2);
  await harness.advance(249);
  const [first, second] = harness.remote.heardOf("RequestBlock");
  harness.remote.send(responseBlock, second!.requestId);
  await harness.settle();
  t.like(harness.outcomes.take(), [{ tag: 2, ok: true, elapsedMs: 249 }]);
  t.deepEqual(harness.blames(), ["QuickResponse"]);
  await harness.advance(1);
  harness.remote.send(responseBlock, first!.requestId);
  await harness.settle();
  t.like(harness.outcomes.take(), [{ tag: 1, ok: true }]);
  t.is(harness.blames().length, 1);
});

test("a refusal of the peer is handed on and counted", async (t) => {
  const harness = await ready();
  for (const reason of ["NotFound", "Busy", "RateLimited"] as const) {
    harness.ask(requestBlock, 1);
    await harness.advance(1_000);
    const [asked] = harness.remote.heardOf("RequestBlock");
    harness.remote.send({ kind: "RequestRefused", reason }, asked!.requestId);
    await harness.settle();
    t.like(harness.outcomes.take(), [{ ok: false, reason }]);
  }
  // Figures are told once a second at most, and what is left is told when it is quiet.
  await harness.advance(15_100);
  t.is(harness.registry.of("HandlerMeasured").at(-1)?.performance.failures, 3);
});

test("a request that is not answered in time is given up and blamed; a late answer is no offence", async (t) => {
  const harness = await ready({ config: { requests: { timeoutMaxMs: 3_000 } } });
  harness.ask(requestBlock, 1);
  await harness.advance(2_999);
  t.deepEqual(harness.outcomes.take(), []);
  await harness.advance(251);
  t.like(harness.outcomes.take(), [{ tag: 1, ok: false, reason: "Timeout" }]);
  t.deepEqual(harness.blames(), ["Timeout: RequestBlock was not answered"]);
  harness.remote.send(responseBlock, harness.remote.heardOf("RequestBlock")[0]!.requestId);
  await harness.settle();
  t.deepEqual(harness.outcomes.take(), []);
  t.is(harness.closing(), undefined);
});

test("nothing but answers on its own lane prolongs a request", async (t) => {
  const harness = await ready({ config: { requests: { timeoutMaxMs: 3_000 } } });
  harness.ask(requestBlock, 1);
  await harness.settle();
  for (let ms = 0; ms < 4_000; ms += 100) {
    for (let i = 0; i < 60; i++) harness.remote.send({ kind: "Pong", nonce: 1n });
    await harness.advance(100);
  }
  t.like(harness.outcomes.take(), [{ tag: 1, ok: false, reason: "Timeout" }]);
});

test("requests that meet one silence are one timeout, the next silence is another", async (t) => {
  const harness = await ready({ config: { requests: { timeoutMaxMs: 3_000 } } });
  for (let tag = 1; tag <= 20; tag++) {
    harness.ask(requestBlock, tag);
    await harness.advance(100);
  }
  await harness.advance(4_000);
  t.is(harness.outcomes.take().length, 20);
  t.deepEqual(harness.blames(), ["Timeout: RequestBlock was not answered"]);
  harness.ask(requestBlock, 21);
  await harness.advance(3_500);
  t.is(harness.blames().length, 2);
});

test("a request is given up in time while others are asked and answered", async (t) => {
  const harness = await ready({ config: { requests: { timeoutMaxMs: 3_000 } } });
  harness.ask(requestBlock, 1);
  for (let tag = 2; tag <= 40; tag++) {
    harness.ask(requestBlock, tag);
    await harness.advance(100);
    const asked = harness.remote.heardOf("RequestBlock").at(-1);
    harness.remote.send(responseBlock, asked!.requestId);
  }
  await harness.settle();
  const unanswered = harness.outcomes.take().filter(({ ok }) => !ok);
  t.like(unanswered, [{ tag: 1, reason: "Timeout" }]);
});

test("a peer that answers no request any more is left when there is no place for another", async (t) => {
  const harness = await ready({ config: { requests: { timeoutMaxMs: 3_000, inFlightMax: 3 } } });
  for (const tag of [1, 2, 3, 4]) harness.ask(requestBlock, tag);
  await harness.advance(4_000);
  t.is(harness.remote.heardOf("RequestBlock").length, 3, "the fourth is not sent on top");
  t.deepEqual(
    harness.outcomes.take().map((outcome) => !outcome.ok && [outcome.tag, outcome.reason]),
    [
      [1, "Timeout"],
      [2, "Timeout"],
      [3, "Timeout"],
      [4, "Timeout"],
    ],
  );
  t.like(harness.remote.heardOf("Disconnect"), [{ message: { reason: "Timeout" } }]);
});

test("an answer that takes far longer than usual is slow, and charged now and then", async (t) => {
  const harness = await ready({
    config: { requests: { timeoutMinMs: 60_000, timeoutMaxMs: 60_000 } },
  });
  const answerAfter = async (delayMs: number): Promise<void> => {
    harness.ask(requestBlock, 1);
    await harness.settle();
    await harness.advance(delayMs);
    const [asked] = harness.remote.heardOf("RequestBlock");
    harness.remote.send(responseBlock, asked!.requestId);
    harness.remote.pong();
    await harness.settle();
  };
  const slow = (): readonly string[] =>
    harness.blames().filter((blame) => blame.startsWith("SlowResponse"));
  for (let i = 0; i < 5; i++) await answerAfter(300);
  await answerAfter(900);
  t.deepEqual(slow(), [], "less than a second is not slow");
  for (let i = 0; i < 4; i++) await answerAfter(4_000 * (i + 1));
  const told = slow();
  t.true(told.length >= 1 && told.length <= 3, `${told.length}`);
  t.regex(told[0]!, /^SlowResponse: an answer took 4000 ms, \d+ ms is usual$/);
});

test("what is under way or waits when the connection ends is answered", async (t) => {
  const harness = await ready({ config: { requests: { inFlightMax: 1 } } });
  harness.ask(requestBlock, 1);
  harness.ask(requestBlock, 2);
  await harness.settle();
  harness.connection.end();
  await harness.settle();
  t.deepEqual(
    harness.outcomes.take().map((outcome) => [outcome.tag, outcome.ok ? "" : outcome.reason]),
    [
      [1, "Closed"],
      [2, "Closed"],
    ],
  );
});

test("no more requests are under way than the limit; the next goes when one is answered", async (t) => {
  const harness = await ready({ config: { requests: { inFlightMax: 2 } } });
  for (const tag of [1, 2, 3]) harness.ask(requestBlock, tag);
  await harness.settle();
  const asked = harness.remote.heardOf("RequestBlock");
  t.is(asked.length, 2);
  harness.remote.send(responseBlock, asked[0]!.requestId);
  await harness.settle();
  t.is(harness.remote.heardOf("RequestBlock").length, 1);
});

test("requests for transactions leave places to others, which overtake those that wait", async (t) => {
  const harness = await ready({ config: { requests: { inFlightMax: 4 } } });
  const transactions: Message = { kind: "RequestTransactions", ids: [HASH] };
  for (const tag of [1, 2, 3]) harness.ask(transactions, tag);
  await harness.settle();
  const kinds = (): string[] => harness.remote.heard().map(({ message }) => message.kind);
  t.deepEqual(kinds(), ["RequestTransactions", "RequestTransactions"]);
  for (const tag of [4, 5, 6]) harness.ask(requestBlock, tag);
  await harness.settle();
  const blocks = harness.remote.heardOf("RequestBlock");
  t.is(blocks.length, 2);
  harness.remote.send(responseBlock, blocks[0]!.requestId);
  await harness.settle();
  t.deepEqual(kinds(), ["RequestBlock"], "the third block goes before the third transaction");
});

test("requests keep to the quota that the peer stated", async (t) => {
  const quota = { kind: 0x20, itemsPerSecond: 10, burstItems: 2 };
  const harness = await ready({ info: { quotas: [quota] } });
  for (let tag = 1; tag <= 5; tag++) harness.ask(requestBlock, tag);
  await harness.settle();
  t.is(harness.remote.heardOf("RequestBlock").length, 2);
  await harness.advance(1_000);
  t.is(harness.remote.heardOf("RequestBlock").length, 3);
});

test("a request that the peer's quota would hold back for longer than a deadline is refused", async (t) => {
  const quota = { kind: 0x24, itemsPerSecond: 1, burstItems: 60 };
  const config = { requests: { timeoutMaxMs: 20_000 } };
  const harness = await ready({ config, info: { quotas: [quota] } });
  harness.ask(rangeOf(60), 1);
  harness.ask(rangeOf(10), 2);
  harness.ask(rangeOf(30), 3);
  await harness.settle();
  t.deepEqual(harness.outcomes.take(), []);
  await harness.advance(10_500);
  t.is(harness.remote.heardOf("RequestBlockRange").length, 2);
  t.like(harness.outcomes.take(), [{ tag: 3, ok: false, reason: "RateLimited" }]);
});

test("a request for more than the peer ever serves is refused here", async (t) => {
  const quotas = [{ kind: 0x24, itemsPerSecond: 10, burstItems: 8 }];
  const harness = await ready({ info: { quotas } });
  harness.ask(rangeOf(9), 1);
  harness.ask(requestBlock, 2);
  await harness.settle();
  t.like(harness.outcomes.take(), [{ tag: 1, ok: false, reason: "RateLimited" }]);
  t.deepEqual(
    harness.remote.heard().map(({ message }) => message.kind),
    ["RequestBlock"],
  );
});

test("too many waiting requests are refused, and none before it is ready", async (t) => {
  const early = start();
  early.ask(requestBlock, 1);
  await early.settle();
  t.like(early.outcomes.take(), [{ tag: 1, ok: false, reason: "Closed" }]);
  const harness = await ready({ config: { requests: { inFlightMax: 1 } } });
  for (let tag = 0; tag < 260; tag++) harness.ask(requestBlock, tag);
  await harness.settle();
  const refused = harness.outcomes.take();
  t.is(refused.length, 3);
  t.like(refused[0], { ok: false, reason: "Busy" });
});

test("a stall of this node gives every open request its whole time again", async (t) => {
  const harness = await ready();
  harness.ask(requestBlock, 1);
  await harness.settle();
  harness.scheduler.hold(harness.handler.path);
  await harness.advance(60_000);
  harness.scheduler.release(harness.handler.path);
  await harness.advance(harness.config.requests.timeoutMaxMs - 1_000);
  t.deepEqual(harness.outcomes.take(), [], "nobody was awake to hear an answer");
  t.deepEqual(harness.blames(), []);
  harness.remote.pong();
  await harness.advance(2_000);
  t.like(harness.outcomes.take(), [{ tag: 1, ok: false, reason: "Timeout" }]);
});
