import test from "ava";
import { encodeMessage } from "../../../src/protocol/codec/codec.js";
import type { Message } from "../../../src/protocol/types/message.js";
import { CodedError } from "../../../src/errors.js";
import type { WorkerPool } from "../../../src/ports.js";
import { createHarness } from "../support.js";
import { HASH, KIB, MIB, ready, requestBlock, responseBlock } from "./peer-bench.js";

// ---- serving ---------------------------------------------------------------------------------

test("a message of a ready peer reaches the router with its sender and its credit", async (t) => {
  const harness = await ready();
  harness.remote.send({ kind: "NewTransaction", transaction: new Uint8Array(50) });
  await harness.settle();
  const [incoming] = harness.incoming();
  t.like(incoming, { lane: "transaction", requestId: 0, peerId: harness.connection.peerId });
  t.is(incoming?.from.path, harness.handler.path);
  t.true(incoming!.bytes > 50);
});

test("an announced head is told to the registry too", async (t) => {
  const harness = await ready();
  const head = { height: 5n, hash: HASH, totalDifficulty: 50n };
  harness.remote.send({ kind: "AnnounceBlock", ...head });
  await harness.settle();
  t.deepEqual(harness.registry.of("HeadClaimed")[0]?.head, head);
  t.is(harness.incoming().length, 1);
});

test("a reply carries the number of its request", async (t) => {
  const harness = await ready();
  harness.remote.send(requestBlock, 77);
  await harness.settle();
  t.is(harness.incoming()[0]?.requestId, 77);
  harness.incoming()[0]!.replyTo.tell(responseBlock);
  await harness.settle();
  t.is(harness.remote.heardOf("ResponseBlock")[0]?.requestId, 77);
});

test("no more requests of a peer are handed on than replies may be open", async (t) => {
  const harness = await ready({ config: { serve: { repliesQueuedMax: 4 } } });
  for (let id = 1; id <= 6; id++) harness.remote.send(requestBlock, id);
  await harness.settle();
  t.is(harness.incoming().length, 4);
  harness.incoming()[0]!.replyTo.tell(responseBlock);
  await harness.settle();
  t.is(harness.incoming().length, 5);
});

test("replies that the peer does not take hold its next requests back", async (t) => {
  const serve = { repliesQueuedMax: 4, bytesSoftMax: 4 * KIB };
  const lanes = { sendQueueBytesMax: 64 * KIB };
  const harness = await ready({ config: { serve, lanes } });
  harness.connection.full = true;
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 1n } });
  await harness.settle();
  harness.remote.send(requestBlock, 1);
  await harness.settle();
  const large: Message = { kind: "ResponseBlock", block: new Uint8Array(40 * KIB) };
  harness.incoming()[0]!.replyTo.tell(large);
  await harness.settle();
  harness.remote.send(requestBlock, 2);
  await harness.settle();
  t.is(harness.incoming().length, 1);
  harness.connection.drain();
  await harness.settle();
  t.is(harness.incoming().length, 2);
});

test("after a large reply with blocks no more requests are handed on than its like would fit", async (t) => {
  const lanes = { sendQueueBytesMax: 8 * MIB };
  const harness = await ready({ config: { lanes } });
  harness.connection.full = true;
  for (let id = 1; id <= 6; id++) harness.remote.send(requestBlock, id);
  await harness.settle();
  t.is(harness.incoming().length, 4, "each may hold a megabyte");
  const large: Message = { kind: "ResponseBlock", block: new Uint8Array(3 * MIB) };
  harness.incoming()[0]!.replyTo.tell(large);
  await harness.settle();
  t.is(
    harness.incoming().length,
    4,
    "with three open and three queued megabytes nothing more fits into half of it",
  );
  t.is(harness.closing(), undefined);
});

test("an id of a request that is not answered yet must not be used again", async (t) => {
  for (const waiting of [false, true]) {
    const harness = await ready({ config: { serve: { repliesQueuedMax: 1 } } });
    if (waiting) harness.remote.send(requestBlock, 1);
    harness.remote.send(requestBlock, 7);
    await harness.settle();
    harness.remote.send(requestBlock, 7);
    await harness.settle();
    t.regex(harness.blames()[0]!, /request-id: request 7 is not answered yet/);
  }
});

