// Every message of the wire: the kinds of its protocols (protocol/kinds), joined. Hashes are hex
// here, bytes on the wire.

import { invariant } from "../../errors.js";
import { BASE_KINDS, type BaseMessage } from "../kinds/base.js";
import { BLOCKS_KINDS, type BlocksMessage } from "../kinds/blocks.js";
import { COMPACT_KINDS, type CompactMessage } from "../kinds/compact.js";
import { FEES_KINDS, type FeesMessage } from "../kinds/fees.js";
import { inOneShape, laneIndex, type KindRule, type KindsOf } from "../kinds/kind.js";
import type { OwnMessage } from "../kinds/own.js";
import { PEERS_KINDS, type PeersMessage } from "../kinds/peers.js";
import { RELAY_KINDS, type RelayMessage } from "../kinds/relay.js";
import { SYNC_KINDS, type SyncMessage } from "../kinds/sync.js";
import { TRANSACTIONS_KINDS, type TransactionsMessage } from "../kinds/transactions.js";

export {
  DISCONNECT_REASONS,
  REFUSAL_REASONS,
  type DisconnectReason,
  type RefusalReason,
} from "../kinds/base.js";
export { LANES, laneIndex, type KindRule, type Lane } from "../kinds/kind.js";
export { ITEM_LIMITS, TEXT_LIMITS, WINDOW_BYTES_MAX } from "../kinds/limits.js";

/** A message of the chain's protocols. */
export type Message =
  | BaseMessage
  | BlocksMessage
  | CompactMessage
  | SyncMessage
  | TransactionsMessage
  | PeersMessage
  | RelayMessage
  | FeesMessage;

export type MessageKind = Message["kind"];
/** What a connection may carry: messages of the chain's protocols, and of services' own. */
export type WireMessage = Message | OwnMessage;
export type WireKind = WireMessage["kind"];
export type MessageOf<K extends MessageKind> = Extract<Message, { kind: K }>;

const DESCRIBED: KindsOf<Message> = {
  ...BASE_KINDS,
  ...BLOCKS_KINDS,
  ...COMPACT_KINDS,
  ...SYNC_KINDS,
  ...TRANSACTIONS_KINDS,
  ...PEERS_KINDS,
  ...FEES_KINDS,
  ...RELAY_KINDS,
};

export const KINDS = Object.fromEntries(
  Object.entries(DESCRIBED).map(([kind, rule]) => [kind, inOneShape(rule)]),
) as unknown as KindsOf<Message>;

/** Every kind, by ascending code. */
export const MESSAGE_KINDS = (Object.keys(KINDS) as MessageKind[]).sort(
  (left, right) => KINDS[left].code - KINDS[right].code,
) as readonly MessageKind[];

const KIND_BY_CODE = new Map(MESSAGE_KINDS.map((kind) => [KINDS[kind].code, kind]));

export function kindOfCode(code: number): MessageKind | undefined {
  return KIND_BY_CODE.get(code);
}

/** The kinds of a protocol that are for whoever handles it; answers go to whoever asked. */
export function handledKinds(capability: string): readonly MessageKind[] {
  return MESSAGE_KINDS.filter(
    (kind) => ruleOf(kind).capability === capability && ruleOf(kind).role !== "response",
  );
}

/** No service's own. */
export function isOfChain(message: WireMessage): message is Message {
  return message.kind in KINDS;
}

/** The descriptor of a message that is not told apart by its kind, which must not be an own one. */
export function ruleOf(kind: MessageKind): KindRule<Message>;
export function ruleOf(kind: WireKind): KindRule<WireMessage>;
export function ruleOf(kind: WireKind): KindRule<Message> | KindRule<WireMessage> {
  const rule = (KINDS as Readonly<Record<string, KindRule<Message> | undefined>>)[kind];
  if (rule === undefined) invariant(false, `${kind} is a kind of the chain`);
  return rule;
}

/** The request kinds, those of more urgent lanes first. */
export const REQUEST_KINDS: readonly MessageKind[] = MESSAGE_KINDS.filter(
  (kind) => ruleOf(kind).role === "request",
).sort((left, right) => laneIndex(ruleOf(left).lane) - laneIndex(ruleOf(right).lane));
