// Frames by the codec, legal or not: what a peer writes that has no session, or writes past it.

import { encodeMessage } from "../../protocol/codec/codec.js";
import { FRAGMENT_BYTES_MAX, writeFrameHeader } from "../../protocol/codec/frame.js";
import { FRAME_HEADER_BYTES, type Message, type MessageKind } from "../../protocol/index.js";

export interface RawFrame {
  readonly code: number;
  readonly flags: number;
  readonly requestId?: number;
  readonly payload?: Uint8Array;
  /** The announced length, where it is not the payload's. */
  readonly length?: number;
}

/** The bytes of one frame, legal or not. */
export function frameBytes({ code, flags, requestId = 0, payload, length }: RawFrame): Uint8Array {
  const body = payload ?? new Uint8Array();
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length ?? body.length);
  bytes[4] = code;
  bytes[5] = flags;
  view.setUint32(6, requestId);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

/** A legal frame, or one fragment, of a kind. */
export function fragmentBytes(
  kind: MessageKind,
  payload: Uint8Array,
  { requestId = 0, more = false } = {},
): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, { kind, requestId, payloadBytes: payload.length, more });
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/** A whole message in as few frames as there can be. */
export function messageBytes(message: Message, requestId = 0): Uint8Array {
  return payloadBytes(message.kind, encodeMessage(message), requestId);
}

/** The same for a payload, which may be none of its kind's. */
export function payloadBytes(kind: MessageKind, payload: Uint8Array, requestId = 0): Uint8Array {
  const frames = Math.ceil(payload.length / FRAGMENT_BYTES_MAX);
  const bytes = new Uint8Array(payload.length + frames * FRAME_HEADER_BYTES);
  for (let start = 0, at = 0; start < payload.length; start += FRAGMENT_BYTES_MAX) {
    const part = payload.subarray(start, start + FRAGMENT_BYTES_MAX);
    const more = start + FRAGMENT_BYTES_MAX < payload.length;
    const frame = fragmentBytes(kind, part, { requestId, more });
    bytes.set(frame, at);
    at += frame.length;
  }
  return bytes;
}
