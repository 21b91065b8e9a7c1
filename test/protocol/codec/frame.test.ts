import test from "ava";
import fc from "fast-check";
import { FrameDecoder, writeFrameHeader } from "../../../src/protocol/codec/frame.js";
import type { Frame } from "../../../src/protocol/codec/frame.js";
import { KINDS, MESSAGE_KINDS } from "../../../src/protocol/index.js";
import type { MessageKind, Violation, ViolationRule } from "../../../src/protocol/index.js";
import { requestIdFor } from "../arbitraries.js";

interface FrameSpec {
  readonly kind: MessageKind;
  readonly requestId?: number;
  readonly more?: boolean;
  readonly payload: Uint8Array;
}

function frameBytes({ kind, requestId, more = false, payload }: FrameSpec): Buffer {
  const bytes = Buffer.alloc(10 + payload.length);
  writeFrameHeader(bytes, 0, {
    kind,
    requestId: requestId ?? requestIdFor(kind, 1),
    payloadBytes: payload.length,
    more,
  });
  bytes.set(payload, 10);
  return bytes;
}

function decodeAll(chunks: readonly Uint8Array[], decoder = new FrameDecoder(MESSAGE_KINDS)) {
  const frames: Frame[] = [];
  let violation: Violation | undefined;
  for (const chunk of chunks) {
    violation = decoder.push(chunk, (frame) => void frames.push(frame));
    decoder.invariants();
  }
  return { frames, violation };
}

function ruleOf(...parts: readonly Uint8Array[]): ViolationRule | undefined {
  return decodeAll([Buffer.concat(parts)]).violation?.rule;
}

/** A header made by hand, so that it can be wrong in any way. */
function header(length: number, code: number, flags: number, requestId: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt32BE(length, 0);
  bytes[4] = code;
  bytes[5] = flags;
  bytes.writeUInt32BE(requestId, 6);
  return bytes;
}

const someFrames = fc
  .array(
    fc.record({
      kind: fc.constantFrom(...MESSAGE_KINDS),
      payload: fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
      id: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((specs) =>
    specs.map(({ kind, payload, id }) => ({
      kind,
      payload: payload.subarray(0, KINDS[kind].payloadBytesMax),
      requestId: requestIdFor(kind, id),
    })),
  );

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b)];
  return [...at, bytes.length].slice(1).map((end, i) => bytes.subarray(at[i], end));
}

test("a header is ten bytes, big-endian", (t) => {
  const bytes = frameBytes({
    kind: "ResponseHeaders",
    requestId: 0x01020304,
    more: true,
    payload: new Uint8Array(3),
  });
  t.is(bytes.subarray(0, 10).toString("hex"), "00000003" + "23" + "0e" + "01020304");
});

test("any split of the bytes gives the same frames", (t) => {
  fc.assert(
    fc.property(someFrames, fc.array(fc.nat(), { maxLength: 30 }), (specs, cuts) => {
      const stream = Buffer.concat(specs.map(frameBytes));
      const { frames, violation } = decodeAll(split(stream, cuts));
      t.is(violation, undefined);
      t.deepEqual(
        frames.map(({ kind, requestId, payload }) => ({
          kind,
          requestId,
          payload: Uint8Array.from(payload),
        })),
        specs,
      );
    }),
    { numRuns: 150 },
  );
});

test("byte by byte gives the same frames and the same violation as one chunk", (t) => {
  const good = frameBytes({ kind: "Ping", payload: Buffer.from("8107", "hex") });
  const stream = Buffer.concat([good, good, header(5, 0x99, 0, 0), good]);
  const whole = decodeAll([stream]);
  const bytewise = decodeAll([...stream].map((byte) => Uint8Array.of(byte)));
  t.is(whole.frames.length, 2);
  t.deepEqual(bytewise.frames, whole.frames);
  t.deepEqual(bytewise.violation, whole.violation);
  t.is(whole.violation?.rule, "unknown-kind");
});

test("a frame within one chunk is a view of it, one over chunks is its own buffer", (t) => {
  const bytes = new Uint8Array(frameBytes({ kind: "NewBlock", payload: new Uint8Array(50) }));
  const [whole] = decodeAll([bytes]).frames;
  t.is(whole!.payload.buffer, bytes.buffer);
  const [spread] = decodeAll([bytes.subarray(0, 30), bytes.subarray(30)]).frames;
  t.not(spread!.payload.buffer, bytes.buffer);
  t.deepEqual(spread!.payload, whole!.payload);
});

test("memory follows the bytes that arrived, not those announced", (t) => {
  const decoder = new FrameDecoder(MESSAGE_KINDS);
  const stream = frameBytes({ kind: "NewBlock", payload: new Uint8Array(65_536) });
  for (let at = 0; at < stream.length; at += 700) {
    decodeAll([stream.subarray(at, at + 700)], decoder);
    t.true(decoder.heldBytes <= Math.max(1_024, 4 * (at + 700)), `${decoder.heldBytes} at ${at}`);
  }
  t.is(decoder.heldBytes, 0);
});

