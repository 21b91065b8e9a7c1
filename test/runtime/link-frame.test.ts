// Messages come out of a frame as a structured clone of each would, whatever their kinds.

import test from "ava";
import { Frame, messagesOf } from "../../src/runtime/link-frame.js";

const asItIs = (value: unknown): unknown => value;

function through(messages: readonly unknown[], frame = new Frame()): unknown[] {
  for (const message of messages) frame.add("/a", 1, message, asItIs);
  return messagesOf(structuredClone(frame.posted()));
}

test("messages of every kind and shape keep their order and their fields", (t) => {
  const messages = [
    { type: "work", value: 1 },
    { type: "work", value: 2 },
    { value: 3, type: "work" },
    { type: "work", value: 3, more: undefined },
    {},
    null,
    undefined,
    "text",
    7,
    [1, { nested: true }],
    new Uint8Array([1, 2]),
    new Map([["a", { b: 1 }]]),
    { type: "nested", value: { list: [1, 2] } },
    { type: "work", value: 4 },
  ];
  const received = through(messages);
  t.deepEqual(received, structuredClone(messages));
  t.deepEqual(Object.keys(received[2] as object), ["value", "type"]);
  t.true(Object.hasOwn(received[3] as object, "more"));
});

test("a field named __proto__ stays a field", (t) => {
  const message = JSON.parse(`{"__proto__":{"admin":true},"type":"work"}`) as object;
  const [received] = through([message]) as [object];
  t.true(Object.hasOwn(received, "__proto__"));
  t.is(Object.getPrototypeOf(received), Object.prototype);
});

test("names travel once for all messages that share them", (t) => {
  const frame = new Frame();
  through(
    Array.from({ length: 500 }, (_, value) => ({ type: value % 2 ? "odd" : "even", value })),
    frame,
  );
  const [, runs, shapes, rows] = frame.posted();
  t.deepEqual(shapes, [["type", "value"]]);
  t.deepEqual(rows, [0, 500]);
  t.deepEqual(runs, [0, 1, 500]);
});

test("what cannot be cloned is emptied and named, and its neighbours arrive", (t) => {
  const frame = new Frame();
  frame.add("/a", 1, { type: "good", value: 1 }, asItIs);
  frame.add("/b", 2, { type: "bad", value: () => 1 }, asItIs);
  frame.add("/a", 1, () => 2, asItIs);
  frame.add("/a", 1, { type: "good", value: 2 }, asItIs);
  const emptied: string[] = [];
  frame.emptyUncloneable((path) => emptied.push(path));
  t.deepEqual(emptied, ["/b", "/a"]);
  t.deepEqual(frame.extras.unsent, [1, 2]);
  const received = messagesOf(structuredClone(frame.posted()));
  t.deepEqual(received[0], { type: "good", value: 1 });
  t.deepEqual(received[3], { type: "good", value: 2 });
});

test("every value that holds a reference is known by its slot", (t) => {
  const frame = new Frame();
  const reference = { path: "/r", uid: 9 };
  const encode = (value: unknown) => (value === reference ? frame.addRef("/r", 9) : value);
  frame.add("/a", 1, { type: "ask", count: 0, replyTo: reference }, encode);
  frame.add("/a", 1, { type: "ask", count: 0, replyTo: reference }, encode);
  const [paths, , , , values, refSlots, refs] = frame.posted();
  t.deepEqual(refSlots, [2, 5]);
  t.deepEqual(values, ["ask", 0, 0, "ask", 0, 1]);
  t.deepEqual(refs, [0, 9, 0, 9]);
  t.deepEqual(paths, ["/r", "/a"]);
});

test("a message whose encoding throws leaves no trace of itself", (t) => {
  const frame = new Frame();
  const encode = (value: unknown): unknown => {
    if (value === "bad") throw new RangeError("too deep");
    return value === "reference" ? frame.addRef("/r", 9) : value;
  };
  frame.add("/a", 1, { type: "good", to: "reference", value: 1 }, encode);
  const bad = { type: "good", to: "reference", value: "bad" };
  t.throws(() => frame.add("/a", 1, bad, encode), { instanceOf: RangeError });
  frame.add("/b", 2, { type: "good", to: "reference", value: 2 }, encode);
  const [paths, runs, , rows, values, refSlots, refs] = frame.posted();
  t.deepEqual(values, ["good", 0, 1, "good", 2, 2]);
  t.deepEqual(refSlots, [1, 4]);
  t.is(paths[refs[2 * 2]!], "/r");
  t.deepEqual(rows, [0, 2]);
  t.deepEqual(runs, [paths.indexOf("/a"), 1, 1, paths.indexOf("/b"), 2, 1]);
  t.is(frame.messageCount, 2);
});
