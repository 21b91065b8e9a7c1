import test from "ava";
import { DEFAULTS } from "../../../src/config.js";
import { RequestTable } from "../../../src/actors/peer/request-table.js";
import type { RequestOutcome } from "../../../src/actors/peer/peer-handler-messages.js";
import { KINDS, type Lane, type Message } from "../../../src/protocol/types/message.js";
import { refusing } from "../support.js";

const settings = DEFAULTS.requests;
const message: Message = { kind: "RequestBlock", hash: "00".repeat(32) };
const replyTo = refusing<RequestOutcome>();
/** No answer is on its way. */
const none = (): number => 0;

function add(table: RequestTable, nowMs: number, tag = 1): number {
  return table.add(message, tag, replyTo, nowMs);
}

test("requests are numbered from 1 and answered by their number", (t) => {
  const table = new RequestTable(settings);
  t.deepEqual([add(table, 0, 71), add(table, 0, 72)], [1, 2]);
  const settled = table.settle(2, "ResponseBlock", 5);
  t.is(settled.type, "answered");
  t.is(settled.type === "answered" ? settled.request.tag : 0, 72);
  t.is(table.size, 1);
  t.is(table.settle(2, "ResponseBlock", 6).type, "unsolicited");
});

test("a refusal answers any request", (t) => {
  const table = new RequestTable(settings);
  t.is(table.settle(add(table, 0), "RequestRefused", 1).type, "answered");
});

test("an answer of another kind is told apart and settles the request", (t) => {
  const table = new RequestTable(settings);
  const id = add(table, 0, 9);
  const settled = table.settle(id, "ResponseHeaders", 1);
  t.is(settled.type, "wrongKind");
  t.is(settled.type === "wrongKind" ? settled.request.tag : 0, 9);
  t.is(table.size, 0);
});

test("it is full at its limit", (t) => {
  const table = new RequestTable({ ...settings, inFlightMax: 2 });
  add(table, 0);
  t.false(table.full);
  const second = add(table, 0);
  t.true(table.full);
  table.settle(second, "ResponseBlock", 1);
  t.false(table.full);
});

test("the first requests wait for the longest timeout", (t) => {
  const table = new RequestTable(settings);
  t.is(table.timeoutMs, settings.timeoutMaxMs);
  add(table, 100);
  t.deepEqual(table.expire(100 + settings.timeoutMaxMs - 1, none), []);
  t.is(table.expire(100 + settings.timeoutMaxMs, none).length, 1);
  t.is(table.size, 0);
});

test("the timeout is three smoothed answer times, within its bounds", (t) => {
  const table = new RequestTable(settings);
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
  const table = new RequestTable(settings);
  const early = add(table, 0, 1);
  table.settle(add(table, 0), "ResponseBlock", 10);
  add(table, 0, 2);
  t.deepEqual(
    table.expire(settings.timeoutMinMs, none).map(({ tag }) => tag),
    [2],
  );
  t.is(table.settle(early, "ResponseBlock", 1).type, "answered");
});

test("while bytes arrive at a fair rate a request is not late, and it is once they stop", (t) => {
  const table = new RequestTable(settings);
  const dueMs = settings.timeoutMaxMs;
  const lane = KINDS[message.kind].lane;
  const arrived = (of: Lane): number => (of === lane ? 1_000_000 + 80_000 : 2_000_000_000);
  table.add(message, 1, replyTo, 0, 1_000_000);
  t.is(table.expire(dueMs, arrived).length, 0);
  t.is(table.expire(dueMs + 9_999, arrived).length, 0);
  t.is(table.expire(dueMs + 10_000, arrived).length, 1);
});

test("an answer that comes after its deadline is late, not unsolicited, once", (t) => {
  const table = new RequestTable(settings);
  const id = add(table, 0);
  table.expire(settings.timeoutMaxMs, none);
  t.is(table.settle(id, "ResponseBlock", 1e6).type, "late");
  t.is(table.settle(id, "ResponseBlock", 1e6).type, "unsolicited");
  t.is(table.settle(999, "ResponseBlock", 1e6).type, "unsolicited");
});

test("an expired request keeps its place until it is answered, however late", (t) => {
  const table = new RequestTable({ ...settings, inFlightMax: 2 });
  const [first] = [add(table, 0), add(table, 1)];
  table.expire(settings.timeoutMaxMs, none);
  t.is(table.size, 1);
  t.true(table.full);
  t.false(table.abandoned, "the second may still be answered in time");
  table.expire(settings.timeoutMaxMs + 1, none);
  t.true(table.abandoned);
  t.is(table.settle(first, "ResponseBlock", 1e6).type, "late");
  t.false(table.full);
  t.false(table.abandoned);
});

test("requests for transactions that were not answered count against their half", (t) => {
  const table = new RequestTable({ ...settings, inFlightMax: 4 });
  const transactions: Message = { kind: "RequestTransactions", ids: [] };
  table.add(transactions, 1, replyTo, 0);
  table.add(transactions, 2, replyTo, 0);
  table.expire(settings.timeoutMaxMs, none);
  t.false(table.hasRoom("RequestTransactions"));
  t.true(table.hasRoom("RequestHeaders"));
});

test("ids wrap to 1 after the largest and never are 0", (t) => {
  const table = new RequestTable(settings, 2 ** 32 - 2);
  t.deepEqual([add(table, 0), add(table, 0), add(table, 0)], [2 ** 32 - 2, 2 ** 32 - 1, 1]);
});

test("to drain takes out all of them", (t) => {
  const table = new RequestTable(settings);
  add(table, 0, 1);
  add(table, 0, 2);
  t.deepEqual(
    table.drain().map(({ tag }) => tag),
    [1, 2],
  );
  t.is(table.size, 0);
  t.deepEqual(table.drain(), []);
});

test("an answer is objected to before it is whole when nobody waits for it, or not for its kind", (t) => {
  const table = new RequestTable(settings);
  const id = add(table, 0);
  t.is(table.objection(id, "ResponseBlock"), undefined);
  t.is(table.objection(id, "RequestRefused"), undefined);
  t.is(table.objection(id, "ResponseHeaders"), "RequestBlock answered by ResponseHeaders");
  t.is(table.objection(id + 1, "ResponseBlock"), "an unsolicited ResponseBlock");
  table.expire(1e6, none);
  t.is(table.objection(id, "ResponseBlock"), undefined, "it is late");
});
