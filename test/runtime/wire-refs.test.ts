import test from "ava";
import fc from "fast-check";
import { decodeRefs, encodeRefs } from "../../src/runtime/wire-refs.js";
import { createHarness, scripted } from "./harness.js";
import { structuredTell } from "./structured-tell.js";

class FakeRef {
  readonly id: number;

  constructor(id: number) {
    this.id = id;
  }
}

const isRef = (value: object): value is FakeRef => value instanceof FakeRef;

test("references at any depth survive the way to another thread and back", (t) => {
  const message = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: "medium" },
      fc.nat().map((id) => new FakeRef(id)),
      fc.string(),
      fc.bigInt(),
      fc.uint8Array(),
      fc.constantFrom(null, undefined, new Date(0)),
      fc.array(tie("node")),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie("node"), { noNullPrototype: true }),
    ),
  })).node;
  fc.assert(
    fc.property(message, (original) => {
      const encoded = structuredClone(encodeRefs(original, isRef, ({ id }) => id));
      t.deepEqual(
        decodeRefs(encoded, (id) => new FakeRef(id as number)),
        original,
      );
    }),
  );
});

test("a message without references is sent as it is, one with them is not changed", (t) => {
  const plain = { a: [1, { b: new Uint8Array(2) }] };
  t.is(
    encodeRefs(plain, isRef, () => 0),
    plain,
  );
  const message = Object.freeze({ to: Object.freeze([new FakeRef(1)]), rest: plain });
  const encoded = encodeRefs(message, isRef, ({ id }) => id) as typeof message;
  t.deepEqual(encoded as unknown, { to: [{ "@ref": 1 }], rest: plain });
  t.is(encoded.rest, plain);
});

test("structuredTell delivers what can be cloned and throws at what cannot", (t) => {
  const { system, settle } = createHarness();
  const log: unknown[] = [];
  const ref = system.spawn(scripted(), { log }, { name: "a" });
  t.throws(() => structuredTell(ref, () => log.push("never")), {
    any: true,
    name: "DataCloneError",
  });
  const received: unknown[] = [];
  const stub = { path: "/stub", tell: (message: unknown) => received.push(message) > 0 };
  const message = { replyTo: ref, bytes: new Uint8Array([1, 2]) };
  t.true(structuredTell<typeof message>(stub, message));
  const [copy] = received as [typeof message];
  t.is(copy.replyTo, ref);
  t.not(copy.bytes, message.bytes);
  settle();
});
