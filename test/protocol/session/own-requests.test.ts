import test from "ava";
import { DEFAULTS } from "../../../src/config.js";
import { OwnRequests } from "../../../src/protocol/session/own-requests.js";
import { KINDS, type Lane, type Message } from "../../../src/protocol/types/message.js";

const settings = DEFAULTS.requests;
const HASH = "00".repeat(32);
const message: Message = { kind: "RequestBlock", hash: HASH };
/** No answer is on its way. */
const none = (): number => 0;

function tableOf(changed: Partial<typeof settings> = {}, firstId = 1): OwnRequests<number> {
  return new OwnRequests<number>({ ...settings, ...changed }, firstId);
}

/** Wanted and sent at once; undefined: it must wait. */
function add(
  table: OwnRequests<number>,
  nowMs: number,
  tag = 1,
  { wanted = message, answerBytes = 0 }: { wanted?: Message; answerBytes?: number } = {},
): number {
  table.want(wanted, tag, nowMs);
  const due = table.next(nowMs);
  if (due?.type !== "send") throw new Error("it must wait");
  return table.sent(due.request, nowMs, answerBytes);
}

test("requests are numbered from 1 and answered by their number", (t) => {
  const table = tableOf();
  t.deepEqual([add(table, 0, 71), add(table, 0, 72)], [1, 2]);
  const settled = table.settle(2, "ResponseBlock", 5);
  t.is(settled.type, "answered");
  t.is(settled.type === "answered" ? settled.request.asker : 0, 72);
  t.false(table.isIdle);
  t.is(table.settle(2, "ResponseBlock", 6).type, "unsolicited");
});

test("a refusal answers any request", (t) => {
  const table = tableOf();
  t.is(table.settle(add(table, 0), "RequestRefused", 1).type, "answered");
});

test("an answer of another kind is told apart and settles the request", (t) => {
  const table = tableOf();
  const id = add(table, 0, 9);
  const settled = table.settle(id, "ResponseHeaders", 1);
  t.is(settled.type, "wrongKind");
  t.is(settled.type === "wrongKind" ? settled.request.asker : 0, 9);
  t.true(table.isIdle);
});

test("it is full at its limit", (t) => {
  const table = tableOf({ inFlightMax: 2 });
  add(table, 0);
  t.true(table.hasRoom("RequestBlock"));
  const second = add(table, 0);
  t.false(table.hasRoom("RequestBlock"));
  table.settle(second, "ResponseBlock", 1);
  t.true(table.hasRoom("RequestBlock"));
});

test("the first requests wait for the longest timeout", (t) => {
  const table = tableOf();
  t.is(table.timeoutMs, settings.timeoutMaxMs);
  add(table, 100);
  t.deepEqual(table.expire(100 + settings.timeoutMaxMs - 1, none), []);
  t.is(table.expire(100 + settings.timeoutMaxMs, none).length, 1);
  t.true(table.isIdle);
});

test("the timeout is three smoothed answer times, within its bounds", (t) => {
  const table = tableOf();
  const answerAfter = (elapsedMs: number): void =>
    void table.settle(add(table, 0), "ResponseBlock", elapsedMs);
  answerAfter(2_000);
  t.is(table.timeoutMs, 6_000);
  answerAfter(2_800);
  t.is(table.timeoutMs, 3 * 2_100);
  for (let i = 0; i < 100; i++) answerAfter(1);
  t.is(table.timeoutMs, settings.timeoutMinMs);
  for (let i = 0; i < 100; i++) answerAfter(50_000);
  t.is(table.timeoutMs, settings.timeoutMaxMs);
});

test("a changed timeout leaves the deadlines of earlier requests alone", (t) => {
  const table = tableOf();
  const early = add(table, 0, 1);
  table.settle(add(table, 0), "ResponseBlock", 10);
  add(table, 0, 2);
  t.deepEqual(
    table.expire(settings.timeoutMinMs, none).map(({ asker }) => asker),
    [2],
  );
  t.is(table.settle(early, "ResponseBlock", 1).type, "answered");
});

test("while bytes arrive at a fair rate a request is not late, and it is once they stop", (t) => {
  const table = tableOf();
  const dueMs = settings.timeoutMaxMs;
  const lane = KINDS[message.kind].lane;
  const arrived = (of: Lane): number => (of === lane ? 1_000_000 + 640_000 : 2_000_000_000);
  add(table, 0, 1, { answerBytes: 1_000_000 });
  t.is(table.expire(dueMs, arrived).length, 0);
  t.is(table.expire(dueMs + 9_999, arrived).length, 0);
  t.is(table.expire(dueMs + 10_000, arrived).length, 1);
});

test("an answer that comes after its deadline is late, not unsolicited, once", (t) => {
  const table = tableOf();
  const id = add(table, 0);
  table.expire(settings.timeoutMaxMs, none);
  t.is(table.settle(id, "ResponseBlock", 1e6).type, "late");
  t.is(table.settle(id, "ResponseBlock", 1e6).type, "unsolicited");
  t.is(table.settle(999, "ResponseBlock", 1e6).type, "unsolicited");
});

test("an expired request keeps its place until it is answered, however late", (t) => {
  const table = tableOf({ inFlightMax: 2 });
  const [first] = [add(table, 0), add(table, 1)];
  table.expire(settings.timeoutMaxMs, none);
  t.false(table.isIdle);
  t.false(table.hasRoom("RequestBlock"));
  t.false(table.abandoned, "the second may still be answered in time");
  table.expire(settings.timeoutMaxMs + 1, none);
  t.true(table.abandoned);
  t.is(table.settle(first, "ResponseBlock", 1e6).type, "late");
  t.true(table.hasRoom("RequestBlock"));
  t.false(table.abandoned);
});