test("more unanswered requests than any honest peer sends are a violation", async (t) => {
  const harness = await ready({ config: { serve: { repliesQueuedMax: 4 } } });
  for (let id = 1; id <= 64; id++) {
    harness.remote.send(requestBlock, id);
    await harness.settle();
  }
  t.is(harness.closing(), undefined);
  harness.remote.send(requestBlock, 65);
  await harness.settle();
  t.regex(harness.blames()[0]!, /flood: more than 64 requests are unanswered/);
});

test("requests over the rate are refused, at the price of nothing", async (t) => {
  const serve = { blocksPerSecond: 10, blocksBurst: 20 };
  const harness = await ready({ config: { serve } });
  const range = (count: number): Message => ({
    kind: "RequestBlockRange",
    fromHeight: 1,
    count,
    lastHash: HASH,
  });
  harness.remote.send(range(15), 1);
  harness.remote.send(range(6), 2);
  harness.remote.send(range(5), 3);
  await harness.settle();
  t.deepEqual(
    harness.incoming().map(({ requestId }) => requestId),
    [1, 3],
  );
  const [refused] = harness.remote.heardOf("RequestRefused");
  t.deepEqual(refused, {
    requestId: 2,
    message: { kind: "RequestRefused", reason: "RateLimited" },
  });
  t.deepEqual(harness.blames(), []);
});

test("each kind of request is charged by what it asks for", async (t) => {
  const serve = { headersPerSecond: 1, headersBurst: 100, transactionsPerSecond: 1 };
  const harness = await ready({ config: { serve: { ...serve, transactionsBurst: 2 } } });
  const headers: Message = { kind: "RequestHeaders", locator: [HASH], countMax: 60 };
  const transactions: Message = { kind: "RequestTransactions", ids: [HASH, HASH] };
  harness.remote.send(headers, 1);
  harness.remote.send(headers, 2);
  harness.remote.send(transactions, 3);
  harness.remote.send(transactions, 4);
  await harness.settle();
  const refused = harness.remote.heardOf("RequestRefused").map(({ requestId }) => requestId);
  t.deepEqual(refused, [2, 4]);
});

// ---- credit and flow -------------------------------------------------------------------------

test("credit goes back when the receiver has dealt with a message", async (t) => {
  const harness = await ready({ config: { lanes: { windowInitialBytes: 64 * KIB } } });
  const transaction = new Uint8Array(40 * KIB);
  harness.remote.send({ kind: "NewTransaction", transaction });
  await harness.settle();
  t.deepEqual(harness.remote.heardOf("WindowUpdate"), []);
  const { bytes, replyTo } = harness.incoming()[0]!;
  replyTo.tell("Done");
  await harness.settle();
  const [update] = harness.remote.heardOf("WindowUpdate");
  t.is(update?.message.lane, "transaction");
  t.is(update?.message.bytes, bytes);
});

test("more than the window is a violation", async (t) => {
  const harness = await ready({ config: { lanes: { windowInitialBytes: 64 * KIB } } });
  const transaction = new Uint8Array(40 * KIB);
  for (let i = 0; i < 2; i++) harness.remote.send({ kind: "NewTransaction", transaction });
  await harness.settle();
  t.regex(harness.blames()[0]!, /credit: lane transaction/);
});

test("what is sent waits for the peer's credit", async (t) => {
  const harness = await ready({ config: { lanes: { windowInitialBytes: 64 * KIB } } });
  const payload = encodeMessage({ kind: "NewBlock", block: new Uint8Array(100 * KIB) });
  harness.handler.tell({ type: "SendEncoded", kind: "NewBlock", payload });
  await harness.settle();
  t.deepEqual(harness.remote.heardOf("NewBlock"), []);
  harness.remote.grant("block", 64 * KIB);
  await harness.settle();
  t.is(harness.remote.heardOf("NewBlock")[0]?.message.block.length, 100 * KIB);
});

