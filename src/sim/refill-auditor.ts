// Says whose transactions a reorganisation lost: those of abandoned blocks that the chain may still
// take, and that wait in no mempool. For the default chain, whose nonces it reads.

import { lastNonce } from "../chain/nonce-state.js";
import type { ChainParams } from "../chain/params.js";
import { readTransaction } from "../chain/transaction.js";
import { sha256Hex } from "../bytes/sha256.js";
import type { ChainRules, HashHex } from "../types/chain.js";
import type { Mempool, StateView } from "../ports.js";
import type { BlockBook } from "./block-book.js";

/** What a life of a node did to its mempool. */
export interface MempoolWatch {
  /**
   * Left, or could not come back, because its sender's nonce had moved on: it gave way to the chain
   * of that moment, and no later branch brings it back.
   */
  readonly stale: Set<HashHex>;
  /** Given to the mempool, whatever that said to it, since the chain confirmed it last, if ever. */
  readonly offered: Set<HashHex>;
  /** The same, whether or not the chain confirmed it later. */
  readonly given: Set<HashHex>;
}

export function watchMempool(mempool: Mempool, watch: MempoolWatch): Mempool {
  const { stale, offered, given: all } = watch;
  const offer =
    (name: "add" | "restore") =>
    (...given: Parameters<Mempool["add"]>): ReturnType<Mempool["add"]> => {
      offered.add(given[0].id);
      all.add(given[0].id);
      const answer = (mempool[name] ?? mempool.add).apply(mempool, given);
      if (name === "restore" && !answer.ok && answer.reason === "nonce") stale.add(given[0].id);
      return answer;
    };
  const confirmed: Mempool["confirmed"] = (ids, view) => {
    for (const id of ids) offered.delete(id);
    mempool.confirmed(ids, view);
  };
  const takeDropped = (): ReturnType<NonNullable<Mempool["takeDropped"]>> => {
    const dropped = mempool.takeDropped?.() ?? [];
    for (const { id, reason } of dropped) if (reason === "nonce") stale.add(id);
    return dropped;
  };
  const watched = new Map<string | symbol, unknown>([
    ["add", offer("add")],
    ["restore", offer("restore")],
    ["confirmed", confirmed],
    ["takeDropped", takeDropped],
  ]);
  return new Proxy(mempool, {
    get(target, name) {
      const part: unknown = Reflect.get(target, name, target);
      if (typeof part !== "function") return part;
      return watched.get(name) ?? (part.bind(target) as unknown);
    },
  });
}

export class RefillAuditor {
  readonly #book: Pick<BlockBook, "get">;
  readonly #rules: Pick<ChainRules, "splitBlock">;
  readonly #params: ChainParams | undefined;

  /** Without `params` the chain is another one: nothing is known of its transactions. */
  constructor(
    book: Pick<BlockBook, "get">,
    rules: Pick<ChainRules, "splitBlock">,
    params?: ChainParams,
  ) {
    this.#book = book;
    this.#rules = rules;
    this.#params = params;
  }

  /** The id of one that is lost. */
  lost(
    abandoned: readonly HashHex[],
    state: StateView,
    mempool: Pick<Mempool, "has">,
  ): HashHex | undefined {
    if (this.#params === undefined) return undefined;
    for (const hash of abandoned) {
      const parts = this.#rules.splitBlock(this.#book.get(hash)?.bytes ?? new Uint8Array());
      for (const bytes of parts.ok ? parts.value.transactions : []) {
        const read = readTransaction(bytes, this.#params);
        if (!read.ok || read.value.nonce <= lastNonce(state, read.value.sender)) continue;
        const id = sha256Hex(bytes);
        if (!mempool.has(id)) return id;
      }
    }
    return undefined;
  }
}
