// Messages to payloads and back. A payload is one array of the strict CBOR subset (bytes/cbor.ts),
// its shape given by the message's kind. Used by the peer handler, which sends and receives, and
// by the pool's decoding task, which finds the items of large payloads off the event loop.

import { invariant } from "../../errors.js";
import { KINDS, kindOfCode } from "../types/message.js";
import type { Message, MessageKind } from "../types/message.js";
import { violation } from "../violation.js";
import type { Violation } from "../violation.js";
import { decodeFields, encodeFields } from "./fields.js";
import { encodeItems, isItemKind, isItemMessage, messageOfItems, readItems } from "./items.js";

export type Decoded =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly violation: Violation };

/**
 * The payload. Throws when the message breaks a limit of its kind. Its buffer may be shared with
 * other payloads: never to be transferred to a thread.
 */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const payload = isItemMessage(message) ? encodeItems(message) : encodeFields(message);
  const { payloadBytesMax } = KINDS[message.kind];
  if (payload.length > payloadBytesMax) {
    invariant(false, `${message.kind} of ${payload.length} bytes, over ${payloadBytesMax}`);
  }
  return payload;
}

/**
 * Reads a payload that the frame decoder let through. Blocks, headers and transactions are views
 * into it and keep it alive. Encoding the message again gives the same bytes.
 */
export function decodeMessage(kind: MessageKind, payload: Uint8Array): Decoded {
  if (isItemKind(kind)) {
    const ranges = readItems(kind, payload);
    if (typeof ranges === "string") return refuse(kind, ranges);
    return { ok: true, message: messageOfItems(kind, payload, ranges) };
  }
  const message = decodeFields(kind, payload);
  if (typeof message === "string") return refuse(kind, message);
  return { ok: true, message };
}

function refuse(kind: MessageKind, detail: string): Decoded {
  return { ok: false, violation: violation("payload", `${kind}: ${detail}`) };
}

export type ItemsChecked =
  | { readonly ok: true; readonly items: Uint32Array }
  | { readonly ok: false; readonly detail: string };

/**
 * The costly half of `decodeMessage` for a kind that carries byte strings, given by its code, as a
 * small verdict: item i is [items[2 * i], items[2 * i + 1]) of the payload.
 */
export function itemRanges(code: number, payload: Uint8Array): ItemsChecked {
  const kind = kindOfCode(code);
  invariant(kind !== undefined && isItemKind(kind), `kind code ${code} carries byte strings`);
  const items = readItems(kind, payload);
  return typeof items === "string"
    ? { ok: false, detail: `${kind}: ${items}` }
    : { ok: true, items };
}

/** The cheap half: builds the message from the ranges that `itemRanges` found in this payload. */
export function messageFromItems(
  kind: MessageKind,
  payload: Uint8Array,
  items: Uint32Array,
): Message {
  invariant(isItemKind(kind), `${kind} carries byte strings`);
  return messageOfItems(kind, payload, items);
}