test("a message larger than its window comes through: credit follows its fragments", async (t) => {
  const harness = await ready({ config: { lanes: { windowInitialBytes: 128 * KIB } } });
  const block = new Uint8Array(600 * KIB).fill(7);
  let granted = 0;
  for (const chunk of harness.remote.bytesOf({ kind: "NewBlock", block })) {
    for (let at = 0; at < chunk.length; at += 32 * KIB) {
      harness.connection.receive(chunk.slice(at, at + 32 * KIB));
      await harness.settle();
      for (const { message } of harness.remote.heardOf("WindowUpdate")) granted += message.bytes;
    }
  }
  t.true(granted >= 600 * KIB - 128 * KIB);
  t.is(harness.incoming().length, 1);
  t.is(harness.closing(), undefined);
});

test("credit beyond the largest window is a violation", async (t) => {
  const harness = await ready();
  harness.remote.grant("block", 4 * MIB);
  await harness.settle();
  t.regex(harness.blames()[0]!, /window-overflow/);
});

test("a full socket is not written to until it drains", async (t) => {
  const harness = await ready();
  harness.connection.full = true;
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 1n } });
  await harness.settle();
  t.is(harness.remote.heardOf("Ping").length, 1);
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 2n } });
  await harness.settle();
  t.deepEqual(harness.remote.heardOf("Ping"), []);
  harness.connection.drain();
  await harness.settle();
  t.is(harness.remote.heardOf("Ping").length, 1);
});

test("news that a slow reader has no room for is dropped, and the reader is kept", async (t) => {
  const harness = await ready({
    config: { lanes: { sendQueueBytesMax: 256 * KIB }, serve: { bytesSoftMax: KIB } },
  });
  harness.connection.full = true;
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 1n } });
  const payload = encodeMessage({ kind: "NewBlock", block: new Uint8Array(100 * KIB) });
  for (let i = 0; i < 5; i++) {
    harness.handler.tell({ type: "SendEncoded", kind: "NewBlock", payload });
  }
  await harness.settle();
  harness.connection.drain();
  await harness.settle();
  t.is(harness.remote.heardOf("NewBlock").length, 2);
  t.is(harness.closing(), undefined);
});

for (const takes of ["no byte", "no credit"]) {
  test(`a peer that takes ${takes} of what waits for it is dropped after a while`, async (t) => {
    const harness = await ready({ config: { lanes: { windowInitialBytes: 64 * KIB } } });
    harness.connection.full = takes === "no byte";
    const payload = encodeMessage({ kind: "NewBlock", block: new Uint8Array(100 * KIB) });
    harness.handler.tell({ type: "SendEncoded", kind: "NewBlock", payload });
    const { deadAfterMs } = harness.config.liveness;
    for (let waitedMs = 0; waitedMs < deadAfterMs - 1_000; waitedMs += 1_000) {
      await harness.advance(1_000);
      harness.remote.send({ kind: "Ping", nonce: BigInt(waitedMs) });
    }
    t.is(harness.closing(), undefined);
    await harness.advance(deadAfterMs / 4 + 2_000);
    t.like(harness.closing(), { reason: "Timeout", detail: "the peer does not read" });
  });
}

test("one turn takes a bounded share of what arrived", async (t) => {
  const harness = await ready({ config: { liveness: { pingsPerSecondMax: 100_000 } } });
  const turns = (): number => harness.system.figures().find(isHandler)!.handled;
  const isHandler = ({ path }: { path: string }): boolean => path === harness.handler.path;
  const before = turns();
  const [bytes] = harness.remote.bytesOf({ kind: "Pong", nonce: 2n ** 40n });
  const chunk = new Uint8Array(bytes!.length * 4_000);
  for (let at = 0; at < chunk.length; at += bytes!.length) chunk.set(bytes!, at);
  for (let i = 0; i < 10; i++) harness.connection.receive(chunk);
  harness.remote.send({ kind: "AnnounceBlock", height: 1n, hash: HASH, totalDifficulty: 1n });
  await harness.settle();
  t.true(turns() - before >= Math.floor((10 * chunk.length) / (256 * KIB + chunk.length)));
  t.true(turns() - before > 1);
  t.is(harness.incoming().length, 1);
});

