// Every message of the wire: the kinds of its protocols (protocol/kinds), joined. Hashes are hex
// here, bytes on the wire.

import { BASE_KINDS, type BaseMessage } from "../kinds/base.js";
import { BLOCKS_KINDS, type BlocksMessage } from "../kinds/blocks.js";
import type { KindRule, KindsOf } from "../kinds/kind.js";
import { SYNC_KINDS, type SyncMessage } from "../kinds/sync.js";
import { TRANSACTIONS_KINDS, type TransactionsMessage } from "../kinds/transactions.js";

export {
  DISCONNECT_REASONS,
  REFUSAL_REASONS,
  type DisconnectReason,
  type RefusalReason,
} from "../kinds/base.js";
export { LANES, laneIndex, type KindRule, type Lane, type Quota } from "../kinds/kind.js";
export { ITEM_LIMITS, TEXT_LIMITS, WINDOW_BYTES_MAX } from "../kinds/limits.js";

export type Message = BaseMessage | BlocksMessage | SyncMessage | TransactionsMessage;

export type MessageKind = Message["kind"];
export type MessageOf<K extends MessageKind> = Extract<Message, { kind: K }>;

export const KINDS: KindsOf<Message> = {
  ...BASE_KINDS,
  ...BLOCKS_KINDS,
  ...SYNC_KINDS,
  ...TRANSACTIONS_KINDS,
};

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

/** The descriptor of a message that is not told apart by its kind. */
export function ruleOf(kind: MessageKind): KindRule<Message> {
  return KINDS[kind];
}
