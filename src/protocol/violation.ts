// How a peer can break the wire protocol, by stable name. A violation is a value: frame decoder,
// lanes and codec return it, the session answers Disconnect(ProtocolViolation), and its owner reports
// it to reputation. docs/protocol.md states each rule.

import type { Breach } from "../types/breach.js";

export const VIOLATION_RULES = [
  /** A kind code that this version does not know. */
  "unknown-kind",
  /** A known kind that may not be sent now: not negotiated, before the handshake, a second one. */
  "kind-not-allowed",
  /** The lane in the flags is not the kind's lane. */
  "wrong-lane",
  /** Reserved bits, RESPONSE on what is no response (or missing), MORE on the control lane. */
  "flags",
  /** An empty frame, or one over 64 KiB. */
  "fragment-length",
  /** A message over its kind's limit. */
  "message-length",
  /** Zero where an id is due, an id where none may be, or a response that nobody asked for. */
  "request-id",
  /** Another message on a lane whose open message is not finished. */
  "fragment-order",
  /** More bytes on a lane than its window allows. */
  "credit",
  /** A window update that lifts a window over its maximum. */
  "window-overflow",
  /** A payload that is not the strict CBOR of its kind's shape. */
  "payload",
  /** More control messages or unanswered requests than a peer may send; judged by the session. */
  "flood",
  /** A compact block whose short ids are not those of its block; judged by who has the block. */
  "compact",
  /** An answer that holds more or other things than its request asked for. */
  "answer",
] as const;
export type ViolationRule = (typeof VIOLATION_RULES)[number];

export interface Violation extends Breach {
  readonly rule: ViolationRule;
  /** One plain phrase; never quotes the peer's bytes. At most 256 bytes. */
  readonly detail: string;
}

export function violation(rule: ViolationRule, detail: string): Violation {
  return { rule, detail };
}

/** For people, and for the detail of a Disconnect. */
export function breachText({ rule, detail }: Breach): string {
  return detail === "" ? rule : `${rule}: ${detail}`;
}

/** What a Disconnect(ProtocolViolation) says; undefined: it names no rule that is known here. */
export function readBreach(text: string): Violation | undefined {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const rule = VIOLATION_RULES.find((known) => known === name);
  if (rule === undefined) return undefined;
  return { rule, detail: colon < 0 ? "" : text.slice(colon + 1).trimStart() };
}
