// What is fuzzed: each reader of bytes of strangers. A target throws for a fault of the code under
// test; a refusal is none. `grown` are inputs of the right structure, from which others are made.

import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeCbor, encodeCbor, scanCbor, type CborValue } from "../../src/bytes/cbor.js";
import { createPowRules } from "../../src/chain/rules.js";
import {
  decodeMessage,
  encodeMessage,
  itemRanges,
  messageFromItems,
} from "../../src/protocol/codec/codec.js";
import { FrameDecoder, type Frame } from "../../src/protocol/codec/frame.js";
import { formatAddress, readAddress } from "../../src/protocol/address.js";
import { KINDS, MESSAGE_KINDS } from "../../src/protocol/index.js";
import { anyMessage, requestIdFor } from "../protocol/arbitraries.js";
import { makeBlock, makeKey, makeTransaction, testParams } from "../support/chain.js";
import { messageBytes } from "../support/frames.js";
import { joined } from "./mutator.js";
import { runProgram, STATES, STEPS, stepOf } from "./program.js";

export interface Target {
  readonly name: string;
  readonly bytesMax: number;
  readonly grown: fc.Arbitrary<Uint8Array>;
  run(input: Uint8Array): void;
}

/** Memory of a partial frame: what arrived times four, 1 KiB at least, never over a fragment. */
const PARTIAL_FACTOR = 4;
const PARTIAL_MIN = 1_024;

/** The first byte says how the rest is cut; however it is, the same comes out. */
const frames: Target = {
  name: "frames",
  bytesMax: 2_048,
  grown: fc
    .tuple(fc.nat(255), fc.array(fc.tuple(anyMessage, fc.nat(9)), { maxLength: 6 }))
    .map(([cut, messages]) =>
      joined(
        Uint8Array.of(cut),
        ...messages.map(([message, id]) => messageBytes(message, requestIdFor(message.kind, id))),
      ),
    ),
  run(input) {
    const stream = input.subarray(1);
    assert.deepEqual(split(stream, 1 + (input[0] ?? 0)), split(stream, stream.length + 1));
  },
};

function split(stream: Uint8Array, length: number): unknown {
  const decoder = new FrameDecoder(MESSAGE_KINDS);
  const seen: string[] = [];
  const onFrame = ({ kind, requestId, more, payload }: Frame): undefined => {
    seen.push(`${kind} ${requestId} ${more} ${payload.length} ${payload[0]} ${payload.at(-1)}`);
  };
  for (let at = 0; at < stream.length; at += length) {
    const failure = decoder.push(stream.slice(at, at + length), onFrame);
    decoder.invariants();
    const arrived = Math.min(stream.length, at + length);
    assert.ok(decoder.heldBytes <= Math.max(PARTIAL_MIN, PARTIAL_FACTOR * arrived));
    if (failure !== undefined) return { seen, failure };
  }
  return { seen };
}

const LIMITS = { depthMax: 4, itemsMax: 200 };
const leaf: fc.Arbitrary<CborValue> = fc.oneof(
  fc.maxSafeNat(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.string({ unit: "grapheme", maxLength: 30 }),
  fc.uint8Array({ maxLength: 40 }),
);
const value = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("value"), { maxLength: 6 })),
})).value;

const cbor: Target = {
  name: "cbor",
  bytesMax: 1_024,
  grown: value.map((one) => encodeCbor(one)),
  run(input) {
    const scanned = scanCbor(input, LIMITS);
    const decoded = decodeCbor(input, LIMITS);
    assert.equal(scanned.ok, decoded.ok);
    if (!scanned.ok || !decoded.ok) return;
    assert.ok(scanned.value <= input.length, "more items than bytes");
    assert.deepEqual(encodeCbor(decoded.value), Uint8Array.from(input));
  },
};

/** The first byte is the kind. */
const kinds: Target = {
  name: "kinds",
  bytesMax: 4_096,
  grown: anyMessage.map((message) =>
    joined(Uint8Array.of(MESSAGE_KINDS.indexOf(message.kind)), encodeMessage(message)),
  ),
  run(input) {
    const kind = MESSAGE_KINDS[(input[0] ?? 0) % MESSAGE_KINDS.length]!;
    const payload = input.slice(1);
    const decoded = decodeMessage(kind, payload);
    if (decoded.ok) assert.deepEqual(encodeMessage(decoded.message), payload);
    else assert.ok(Buffer.byteLength(decoded.violation.detail) <= 256);
    if (KINDS[kind].body.form !== "items") return;
    const ranges = itemRanges(KINDS[kind].code, payload);
    assert.equal(ranges.ok, decoded.ok);
    if (ranges.ok && decoded.ok) {
      assert.deepEqual(messageFromItems(kind, payload, ranges.items), decoded.message);
    }
  },
};

const rules = createPowRules(testParams);
const samples = [
  makeBlock().bytes,
  makeBlock({ transactions: [makeTransaction(makeKey(1), 0)] }).bytes,
  makeTransaction(makeKey(2), 7),
];

const chain: Target = {
  name: "chain",
  bytesMax: 4_096,
  grown: fc.constantFrom(...samples),
  run(input) {
    const header = rules.readHeader(input);
    const block = rules.splitBlock(input);
    const transaction = rules.readTransaction(input);
    assert.ok([header, block, transaction].filter(({ ok }) => ok).length <= 1);
    if (!block.ok) return;
    rules.readHeader(block.value.header);
    for (const bytes of block.value.transactions) rules.readTransaction(bytes);
  },
};

const addresses: Target = {
  name: "addresses",
  bytesMax: 400,
  grown: fc
    .constantFrom(
      "tcp://127.0.0.1:30303",
      "[fe80::1%br-1a2b3c]:1",
      `${"ab".repeat(32)}@example.com:65535`,
      "[::ffff:1.2.3.4]:80",
    )
    .map((text) => Buffer.from(text)),
  run(input) {
    const reading = readAddress(Buffer.from(input).toString("latin1"));
    if (!reading.ok) return;
    const text = formatAddress(reading.address);
    assert.deepEqual(readAddress(text), reading, "what it is written as is read as the same");
  },
};

const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(STEPS.length - 1), fc.nat(20)).map((pair) => Uint8Array.from(pair)),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(anyMessage, fc.integer({ min: 1, max: 8 }), fc.nat(9))
      .map(([message, id, more]) => stepOf(message, id, more === 0)),
  },
);

const session: Target = {
  name: "session",
  bytesMax: 4_096,
  grown: fc
    .tuple(fc.nat(STATES.length - 1), fc.array(step, { maxLength: 24 }))
    .map(([state, steps]) => joined(Uint8Array.of(state), ...steps)),
  run: runProgram,
};

export const TARGETS: readonly Target[] = [frames, cbor, kinds, chain, addresses, session];
