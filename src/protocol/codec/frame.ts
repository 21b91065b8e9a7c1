// The frame: ten bytes of header and a payload. Owns the header's layout and the incremental
// decoder, which judges every header before it keeps a byte of payload. Used by the lanes (which
// write frames and reassemble messages) and by the peer handler (which feeds it socket chunks).

import { uninitialised } from "../../bytes/uninitialised.js";
import { invariant } from "../../errors.js";
import { OWN_CODE_MIN, type OwnRule } from "../kinds/own.js";
import { KINDS, LANES, kindOfCode, laneIndex, ruleOf } from "../types/message.js";
import type { KindRule, Lane, MessageKind, WireKind } from "../types/message.js";
import { violation } from "../violation.js";
import type { Violation } from "../violation.js";

export const FRAME_HEADER_BYTES = 10;
/** The largest payload of one frame; longer messages travel in several. */
export const FRAGMENT_BYTES_MAX = 65_536;
export const REQUEST_ID_MAX = 2 ** 32 - 1;

const LANE_BITS = 0b0011;
const MORE = 0b0100;
const RESPONSE = 0b1000;
const RESERVED_BITS = 0b1111_0000;

/**
 * A frame that spans chunks has at most this much memory, or `PARTIAL_GROWTH` times of what arrived.
 * TLS brings 16 KiB at a time: four times of it hold the largest frame without another copy.
 */
const PARTIAL_BYTES_MIN = 1_024;
const PARTIAL_GROWTH = 4;

/** What a peer did wrong at the frame level; the decoder that returned it stays failed. */
export type FrameViolation = Violation;

export interface Frame {
  readonly kind: WireKind;
  /** Of its kind. */
  readonly rule: KindRule;
  readonly lane: Lane;
  /** 0 for one-way messages. Of a response: the id of the receiver's request. */
  readonly requestId: number;
  /** Further fragments of this message follow on this lane. */
  readonly more: boolean;
  /**
   * Valid for as long as it is referenced, never written again by the decoder. When the frame lay
   * within one chunk it is a view that keeps that whole chunk alive: copy what is kept for long.
   */
  readonly payload: Uint8Array;
}

/** Takes a frame as it completes; a violation it returns fails the decoder like its own. */
export type FrameSink = (frame: Frame, nowMs: number) => Violation | undefined;

interface KindEntry {
  readonly kind: WireKind;
  readonly rule: KindRule;
  readonly laneIndex: number;
  readonly baseFlags: number;
}

function entryOf(kind: WireKind, rule: KindRule): KindEntry {
  return { kind, rule, laneIndex: laneIndex(rule.lane), baseFlags: baseFlagsOf(rule) };
}

function baseFlagsOf({ lane, role }: KindRule): number {
  return laneIndex(lane) | (role === "response" ? RESPONSE : 0);
}

const BY_CODE: readonly (KindEntry | undefined)[] = Array.from({ length: 256 }, (_, code) => {
  const kind = kindOfCode(code);
  return kind === undefined ? undefined : entryOf(kind, KINDS[kind]);
});

export interface FrameHead {
  readonly kind: WireKind;
  readonly requestId: number;
  readonly payloadBytes: number;
  readonly more: boolean;
}

/** Writes the ten header bytes at `offset`. `rule`: of its kind. */
export function writeFrameHeader(
  target: Uint8Array,
  offset: number,
  head: FrameHead,
  rule: KindRule = ruleOf(head.kind),
): void {
  const { code } = rule;
  writeUint32(target, offset, head.payloadBytes);
  target[offset + 4] = code;
  target[offset + 5] = (BY_CODE[code]?.baseFlags ?? baseFlagsOf(rule)) | (head.more ? MORE : 0);
  writeUint32(target, offset + 6, head.requestId);
}

function writeUint32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}

function readUint32(source: Uint8Array, offset: number): number {
  const high = source[offset]! * 2 ** 24;
  return high + ((source[offset + 1]! << 16) | (source[offset + 2]! << 8) | source[offset + 3]!);
}

/** The unfinished message of a lane. */
interface OpenMessage {
  readonly kind: WireKind;
  readonly payloadBytesMax: number;
  readonly requestId: number;
  payloadBytes: number;
}

