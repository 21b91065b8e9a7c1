import test from "ava";
import { FateAuditor } from "../../src/sim/fate-auditor.js";

type Seen = Parameters<FateAuditor["see"]>[0];

const block = (type: "BlockReceived" | "BlockValidated" | "BlockSetAside"): Seen => ({
  type,
  hash: "b",
  height: 1,
});
const connected: Seen = { type: "BlockConnected", hash: "b", height: 1, transactionCount: 0 };
const rejected: Seen = { type: "BlockRejected", hash: "b", rule: "size", detail: "" };
const lost: Seen = { type: "BlockDropped", hash: "b", height: 1, reason: "lost" };
const received: Seen = { type: "TransactionReceived", id: "t" };
const accepted: Seen = { type: "TransactionAccepted", id: "t" };
const refused: Seen = { type: "TransactionRejected", id: "t", rule: "known", detail: "" };
const dropped: Seen = { type: "TransactionDropped", id: "t", rule: "evicted", detail: "" };
const confirmed: Seen = { type: "TransactionConfirmed", id: "t", blockHash: "b", height: 1 };
const returned: Seen = { type: "TransactionReturned", id: "t" };

function hear(events: readonly Seen[]) {
  const wrong: string[] = [];
  const fates = new FateAuditor((what) => wrong.push(what));
  for (const event of events) fates.see(event);
  return { wrong, fates };
}

test("a block ends in one fate, and may be received again", (t) => {
  for (const events of [
    [block("BlockReceived"), block("BlockValidated"), connected],
    [block("BlockReceived"), rejected, block("BlockReceived"), block("BlockValidated"), connected],
    [block("BlockReceived"), block("BlockValidated"), block("BlockSetAside"), connected],
    [block("BlockReceived"), lost, block("BlockReceived"), lost],
    // A sync connected it meanwhile.
    [block("BlockReceived"), connected, block("BlockValidated"), block("BlockSetAside")],
    [connected, rejected],
  ]) {
    const { wrong, fates } = hear(events);
    t.deepEqual([wrong, fates.fault(0)], [[], undefined]);
  }
});

test("a block that does not end, ends twice, or was never received, is told", (t) => {
  for (const events of [
    [block("BlockReceived")],
    [block("BlockReceived"), block("BlockValidated")],
    [lost],
    [block("BlockReceived"), lost, block("BlockSetAside")],
    [block("BlockValidated")],
    [block("BlockReceived"), block("BlockReceived"), connected],
  ]) {
    const { wrong, fates } = hear(events);
    t.is(wrong.length + (fates.fault(0) === undefined ? 0 : 1), 1);
  }
});

test("a transaction is judged once for each time that it came, and held until it ends", (t) => {
  for (const [events, held] of [
    [[received, accepted], 1],
    [[received, received, accepted, refused], 1],
    [[received, refused], 0],
    [[received, accepted, confirmed], 0],
    [[received, accepted, confirmed, returned], 1],
    [[received, accepted, dropped, received, accepted], 1],
    [[returned, dropped], 0],
  ] as [Seen[], number][]) {
    const { wrong, fates } = hear(events);
    t.deepEqual([wrong, fates.fault(held)], [[], undefined]);
  }
});

test("a transaction that is not judged, ends twice or never, is told", (t) => {
  for (const [events, held] of [
    [[received], 0],
    [[received, received, refused], 0],
    [[received, accepted], 0],
    [[received, accepted, dropped, confirmed], 0],
    [[dropped], 0],
    [[accepted, accepted], 1],
    [[accepted, returned], 1],
    [[], 1],
  ] as [Seen[], number][]) {
    const { wrong, fates } = hear(events);
    t.is(wrong.length + (fates.fault(held) === undefined ? 0 : 1), 1);
  }
});
