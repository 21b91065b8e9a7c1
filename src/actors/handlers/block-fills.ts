// Compact blocks whose transactions are being put together: from the mempool first, then what is
// missing from who sent the form, by its places in the block. Pure; owned by the block handler.

import { sha256 } from "../../bytes/sha256.js";
import { writeHex } from "../../bytes/hex.js";
import { invariant } from "../../errors.js";
import { COMPACT_FILLS_MAX } from "../../config/memory-plan.js";
import { SHORT_ID_BYTES, transactionCount } from "../../protocol/kinds/compact.js";
import { ITEM_LIMITS, type MessageOf } from "../../protocol/types/message.js";
import { shortIdKey, shortIdsOf, type ShortIdKey } from "../../protocol/short-ids.js";
import type { HashHex, HeaderSummary } from "../../types/chain.js";
import type { MempoolTransaction } from "../../ports.js";
import type { BlockOrigin } from "./block-origin.js";

const ID_BYTES = 32;
/** At once: of one peer, and of one block, for the first to come may be a lie. */
const PER_PEER_MAX = 2;
export const PER_BLOCK_MAX = 3;

/** A pushed one: who pushed it is known. */
export type PushOrigin = BlockOrigin & Required<Pick<BlockOrigin, "peerId" | "from">>;

export interface FillParts {
  readonly header: HeaderSummary;
  readonly message: MessageOf<"CompactBlock">;
  readonly origin: PushOrigin;
}

export class Fill {
  readonly header: HeaderSummary;
  readonly message: MessageOf<"CompactBlock">;
  readonly origin: PushOrigin;
  readonly key: ShortIdKey;
  readonly transactions: (Uint8Array | undefined)[];
  /** Of the transactions, as far as they are here. */
  readonly ids: Uint8Array;
  /** Places of those that the mempool did not have, ascending. */
  lacked: readonly number[] = [];
  /** The places of the short ids, ascending. */
  readonly #listed: readonly number[];

  constructor({ header, message, origin }: FillParts) {
    this.header = header;
    this.message = message;
    this.origin = origin;
    this.key = shortIdKey(message.header, message.nonce);
    const count = transactionCount(message);
    this.transactions = new Array<undefined>(count).fill(undefined);
    this.ids = new Uint8Array(count * ID_BYTES);
    for (const { index, transaction } of message.prefilled) this.#put(index, transaction);
    const listed: number[] = [];
    for (let i = 0; i < count; i++) if (this.transactions[i] === undefined) listed.push(i);
    this.#listed = listed;
  }

  /** What the mempool has under the short ids, in their order. */
  found(found: readonly (MempoolTransaction | undefined)[]): void {
    const lacked: number[] = [];
    for (const [at, index] of this.#listed.entries()) {
      const transaction = found[at];
      if (transaction === undefined) {
        lacked.push(index);
        continue;
      }
      this.transactions[index] = transaction.bytes;
      writeHex(this.ids, index * ID_BYTES, transaction.id);
    }
    this.lacked = lacked;
  }

  /** Those that lacked; false: they are others than those that the short ids stand for. */
  answered(transactions: readonly Uint8Array[]): boolean {
    if (transactions.length !== this.lacked.length) return false;
    for (const [at, index] of this.lacked.entries()) {
      this.#put(index, transactions[at]!);
      const id = this.ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES);
      if (!this.#isListed(index, shortIdsOf(this.key, id))) return false;
    }
    return true;
  }

  #put(index: number, transaction: Uint8Array): void {
    this.transactions[index] = transaction;
    this.ids.set(sha256(transaction), index * ID_BYTES);
  }

  #isListed(index: number, shortId: Uint8Array): boolean {
    const { prefilled, shortIds } = this.message;
    const before = prefilled.filter((each) => each.index < index).length;
    const at = (index - before) * SHORT_ID_BYTES;
    return shortId.every((byte, i) => byte === shortIds[at + i]);
  }
}

export class BlockFills {
  /** By their own number. */
  readonly #fills = new Map<number, Fill>();
  /** By the number of the request for what they lack. */
  readonly #asked = new Map<number, number>();
  #nextTag = 1;

  get(tag: number): Fill | undefined {
    return this.#fills.get(tag);
  }

  get count(): number {
    return this.#fills.size;
  }

  /** Undefined: there are as many as there may be. */
  begin(parts: FillParts): number | undefined {
    const { hash } = parts.header;
    const { peerId } = parts.origin;
    if (this.#fills.size >= COMPACT_FILLS_MAX) return undefined;
    let ofPeer = 0;
    let ofBlock = 0;
    for (const { header, origin } of this.#fills.values()) {
      if (origin.peerId === peerId) ofPeer++;
      if (header.hash === hash) ofBlock++;
      if (origin.peerId === peerId && header.hash === hash) return undefined;
    }
    if (ofPeer >= PER_PEER_MAX || ofBlock >= PER_BLOCK_MAX) return undefined;
    const tag = this.#nextTag++;
    this.#fills.set(tag, new Fill(parts));
    return tag;
  }

  /** It is over. */
  end(tag: number): void {
    this.#fills.delete(tag);
  }

  /** What to ask this peer for of a block, under this number; undefined: the whole block. */
  request(
    hash: HashHex,
    path: string,
    requestTag: number,
  ): MessageOf<"GetBlockTransactions"> | undefined {
    for (const [tag, { header, origin, lacked }] of this.#fills) {
      if (header.hash !== hash || origin.from.path !== path || lacked.length === 0) continue;
      if (lacked.length > ITEM_LIMITS.blockTransactionsMax) return undefined;
      this.#asked.set(requestTag, tag);
      return { kind: "GetBlockTransactions", hash, indexes: lacked };
    }
    return undefined;
  }

  /** A request for what lacks has ended: of which fill; undefined: it was none, or that is over. */
  requestEnded(requestTag: number): number | undefined {
    const tag = this.#asked.get(requestTag);
    this.#asked.delete(requestTag);
    return tag !== undefined && this.#fills.has(tag) ? tag : undefined;
  }

  /** Ends those that waited for what they lack of a block that is not wanted any more. */
  prune(isWanted: (hash: HashHex) => boolean): void {
    for (const [tag, { header, lacked }] of this.#fills) {
      if (lacked.length > 0 && !isWanted(header.hash)) this.#fills.delete(tag);
    }
  }

  invariants(): void {
    invariant(
      this.#fills.size <= COMPACT_FILLS_MAX,
      `${this.#fills.size} compact blocks are filled`,
    );
    const perPeer = new Map<string, number>();
    for (const { origin } of this.#fills.values()) {
      const count = (perPeer.get(origin.peerId) ?? 0) + 1;
      invariant(count <= PER_PEER_MAX, `${count} compact blocks of one peer are filled`);
      perPeer.set(origin.peerId, count);
    }
  }

  atRest(): void {
    invariant(this.#fills.size === 0, `${this.#fills.size} compact blocks are filled`);
    invariant(this.#asked.size === 0, `${this.#asked.size} requests for what lacks are owed`);
  }
}
