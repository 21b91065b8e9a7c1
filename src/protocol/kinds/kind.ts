// What a kind of message is: one descriptor, from which the codec, the judgement of headers,
// dispatch, quotas, metrics and the tables of docs/protocol.md follow. Nobody else tells kinds
// apart by their names, but for who handles what is in them.

import type { AnyMessage } from "./any-message.js";
import type { Fields } from "./fields.js";
import type { Items } from "./items.js";

export const LANES = ["control", "block", "sync", "transaction"] as const;
/** Streams within a connection, by falling priority. Every lane but control has a credit window. */
export type Lane = (typeof LANES)[number];

/** The lane's number in frame flags and window updates. */
export function laneIndex(lane: Lane): number {
  // Asked of each message, several times: a comparison of pointers in place of a search.
  switch (lane) {
    case "control":
      return 0;
    case "block":
      return 1;
    case "sync":
      return 2;
    case "transaction":
      return 3;
  }
}

/** What is counted of what a peer asks for; each has a rate and a burst of its own. */
export type ServeQuotaName = "blocks" | "headers" | "transactions" | "addresses";
/** What is counted of what a peer sends of its own accord. */
export type ReceiveQuotaName =
  | "pushedBlocks"
  | "announcedBlocks"
  | "pushedTransactions"
  | "announcedTransactions"
  | "announcedShortIds"
  | "feeFloors"
  | "relayEdges";
export type Quota = ServeQuotaName | ReceiveQuotaName;

/** How a payload is made and read: members of CBOR, or byte strings that stay where they are. */
export type Body<M extends AnyMessage> = Fields<M> | Items<M>;

export interface KindRule<M extends AnyMessage = AnyMessage> {
  /** The byte in the frame header. */
  readonly code: number;
  readonly lane: Lane;
  /** The largest payload, summed over fragments; refused before a byte of it is kept. */
  readonly payloadBytesMax: number;
  /** Sent only when both sides negotiated it; absent: part of the base protocol. */
  readonly capability?: string;
  readonly role: "oneWay" | "request" | "response";
  /** The kind that answers this request. */
  readonly answeredBy?: string;
  /** A response that may stand in for the answer to any request. */
  readonly standsIn?: true;
  /**
   * What it takes of its receiver, one of it or what the member `counts` says. A request takes bytes
   * by its answer, a one-way message by itself.
   */
  readonly quota?: Quota;
  /** News that other peers tell too: what comes of it beyond what can be dealt with is dropped. */
  readonly mayBeLost?: true;
  /** Only the newest matters: it takes the place of one that waits to be sent. */
  readonly isLatest?: true;
  /** A member that is the number of items, or the list of them; of an answer, of its items. */
  readonly counts?: string;
  /**
   * It is news of the tip, and does not wait for a node that sends less than it could. `announcement`:
   * so is, once for each, what it tells of (`announced`), where the peer asks for it.
   */
  readonly haste?: "tip" | "announcement" | "announced";
  /** When it may come: until both have shaken hands, at any time, or (absent) after that. */
  readonly phase?: "handshake" | "any";
  /**
   * Where a payload over 32 KiB is decoded: `pool` in a worker; `inline` on the loop, for payloads
   * that are small or whose top level is a few byte strings (their inside is the pool's to check).
   */
  readonly decode: "inline" | "pool";
  readonly body: Body<M>;
}

/** A descriptor for each kind of a union of messages. */
export type KindsOf<M extends AnyMessage> = {
  readonly [K in M["kind"]]: KindRule<Extract<M, { readonly kind: K }>> & {
    readonly counts?: Exclude<keyof Extract<M, { readonly kind: K }>, "kind">;
  };
};

type Described = Omit<KindRule, "body"> & { readonly body: unknown };

/**
 * The same with every member, in one order: all descriptors have one shape then, and the many places
 * that read one for each message find its members without a search.
 */
export function inOneShape<R extends Described>(rule: R): R {
  return {
    code: rule.code,
    lane: rule.lane,
    payloadBytesMax: rule.payloadBytesMax,
    capability: rule.capability,
    role: rule.role,
    answeredBy: rule.answeredBy,
    standsIn: rule.standsIn,
    quota: rule.quota,
    mayBeLost: rule.mayBeLost,
    isLatest: rule.isLatest,
    counts: rule.counts,
    haste: rule.haste,
    phase: rule.phase,
    decode: rule.decode,
    body: rule.body,
  } satisfies { readonly [K in keyof KindRule]-?: unknown } as unknown as R;
}
