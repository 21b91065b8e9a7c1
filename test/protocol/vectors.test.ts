import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { decode } from "cbor-x";
import { decodeMessage, encodeMessage } from "../../src/protocol/codec/codec.js";
import { FrameDecoder } from "../../src/protocol/codec/frame.js";
import type { Frame } from "../../src/protocol/codec/frame.js";
import { ReceiveLanes } from "../../src/protocol/codec/receive-lanes.js";
import type { ReceivedMessage } from "../../src/protocol/codec/receive-lanes.js";
import { SendLanes } from "../../src/protocol/codec/send-lanes.js";
import { MESSAGE_KINDS, VIOLATION_RULES } from "../../src/protocol/index.js";
import type { MessageKind } from "../../src/protocol/index.js";
import { generatedFiles, messageFields, projectRoot } from "../vectors/generate.js";
import type { WireVectors } from "../vectors/generate.js";
import { ownVectors } from "../support/vectors.js";

const VECTORS = ownVectors<WireVectors>("messages.json");
const WINDOW = { windowBytesInitial: 262_144, windowBytesMax: 4_194_304 };

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function readFrames(bytes: Uint8Array, allowed: Iterable<MessageKind> = MESSAGE_KINDS) {
  const decoder = new FrameDecoder(allowed);
  const frames: Frame[] = [];
  const violation = decoder.push(bytes, (frame) => void frames.push(frame));
  return { frames, violation };
}

for (const [path, text] of await generatedFiles()) {
  test(`${path} is what its generator makes`, (t) => {
    const committed = readFileSync(join(projectRoot(), path), "utf8");
    t.true(
      committed === text,
      "run node dist/test/vectors/generate.js --write and look at the diff",
    );
  });
}

test("there are vectors of every kind", (t) => {
  for (const kind of MESSAGE_KINDS) {
    t.true(
      VECTORS.messages.some((vector) => vector.kind === kind),
      kind,
    );
    t.true(VECTORS.refusedPayloads.filter((vector) => vector.kind === kind).length >= 5, kind);
  }
});

test("every payload reads as its fields and encodes back to its bytes", (t) => {
  for (const { kind, name, fields, payload } of VECTORS.messages) {
    const decoded = decodeMessage(kind, hex(payload));
    t.true(decoded.ok, `${kind}: ${name}`);
    if (!decoded.ok) continue;
    t.deepEqual(messageFields(decoded.message), fields);
    t.is(Buffer.from(encodeMessage(decoded.message)).toString("hex"), payload);
  }
});

test("every payload is plain CBOR to a reader that knows nothing of ours", (t) => {
  for (const { payload } of VECTORS.messages) t.true(Array.isArray(decode(hex(payload))));
});

test("every frame reads as its message, and the sending lanes write the same bytes", (t) => {
  for (const { kind, requestId, payload, frame } of VECTORS.messages) {
    const { frames, violation } = readFrames(hex(frame));
    t.is(violation, undefined);
    t.is(frames.length, 1);
    t.like(frames[0], { kind, requestId, more: false });
    t.deepEqual(frames[0]!.payload, hex(payload));
    const lanes = new SendLanes(WINDOW);
    lanes.enqueue(kind, requestId, hex(payload));
    t.deepEqual(lanes.pull(65_536), hex(frame));
  }
});

test("fragments come together to one message", (t) => {
  for (const { kind, requestId, payload, frames } of VECTORS.fragmented) {
    const read = readFrames(hex(frames.join("")));
    t.is(read.violation, undefined);
    const lanes = new ReceiveLanes(WINDOW);
    const delivered: ReceivedMessage[] = [];
    for (const frame of read.frames) {
      lanes.accept(frame, (message) => void delivered.push(message));
    }
    t.is(delivered.length, 1);
    t.like(delivered[0], { kind, requestId, creditBytes: frames.join("").length / 2 });
    t.deepEqual(Uint8Array.from(delivered[0]!.payload), hex(payload));
  }
});

test("every refused payload breaks the payload rule", (t) => {
  for (const { name, kind, payload } of VECTORS.refusedPayloads) {
    const decoded = decodeMessage(kind, hex(payload));
    t.is(decoded.ok ? undefined : decoded.violation.rule, "payload", `${kind}: ${name}`);
  }
});

test("every refused frame breaks the rule that it names", (t) => {
  for (const { name, rule, allowed, bytes } of VECTORS.refusedFrames) {
    t.is(readFrames(hex(bytes), allowed).violation?.rule, rule as never, name);
  }
});

test("the document names every kind and every rule", (t) => {
  const document = readFileSync(join(projectRoot(), "docs/protocol.md"), "utf8");
  for (const rule of VIOLATION_RULES) t.true(document.includes(`| \`${rule}\` `), rule);
  for (const kind of MESSAGE_KINDS) {
    t.true(document.includes(`### ${kind}\n`), kind);
    t.true(document.includes(`### Example: ${kind}, `), kind);
  }
});