test("requests for transactions that were not answered count against their half", (t) => {
  const table = tableOf({ inFlightMax: 4 });
  const transactions: Message = { kind: "RequestTransactions", ids: [] };
  add(table, 0, 1, { wanted: transactions });
  add(table, 0, 2, { wanted: transactions });
  table.expire(settings.timeoutMaxMs, none);
  t.false(table.hasRoom("RequestTransactions"));
  t.true(table.hasRoom("RequestHeaders"));
});

test("ids wrap to 1 after the largest and never are 0", (t) => {
  const table = tableOf({}, 2 ** 32 - 2);
  t.deepEqual([add(table, 0), add(table, 0), add(table, 0)], [2 ** 32 - 2, 2 ** 32 - 1, 1]);
});

test("to drain takes out all of them", (t) => {
  const table = tableOf();
  add(table, 0, 1);
  add(table, 0, 2);
  t.deepEqual(table.drain(), [1, 2]);
  t.true(table.isIdle);
  t.deepEqual(table.drain(), []);
});

test("an answer is objected to before it is whole when nobody waits for it, or not for its kind", (t) => {
  const table = tableOf();
  const id = add(table, 0);
  t.is(table.objection(id, "ResponseBlock"), undefined);
  t.is(table.objection(id, "RequestRefused"), undefined);
  t.is(table.objection(id, "ResponseHeaders"), "RequestBlock answered by ResponseHeaders");
  t.is(table.objection(id + 1, "ResponseBlock"), "an unsolicited ResponseBlock");
  table.expire(1e6, none);
  t.is(table.objection(id, "ResponseBlock"), undefined, "it is late");
});

test("a request that finds no place is given up by the time at which it was wanted", (t) => {
  const table = tableOf({ inFlightMax: 1 });
  add(table, 0, 1);
  table.want(message, 2, 500);
  t.is(table.next(500), undefined);
  const dueMs = 500 + settings.timeoutMaxMs;
  t.deepEqual(table.expireWaiting(dueMs - 1), []);
  t.deepEqual(
    table.expireWaiting(dueMs).map(({ asker }) => asker),
    [2],
  );
  t.deepEqual(table.expireWaiting(dueMs), []);
});

test("what it waited counts, but the peer has the least time for an answer all the same", (t) => {
  const { timeoutMaxMs, timeoutMinMs } = settings;
  for (const waitedMs of [5_000, timeoutMaxMs - 1]) {
    const table = tableOf({ inFlightMax: 1 });
    const first = add(table, 0, 1);
    table.want(message, 2, 0);
    table.settle(first, "ResponseBlock", timeoutMaxMs);
    const due = table.next(waitedMs);
    table.sent(due!.request, waitedMs);
    const dueMs = Math.max(timeoutMaxMs, waitedMs + timeoutMinMs);
    t.deepEqual(table.expire(dueMs - 1, none), []);
    t.is(table.expire(dueMs, none).length, 1);
  }
});

test("a request that waits for its quota holds up no other kind, and none that has a place", (t) => {
  const table = tableOf();
  const range: Message = { kind: "RequestBlockRange", fromHeight: 1, count: 9, lastHash: HASH };
  table.keepTo([{ kind: KINDS.RequestBlock.code, itemsPerSecond: 1, burstItems: 1 }]);
  table.want(message, 1, 0);
  table.want(message, 2, 0);
  table.want(range, 3, 0);
  const sent = (nowMs: number): number[] => {
    const askers: number[] = [];
    for (let due = table.next(nowMs); due !== undefined; due = table.next(nowMs)) {
      askers.push(due.request.asker);
      table.sent(due.request, nowMs);
    }
    return askers;
  };
  t.deepEqual(sent(0), [1, 3]);
  t.is(table.quotaWaitMs(0), 1_000);
  t.deepEqual(sent(1_000), [2]);
  t.is(table.quotaWaitMs(1_000), Number.POSITIVE_INFINITY);
});

test("a peer that never serves so many at once is asked for what it serves", (t) => {
  const ids = Array.from({ length: 5 }, (_, i) => i.toString(16).padStart(64, "0"));
  const transactions: Message = { kind: "RequestTransactions", ids };
  const headers: Message = { kind: "RequestHeaders", locator: [HASH], countMax: 2_000 };
  const range: Message = { kind: "RequestBlockRange", fromHeight: 1, count: 9, lastHash: HASH };
  const table = tableOf();
  const codes = [transactions, headers, range].map(({ kind }) => KINDS[kind].code);
  table.keepTo(codes.map((kind) => ({ kind, itemsPerSecond: 1, burstItems: 2 })));
  for (const wanted of [transactions, headers, range, transactions]) table.want(wanted, 1, 0);
  const due = [table.next(0), table.next(0), table.next(0)];
  t.deepEqual(
    due.map((one) => [one?.type, one?.request.message, one?.request.items]),
    [
      ["send", { ...headers, countMax: 2 }, 2],
      // It is named by its last block: no part of it can be asked for.
      ["refuse", range, 9],
      ["send", { ...transactions, ids: ids.slice(0, 2) }, 2],
    ],
  );
  t.is(table.next(0), undefined);
  t.is(table.quotaWaitMs(0), 2_000);
  t.is(table.next(2_000)?.type, "send");
});

test("a peer that serves nothing of a kind is not asked", (t) => {
  const table = tableOf();
  const kind = KINDS.RequestHeaders.code;
  table.keepTo([{ kind, itemsPerSecond: 0, burstItems: 9 }]);
  table.want({ kind: "RequestHeaders", locator: [HASH], countMax: 32 }, 1, 0);
  t.is(table.next(0)?.type, "refuse");
});