/** Turns a byte stream into frames: any split of the same bytes gives the same frames. */
export class FrameDecoder {
  /** A bit for each code: an array of so few bytes lies within the heap, without a buffer. */
  readonly #allowed = new Uint8Array(256 / 8);
  /** Kinds of services' own, by what their code exceeds the first one by. */
  #own: readonly KindEntry[] = [];
  readonly #open: (OpenMessage | undefined)[] = LANES.map(() => undefined);
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  /** The judged header whose payload is due; undefined while a header is due. */
  #entry: KindEntry | undefined;
  #more = false;
  #requestId = 0;
  #payloadBytes = 0;
  #partial: Uint8Array | undefined;
  #partialBytes = 0;
  /** By lane. */
  readonly #answerBytes = LANES.map(() => 0);
  #failure: Violation | undefined;
  /** Whole frames so far. */
  framesIn = 0;

  constructor(allowed: Iterable<MessageKind>) {
    this.allow(allowed);
  }

  /** Replaces the kinds that may come; holds from the next header on, even within a chunk. */
  allow(kinds: Iterable<MessageKind>): void {
    this.#allowed.fill(0);
    for (const kind of kinds) {
      const { code } = KINDS[kind];
      this.#allowed[code >> 3]! |= 1 << (code & 7);
    }
  }

  /** The kinds of services' own that may come too, by ascending code without a gap. */
  allowOwn(rules: Iterable<OwnRule>): void {
    this.#own = Array.from(rules, (rule) => entryOf(rule.kind, rule as KindRule));
    for (const { rule } of this.#own) this.#allowed[rule.code >> 3]! |= 1 << (rule.code & 7);
  }

  /** Bytes of responses that came on a lane so far, unfinished frames included. */
  answerBytes(lane: Lane): number {
    return this.#answerBytes[laneIndex(lane)]!;
  }

  /** A frame has begun and is not complete. */
  get isWithinFrame(): boolean {
    return this.#entry !== undefined || this.#headerBytes > 0;
  }

  /** Memory held for a frame that is not complete yet. */
  get heldBytes(): number {
    return this.#partial?.length ?? 0;
  }

  /** Takes the next bytes of the stream, which the caller must not write to any more. */
  push(chunk: Uint8Array, onFrame: FrameSink, nowMs = 0): FrameViolation | undefined {
    let at = 0;
    while (this.#failure === undefined) {
      if (this.#entry === undefined) {
        at = this.#takeHeader(chunk, at);
        if (this.#entry === undefined) break;
      }
      const payloadEnd = at + this.#payloadBytes - this.#partialBytes;
      if (this.#entry.rule.role === "response") {
        this.#answerBytes[this.#entry.laneIndex]! += Math.min(payloadEnd, chunk.length) - at;
      }
      if (payloadEnd > chunk.length) {
        this.#keepPartial(chunk, at);
        break;
      }
      const payload = this.#takePayload(chunk, at, payloadEnd);
      at = payloadEnd;
      const { kind, rule } = this.#entry;
      this.#entry = undefined;
      this.framesIn++;
      const { lane } = rule;
      const requestId = this.#requestId;
      this.#failure = onFrame({ kind, rule, lane, requestId, more: this.#more, payload }, nowMs);
    }
    if (this.#failure !== undefined) this.#partial = undefined;
    return this.#failure;
  }

  /** Returns the offset after the bytes that it used; sets `#entry` when the header is legal. */
  #takeHeader(chunk: Uint8Array, at: number): number {
    if (this.#headerBytes === 0 && chunk.length - at >= FRAME_HEADER_BYTES) {
      this.#failure = this.#judgeHeader(chunk, at);
      return at + FRAME_HEADER_BYTES;
    }
    const taken = Math.min(FRAME_HEADER_BYTES - this.#headerBytes, chunk.length - at);
    this.#header.set(chunk.subarray(at, at + taken), this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes === FRAME_HEADER_BYTES) {
      this.#headerBytes = 0;
      this.#failure = this.#judgeHeader(this.#header, 0);
    }
    return at + taken;
  }

  #judgeHeader(bytes: Uint8Array, at: number): Violation | undefined {
    const length = readUint32(bytes, at);
    const code = bytes[at + 4]!;
    const flags = bytes[at + 5]!;
    const requestId = readUint32(bytes, at + 6);
    const entry = BY_CODE[code] ?? this.#own[code - OWN_CODE_MIN];
    if (entry === undefined) return violation("unknown-kind", `kind code ${code}`);
    if ((this.#allowed[code >> 3]! & (1 << (code & 7))) === 0)
      return violation("kind-not-allowed", entry.kind);
    const fault = judgeFlags(entry, flags) ?? judgeLength(entry, length);
    if (fault !== undefined) return fault;
    if ((requestId === 0) !== (entry.rule.role === "oneWay")) {
      return violation("request-id", `${entry.kind} with request id ${requestId}`);
    }
    const more = (flags & MORE) !== 0;
    const late = this.#judgeFragment(entry, { length, requestId, more });
    if (late !== undefined) return late;
    this.#entry = entry;
    this.#more = more;
    this.#requestId = requestId;
    this.#payloadBytes = length;
    return undefined;
  }

  /** Checks a fragment against the open message of its lane, and opens or closes that. */
  #judgeFragment(
    { kind, rule, laneIndex: lane }: KindEntry,
    { length, requestId, more }: { length: number; requestId: number; more: boolean },
  ): Violation | undefined {
    const open = this.#open[lane];
    if (open === undefined) {
      const { payloadBytesMax } = rule;
      if (more) this.#open[lane] = { kind, payloadBytesMax, requestId, payloadBytes: length };
      return undefined;
    }
    if (open.kind !== kind || open.requestId !== requestId) {
      return violation("fragment-order", `${kind} within an unfinished ${open.kind}`);
    }
    open.payloadBytes += length;
    if (open.payloadBytes > rule.payloadBytesMax) {
      return violation("message-length", `${kind} of more than ${rule.payloadBytesMax} bytes`);
    }
    if (!more) this.#open[lane] = undefined;
    return undefined;
  }

  #takePayload(chunk: Uint8Array, start: number, end: number): Uint8Array {
    if (this.#partial === undefined) {
      return new Uint8Array(chunk.buffer, chunk.byteOffset + start, end - start);
    }
    this.#reserve(this.#payloadBytes);
    const payload = this.#partial;
    payload.set(chunk.subarray(start, end), this.#partialBytes);
    this.#partial = undefined;
    this.#partialBytes = 0;
    return payload;
  }

  #keepPartial(chunk: Uint8Array, start: number): void {
    if (start === chunk.length) return;
    const bytes = this.#partialBytes + chunk.length - start;
    this.#reserve(bytes);
    this.#partial!.set(chunk.subarray(start), this.#partialBytes);
    this.#partialBytes = bytes;
  }

  /** Room for `bytes` of the frame: a few times what arrived, never what was announced. */
  #reserve(bytes: number): void {
    const had = this.#partial;
    if (had !== undefined && had.length >= bytes) return;
    const room = Math.max(PARTIAL_GROWTH * bytes, PARTIAL_BYTES_MIN);
    // Only what was written to it is ever read.
    this.#partial = uninitialised(Math.min(room, this.#payloadBytes));
    if (had !== undefined) this.#partial.set(had.subarray(0, this.#partialBytes));
  }

