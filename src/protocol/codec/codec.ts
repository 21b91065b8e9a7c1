// Messages to payloads and back. A payload is one array of the strict CBOR subset (bytes/cbor.ts),
// its shape given by the message's kind. Used by the peer handler, which sends and receives, and
// by the pool's decoding task, which finds the items of large payloads off the event loop.

import { invariant } from "../../errors.js";
import { encodeItems, readItems } from "../kinds/items.js";
import { kindOfCode, ruleOf } from "../types/message.js";
import type { KindRule, Message, MessageKind, WireKind, WireMessage } from "../types/message.js";
import { violation } from "../violation.js";
import type { Violation } from "../violation.js";

export type Decoded<M = Message> =
  | { readonly ok: true; readonly message: M }
  | { readonly ok: false; readonly violation: Violation };

/**
 * The payload. Throws when the message breaks a limit of its kind. Its buffer may be shared with
 * other payloads: never to be transferred to a thread.
 */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  return encodeBy(ruleOf(message.kind), message);
}

/** The same, by the descriptor of its kind. */
export function encodeBy<M extends WireMessage>(
  { payloadBytesMax, body }: KindRule<M>,
  message: M,
): Uint8Array<ArrayBuffer> {
  const { kind } = message;
  const payload =
    body.form === "items"
      ? encodeItems(kind, body.shape, body.itemsIn(message))
      : body.encode(message);
  if (payload.length > payloadBytesMax) {
    invariant(false, `${kind} of ${payload.length} bytes, over ${payloadBytesMax}`);
  }
  return payload;
}

/**
 * Reads a payload that the frame decoder let through. Blocks, headers and transactions are views
 * into it and keep it alive. Encoding the message again gives the same bytes. Throws for a kind that
 * is not of the chain's protocols.
 */
export function decodeMessage(kind: WireKind, payload: Uint8Array): Decoded {
  return decodeBy(ruleOf(kind as MessageKind), kind, payload);
}

/** For the range of a single item, which is read before another is. */
const ONE = new Uint32Array(2);

/** The same, by the descriptor of its kind. */
export function decodeBy<M extends WireMessage>(
  { body }: KindRule<M>,
  kind: WireKind,
  payload: Uint8Array,
): Decoded<M> {
  if (body.form === "items") {
    const ranges = readItems(body.shape, payload, ONE);
    if (typeof ranges === "string") return refuse(kind, ranges);
    return { ok: true, message: body.messageOf(payload, ranges) };
  }
  const message = body.decode(payload);
  if (typeof message === "string") return refuse(kind, message);
  return { ok: true, message };
}

function refuse(kind: WireKind, detail: string): Decoded<never> {
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
  const body = kind && ruleOf(kind).body;
  invariant(body?.form === "items", `kind code ${code} carries byte strings`);
  const items = readItems(body.shape, payload);
  return typeof items === "string"
    ? { ok: false, detail: `${kind}: ${items}` }
    : { ok: true, items };
}

/** The cheap half: builds the message from the ranges that `itemRanges` found in this payload. */
export function messageFromItems(
  kind: WireKind,
  payload: Uint8Array,
  items: Uint32Array,
): WireMessage {
  const { body } = ruleOf(kind);
  invariant(body.form === "items", `${kind} carries byte strings`);
  return body.messageOf(payload, items);
}