test("each broken header rule is refused by its name before any payload", (t) => {
  const cases: readonly [string, ViolationRule, Buffer][] = [
    ["a code of no kind", "unknown-kind", header(1, 0x00, 0, 0)],
    ["the highest code", "unknown-kind", header(1, 0xff, 0, 0)],
    ["a reserved bit", "flags", header(2, 0x03, 0x10, 0)],
    ["the highest bit", "flags", header(2, 0x03, 0x80, 0)],
    ["a ping on the block lane", "wrong-lane", header(2, 0x03, 0x01, 0)],
    ["a block on the control lane", "wrong-lane", header(2, 0x10, 0x00, 0)],
    ["a one-way message as a response", "flags", header(2, 0x03, 0x08, 0)],
    ["a request as a response", "flags", header(2, 0x20, 0x09, 1)],
    ["a response without the flag", "flags", header(2, 0x21, 0x01, 1)],
    ["a fragmented ping", "flags", header(2, 0x03, 0x04, 0)],
    ["an empty frame", "fragment-length", header(0, 0x10, 0x01, 0)],
    ["an empty fragment", "fragment-length", header(0, 0x10, 0x05, 0)],
    ["a fragment over 64 KiB", "fragment-length", header(65_537, 0x10, 0x01, 0)],
    ["a length bomb", "message-length", header(0xffffffff, 0x10, 0x01, 0)],
    ["a ping of 17 bytes", "message-length", header(17, 0x03, 0, 0)],
    ["a one-way message with an id", "request-id", header(2, 0x03, 0, 7)],
    ["a request without an id", "request-id", header(2, 0x20, 0x01, 0)],
    ["a response without an id", "request-id", header(2, 0x21, 0x09, 0)],
  ];
  for (const [name, rule, bytes] of cases) t.is(ruleOf(bytes), rule, name);
});

test("the limits themselves are legal", (t) => {
  t.is(ruleOf(header(65_536, 0x10, 0x01, 0)), undefined);
  t.is(ruleOf(header(16, 0x03, 0, 0)), undefined);
  t.is(ruleOf(header(1, 0x21, 0x09, 0xffffffff)), undefined);
});

test("fragments of a lane belong to one message until it ends", (t) => {
  const part = (kind: MessageKind, requestId: number, more: boolean) =>
    frameBytes({ kind, requestId, more, payload: new Uint8Array(4) });
  const open = part("ResponseBlock", 5, true);
  t.is(ruleOf(open, part("ResponseBlock", 5, true), part("ResponseBlock", 5, false)), undefined);
  t.is(ruleOf(open, part("ResponseBlock", 6, false)), "fragment-order");
  t.is(ruleOf(open, part("NewBlock", 0, false)), "fragment-order");
  const otherLanes = [part("ResponseHeaders", 5, true), part("Ping", 0, false)];
  t.is(ruleOf(open, ...otherLanes, part("ResponseBlock", 5, false)), undefined);
  t.is(ruleOf(open, part("ResponseBlock", 5, false), part("NewBlock", 0, false)), undefined);
});

test("fragments may not add up to more than the kind allows", (t) => {
  const max = KINDS.NewTransaction.payloadBytesMax;
  const fragment = frameBytes({
    kind: "NewTransaction",
    more: true,
    payload: new Uint8Array(65_536),
  });
  const count = max / 65_536;
  const full = Array.from({ length: count }, () => fragment);
  t.is(ruleOf(...full), undefined);
  t.is(ruleOf(...full, header(1, 0x30, 0x03, 0)), "message-length");
});

test("only allowed kinds come, and a change holds from the next header on", (t) => {
  const decoder = new FrameDecoder(["Handshake", "Disconnect"]);
  const handshake = frameBytes({ kind: "Handshake", payload: Uint8Array.of(0x80) });
  const ping = frameBytes({ kind: "Ping", payload: Uint8Array.of(0x80) });
  t.is(decodeAll([ping], new FrameDecoder(["Handshake"])).violation?.rule, "kind-not-allowed");
  const seen: string[] = [];
  const violation = decoder.push(Buffer.concat([handshake, ping, handshake]), ({ kind }) => {
    seen.push(kind);
    decoder.allow(["Ping"]);
    return undefined;
  });
  t.deepEqual(seen, ["Handshake", "Ping"]);
  t.is(violation?.rule, "kind-not-allowed");
});

test("a violation of the sink fails the decoder, which stays failed", (t) => {
  const decoder = new FrameDecoder(MESSAGE_KINDS);
  const ping = frameBytes({ kind: "Ping", payload: Uint8Array.of(0x80) });
  let calls = 0;
  const sink = (): Violation => {
    calls++;
    return { rule: "credit", detail: "too much" };
  };
  t.is(decoder.push(Buffer.concat([ping, ping]), sink)?.rule, "credit");
  t.is(decoder.push(ping, sink)?.rule, "credit");
  t.is(calls, 1);
  decoder.invariants();
});

test("random bytes never throw and never hold more than a frame", (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (chunks) => {
      const decoder = new FrameDecoder(MESSAGE_KINDS);
      decodeAll(chunks, decoder);
      return decoder.heldBytes <= 1_024;
    }),
    { numRuns: 300 },
  );
  t.pass();
});