test("a full router holds messages in order and stops the reading until it can take more", async (t) => {
  const harness = await ready({ routerMax: 2 });
  harness.scheduler.hold(harness.router.ref.path);
  const heights = Array.from({ length: 10 }, (_, i) => BigInt(i + 1));
  for (const height of heights) {
    harness.remote.send({ kind: "AnnounceBlock", height, hash: HASH, totalDifficulty: height });
    await harness.settle();
  }
  harness.scheduler.release(harness.router.ref.path);
  await harness.settle();
  t.deepEqual(
    harness.incoming().map(({ message }) => (message as { height?: bigint }).height),
    heights,
  );
});

test("requests that waited behind a full router are handed on when it can take more", async (t) => {
  const harness = await ready({ routerMax: 1 });
  harness.scheduler.hold(harness.router.ref.path);
  for (let id = 1; id <= 3; id++) harness.remote.send(requestBlock, id);
  await harness.settle();
  harness.scheduler.release(harness.router.ref.path);
  await harness.settle();
  t.deepEqual(
    harness.incoming().map(({ requestId }) => requestId),
    [1, 2, 3],
  );
});

// ---- the pool --------------------------------------------------------------------------------

function announcement(count: number, fill = 0): Message {
  const ids = Array.from({ length: count }, (_, i) => (i + fill).toString(16).padStart(64, "0"));
  return { kind: "AnnounceTransactions", ids };
}

test("a large message of many items is split in the pool", async (t) => {
  let jobs = 0;
  const base = createHarness().env.workers;
  const workers: WorkerPool = {
    ...base,
    decodeFrames: (job) => {
      jobs++;
      return base.decodeFrames(job);
    },
  };
  const harness = await ready({ env: { workers } });
  harness.remote.send(announcement(10));
  await harness.settle();
  t.is(jobs, 0);
  harness.remote.send(announcement(1_000));
  await harness.settle();
  t.is(jobs, 1);
  t.deepEqual(
    harness.incoming().map(({ message }) => message),
    [announcement(10), announcement(1_000)],
  );
});

test("while the pool is full large messages wait, and come when it is not", async (t) => {
  const base = createHarness().env.workers;
  let refusals = 3;
  const workers: WorkerPool = {
    ...base,
    decodeFrames: (job) =>
      refusals-- > 0
        ? Promise.reject(new CodedError("QUEUE_FULL", "The pool is full."))
        : base.decodeFrames(job),
  };
  const harness = await ready({ env: { workers } });
  harness.remote.send(announcement(1_000));
  harness.remote.send(announcement(1_000, 1));
  await harness.settle();
  t.is(harness.incoming().length, 0);
  t.is(refusals, 2, "the pool is left alone for a while");
  await harness.advance(100);
  t.deepEqual(
    harness.incoming().map(({ message }) => message),
    [announcement(1_000), announcement(1_000, 1)],
  );
});

test("an item list that the pool cannot split is a violation", async (t) => {
  const harness = await ready();
  const [bytes] = harness.remote.bytesOf(announcement(1_000));
  // The head of one of the ids says that it is shorter than it is.
  bytes![10 + 4 + 34 * 7] = 0x42;
  harness.connection.receive(bytes!);
  await harness.settle();
  t.regex(harness.blames()[0]!, /ProtocolViolation: payload: AnnounceTransactions/);
});

test("a verdict that comes after the end is not looked at", async (t) => {
  const base = createHarness().env.workers;
  let answer: () => void = () => undefined;
  const workers: WorkerPool = {
    ...base,
    decodeFrames: (job) =>
      new Promise((resolve) => (answer = () => resolve(base.decodeFrames(job)))),
  };
  const harness = await ready({ env: { workers }, connection: { post: () => undefined } });
  harness.remote.send(announcement(1_000));
  await harness.settle();
  harness.handler.tell({ type: "Close", reason: "Shutdown", detail: "" });
  await harness.settle();
  answer();
  await harness.settle();
  t.is(harness.incoming().length, 0);
});
