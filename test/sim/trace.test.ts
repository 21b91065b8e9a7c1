import test from "ava";
import fc from "fast-check";
import { formatDelivery, StructuralHash } from "../../src/sim/index.js";
import { Trace } from "../../src/sim/trace.js";

function hashOf(value: unknown): string {
  const hash = new StructuralHash();
  hash.value(value);
  return hash.digest();
}

test("values that say the same have one hash, whoever holds them", (t) => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withMap: true, withSet: true }), (value) => {
      t.is(hashOf(value), hashOf(value));
      t.is(hashOf(structuredClone({ value })), hashOf({ value }));
    }),
  );
  const shared = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
  t.is(hashOf(shared.subarray(1, 7)), hashOf(Uint8Array.of(1, 2, 3, 4, 5, 6)));
  t.is(hashOf(shared.buffer), hashOf(shared));
});

test("values that differ have different hashes", (t) => {
  const ref = (path: string) => ({ path, tell: () => true });
  class Link {
    readonly direction = "inbound";
    readonly remote: object;
    constructor(host: string) {
      this.remote = { scheme: "memory", host, port: 1 };
    }
  }
  const values: unknown[] = [
    ...[undefined, null, true, false, 0, 1, -1, 0.5, 2 ** 32, NaN, 0n, 1n, 2n ** 64n],
    ...["", "a", "b", "ab", "ba", "\0", "0"],
    ...[[], [1], [[1]], [1, 2], [2, 1], {}, { a: 1 }, { a: 2 }, { b: 1 }, { a: { b: 1 } }],
    ...[new Uint8Array(), new Uint8Array(1), new Uint8Array(4), new Uint8Array(5)],
    ...[Uint8Array.of(1), Uint8Array.of(0, 1), Uint32Array.of(7)],
    ...[new Map(), new Map([[1, 2]]), new Map([[2, 1]]), new Set(), new Set([1]), new Set([2])],
    ...[ref("/n0/a"), ref("/n1/a"), new Error("x"), new Error("y"), () => 1],
    ...[new Link("n0"), new Link("n1")],
  ];
  t.is(new Set(values.map(hashOf)).size, values.length);
});

test("a flipped bit anywhere in bytes or text changes the hash", (t) => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
  fc.assert(
    fc.property(bytes, fc.nat(), (value, place) => {
      const changed = value.slice();
      changed[place % value.length]! ^= 1 << (place % 8);
      t.not(hashOf(changed), hashOf(value));
      const text = (raw: Uint8Array): string => Buffer.from(raw).toString("latin1");
      t.not(hashOf(text(changed)), hashOf(text(value)));
    }),
  );
});

test("a cycle and a deep value end", (t) => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  t.is(hashOf(cycle), hashOf(cycle));
});

test("a trace tells order, time and actor apart", (t) => {
  const traceOf = (...deliveries: [number, string, unknown][]): string => {
    const trace = new Trace();
    for (const delivery of deliveries) trace.add(...delivery);
    t.is(trace.count, deliveries.length);
    return trace.hash;
  };
  const hashes = [
    traceOf(),
    traceOf([1, "/n0/a", "x"]),
    traceOf([2, "/n0/a", "x"]),
    traceOf([1, "/n0/b", "x"]),
    traceOf([1, "/n0/a", "y"]),
    traceOf([1, "/n0/a", "x"], [1, "/n0/a", "y"]),
    traceOf([1, "/n0/a", "y"], [1, "/n0/a", "x"]),
  ];
  t.is(new Set(hashes).size, hashes.length);
  t.is(traceOf([1, "/n0/a", { a: [1] }]), traceOf([1, "/n0/a", { a: [1] }]));
});

test("a line shows time, actor, message and hash", (t) => {
  const message = {
    type: "Connect",
    blocks: [new Uint8Array(9)],
    replyTo: { path: "/n0/b", tell: () => true },
  };
  let line = "";
  new Trace().add(12.3456, "/n0/a", message, (delivery) => (line = formatDelivery(delivery)));
  t.regex(
    line,
    /^ +12\.346 \/n0\/a Connect\{blocks: \[<9 B>\], replyTo: @\/n0\/b\} #[0-9a-f]{16}$/,
  );
});