  /** Throws when the decoder's state contradicts itself. */
  invariants(): void {
    invariant(this.#headerBytes < FRAME_HEADER_BYTES, "a whole header was not judged");
    invariant(this.#partialBytes <= this.heldBytes, "more bytes kept than there is room for");
    invariant(this.heldBytes <= FRAGMENT_BYTES_MAX, "a partial frame over the fragment limit");
    invariant(this.#partialBytes < Math.max(1, this.#payloadBytes), "a whole frame was kept");
    for (const open of this.#open) {
      if (open === undefined) continue;
      const within = open.payloadBytes <= open.payloadBytesMax || this.#failure !== undefined;
      invariant(within, "an open message over its limit");
    }
  }
}

function judgeFlags(entry: KindEntry, flags: number): Violation | undefined {
  const { kind, baseFlags, laneIndex: lane } = entry;
  if ((flags & RESERVED_BITS) !== 0) return violation("flags", `reserved bits in ${kind}`);
  if ((flags & LANE_BITS) !== lane) {
    return violation("wrong-lane", `${kind} on lane ${LANES[flags & LANE_BITS]!}`);
  }
  if ((flags & RESPONSE) !== (baseFlags & RESPONSE)) {
    const what = (flags & RESPONSE) !== 0 ? "with" : "without";
    return violation("flags", `${kind} ${what} the response flag`);
  }
  if (lane === 0 && (flags & MORE) !== 0) return violation("flags", `a fragmented ${kind}`);
  return undefined;
}

function judgeLength({ kind, rule }: KindEntry, length: number): Violation | undefined {
  if (length === 0) return violation("fragment-length", `an empty frame of ${kind}`);
  if (length > rule.payloadBytesMax) {
    return violation("message-length", `${kind} of more than ${rule.payloadBytesMax} bytes`);
  }
  if (length > FRAGMENT_BYTES_MAX) {
    return violation("fragment-length", `a frame of ${length} bytes`);
  }
  return undefined;
}
