// Makes the golden vectors of the wire (messages.json) and the chain (chain.json), the worked
// examples of docs/protocol.md from them, the tables of docs/configuration.md and docs/events.md, and
// that of refusals in docs/operations.md. Deterministic. Tests compare what it makes with what is committed;
// `node dist/test/vectors/generate.js --write` is the only way to replace it.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { toHex } from "../../src/bytes/hex.js";
import { encodeMessage } from "../../src/protocol/codec/codec.js";
import { FRAME_HEADER_BYTES, writeFrameHeader } from "../../src/protocol/codec/frame.js";
import { MESSAGE_KINDS } from "../../src/protocol/index.js";
import type { Message, MessageKind } from "../../src/protocol/index.js";
import { MESSAGE_CASES, REFUSED_FRAMES, REFUSED_PAYLOADS } from "./cases.js";
import type { MessageCase, RefusedFrameCase, RefusedPayloadCase } from "./cases.js";
import { chainVectors } from "./chain.js";
import { renderSettings } from "./configuration.js";
import { renderEvents } from "./events.js";
import { renderRefusals } from "./refusals.js";
import {
  renderChainExamples,
  renderKinds,
  renderMessageExamples,
  renderNetworks,
} from "./examples.js";

export interface MessageVector {
  readonly name: string;
  readonly kind: MessageKind;
  readonly requestId: number;
  /** Byte strings as hex, integers that may exceed 2^53 as decimal text. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly payload: string;
  readonly frame: string;
}

export interface FragmentVector {
  readonly name: string;
  readonly kind: MessageKind;
  readonly requestId: number;
  readonly payload: string;
  readonly frames: readonly string[];
}

export interface WireVectors {
  readonly messages: readonly MessageVector[];
  readonly fragmented: readonly FragmentVector[];
  /** All break the rule `payload`. */
  readonly refusedPayloads: readonly RefusedPayloadCase[];
  readonly refusedFrames: readonly RefusedFrameCase[];
}

export function wireVectors(): WireVectors {
  const messages: MessageVector[] = [];
  for (const kind of MESSAGE_KINDS) {
    for (const each of MESSAGE_CASES[kind]) messages.push(messageVector(each));
  }
  const first = MESSAGE_KINDS.map((kind) => messages.find((vector) => vector.kind === kind)!);
  return {
    messages,
    fragmented: [
      fragmentVector(
        first.find(({ kind }) => kind === "ResponseBlockRange")!,
        [1, 10],
      ),
      fragmentVector(
        first.find(({ kind }) => kind === "NewBlock")!,
        [13],
      ),
    ],
    refusedPayloads: [
      ...first.flatMap(({ kind, payload }) => [
        { name: "the last byte missing", kind, payload: payload.slice(0, -2) },
        { name: "a trailing byte", kind, payload: `${payload}00` },
        { name: "one member more than announced", kind, payload: moreMembers(payload) },
        { name: "an empty array", kind, payload: "80" },
        { name: "no array", kind, payload: "00" },
      ]),
      ...REFUSED_PAYLOADS,
    ],
    refusedFrames: REFUSED_FRAMES,
  };
}

/** The outer array announces and holds a further zero. */
function moreMembers(payload: string): string {
  const head = Number.parseInt(payload.slice(0, 2), 16) + 1;
  return `${head.toString(16)}${payload.slice(2)}00`;
}

function messageVector({ name, requestId = 0, message }: MessageCase): MessageVector {
  const { kind, ...fields } = message;
  const payload = encodeMessage(message);
  return {
    name,
    kind,
    requestId,
    fields: toJson(fields) as Readonly<Record<string, unknown>>,
    payload: toHex(payload),
    frame: frameHex({ kind, requestId, payload, more: false }),
  };
}

function fragmentVector(vector: MessageVector, cuts: readonly number[]): FragmentVector {
  const { kind, requestId, payload } = vector;
  const bytes = Buffer.from(payload, "hex");
  const ends = [...cuts, bytes.length];
  const frames = ends.map((end, i) =>
    frameHex({
      kind,
      requestId,
      payload: bytes.subarray(ends[i - 1] ?? 0, end),
      more: i < cuts.length,
    }),
  );
  return { name: `${kind} in ${frames.length} fragments`, kind, requestId, payload, frames };
}

function frameHex(frame: {
  readonly kind: MessageKind;
  readonly requestId: number;
  readonly payload: Uint8Array;
  readonly more: boolean;
}): string {
  const { kind, requestId, payload, more } = frame;
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, { kind, requestId, more, payloadBytes: payload.length });
  bytes.set(payload, FRAME_HEADER_BYTES);
  return toHex(bytes);
}

/** The form of values in the vectors. */
export function toJson(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]));
}

/** The fields of a message in the form of the vectors. */
export function messageFields(message: Message): unknown {
  return toJson(Object.fromEntries(Object.entries(message).filter(([key]) => key !== "kind")));
}

export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** Replaces what stands between the markers of section `name` of a document. */
function replaceSection(document: string, name: string, text: string): string {
  const begin = `<!-- begin generated: ${name} -->`;
  const end = `<!-- end generated: ${name} -->`;
  const start = document.indexOf(begin);
  const stop = document.indexOf(end);
  if (start < 0 || stop < start) throw new Error(`the document lacks the section ${name}`);
  return `${document.slice(0, start)}${begin}\n\n${text}\n${document.slice(stop)}`;
}

/** Every generated file: its path within the project and what it should hold. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const wire = wireVectors();
  const chain = await chainVectors();
  const document = readFileSync(join(projectRoot(), "docs/protocol.md"), "utf8");
  const configuration = readFileSync(join(projectRoot(), "docs/configuration.md"), "utf8");
  const events = readFileSync(join(projectRoot(), "docs/events.md"), "utf8");
  const operations = readFileSync(join(projectRoot(), "docs/operations.md"), "utf8");
  const sections = {
    kinds: renderKinds(),
    networks: renderNetworks(chain),
    messages: renderMessageExamples(wire),
    chain: renderChainExamples(chain),
  };
  const described = Object.entries(sections).reduce(
    (text, [name, section]) => replaceSection(text, name, section),
    document,
  );
  return new Map([
    ["test/vectors/messages.json", `${JSON.stringify(wire, undefined, 2)}\n`],
    ["test/vectors/chain.json", `${JSON.stringify(chain, undefined, 2)}\n`],
    ["docs/protocol.md", described],
    ["docs/events.md", replaceSection(events, "events", renderEvents())],
    ["docs/operations.md", replaceSection(operations, "refusals", renderRefusals())],
    ["docs/configuration.md", replaceSection(configuration, "settings", renderSettings())],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === "--write") {
  for (const [path, text] of await generatedFiles()) {
    writeFileSync(join(projectRoot(), path), text);
    process.stdout.write(`wrote ${path}\n`);
  }
}
