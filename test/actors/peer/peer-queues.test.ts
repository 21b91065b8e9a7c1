import test from "ava";
import { encodeMessage } from "../../../src/protocol/codec/codec.js";
import { peerIdOf } from "../support.js";
import { join, KIB, MIB, ready } from "./peer-bench.js";

test("news past half of a queue needs room that all queues share", async (t) => {
  const harness = await ready();
  const { lanes } = harness.config;
  const others = harness.env.memory.lease("queueGrowth");
  others.resize(lanes.sendQueueBytesMax - MIB);
  harness.connection.full = true;
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 1n } });
  const payload = encodeMessage({ kind: "NewBlock", block: new Uint8Array(900 * KIB) });
  const send = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) {
      harness.handler.tell({ type: "SendEncoded", kind: "NewBlock", payload });
    }
    await harness.settle();
  };
  const queued = (): number =>
    Math.floor(
      (harness.env.memory.leasedBytes("sendQueues") +
        harness.env.memory.leasedBytes("queueGrowth") -
        others.bytes) /
        payload.length,
    );
  await send();
  t.is(queued(), 5, "its own half, and what is left of the rest");
  others.release();
  await send();
  t.is(queued(), 9, "a whole queue");
  t.is(harness.closing(), undefined);
});

test("queues of many slow peers together stay within their holder's part", async (t) => {
  const config = { maxInbound: 8, maxOutbound: 1 };
  const harness = await ready({ config });
  const payload = encodeMessage({ kind: "NewBlock", block: new Uint8Array(900 * KIB) });
  const others = await Promise.all(
    Array.from({ length: 8 }, (_, index) => join(harness, peerIdOf(index + 2))),
  );
  for (const { connection, handler } of [harness, ...others]) {
    connection.full = true;
    handler.tell({ type: "Send", message: { kind: "Ping", nonce: 1n } });
    for (let i = 0; i < 8; i++) handler.tell({ type: "SendEncoded", kind: "NewBlock", payload });
  }
  await harness.settle();
  t.notThrows(() => harness.env.memory.invariants());
});
