// How the mempool follows the chain, in slices: what new blocks confirm leaves it, then what
// abandoned blocks held comes back, the oldest block first, as far as it still fits. Owned by the
// mempool integration.

import { toHex } from "../../bytes/hex.js";
import type { HashHex } from "../../types/chain.js";
import { BlockTransactions, type BlockReadEnv } from "./block-transactions.js";
import { hexIds, type ChainChanged } from "./chain-events.js";
import type { GuardedMempool } from "./guarded-mempool.js";

type Step =
  | { readonly type: "confirmed"; readonly ids: Uint8Array }
  | { readonly type: "connected"; readonly hash: HashHex }
  | { readonly type: "abandoned"; readonly hash: HashHex }
  /** Ends a reorganisation. */
  | { readonly type: "settled" };

/** Ids confirmed in one turn, about 5 ms. */
const SLICE_IDS = 4_096;

/**
 * Ids of a new branch that are remembered, so that a foreign mempool is not offered again what was
 * just confirmed. Beyond it the mempool refuses by its own view of the state, as the default does.
 */
const CONFIRMED_MAX = 65_536;

export class MempoolFollower {
  readonly #mempool: GuardedMempool;
  readonly #env: BlockReadEnv;
  /** The steps to do, the next one last. */
  #steps: Step[] = [];
  #reading: BlockTransactions | undefined;
  #wanted: HashHex | undefined;
  #confirmed = new Set<HashHex>();

  constructor(mempool: GuardedMempool, env: BlockReadEnv) {
    this.#mempool = mempool;
    this.#env = env;
  }

  /** Whether the chain is ahead of the mempool. */
  get behind(): boolean {
    return this.#steps.length > 0;
  }

  /** A block that is to be read and handed in before there is another slice. */
  get wanted(): HashHex | undefined {
    return this.#wanted;
  }

  /** The wanted block; undefined: it cannot be read, and is passed over. */
  read(block: Uint8Array | undefined): void {
    this.#wanted = undefined;
    this.#reading = new BlockTransactions(block, this.#env);
  }

  changed({ disconnected, connected }: ChainChanged): void {
    // A sync connects hundreds of thousands of transactions past a mempool that holds none of them.
    if (!this.behind && this.#mempool.count === 0 && disconnected.length === 0) return;
    const steps: Step[] = connected.map(({ header, transactionIds }) =>
      transactionIds === undefined
        ? { type: "connected", hash: header.hash }
        : { type: "confirmed", ids: transactionIds },
    );
    if (disconnected.length > 0) {
      for (const { hash } of disconnected.toReversed()) steps.push({ type: "abandoned", hash });
      steps.push({ type: "settled" });
    }
    this.#steps = [...steps.reverse(), ...this.#steps];
  }

  /** Does a bounded part; returns the ids that came back. */
  slice(): readonly HashHex[] {
    const confirmed: HashHex[] = [];
    let returned: readonly HashHex[] = [];
    while (confirmed.length < SLICE_IDS) {
      const step = this.#steps.at(-1);
      if (step === undefined) break;
      if (step.type === "abandoned") {
        // Its transactions may need the room that the confirmed ones leave.
        if (confirmed.length === 0) returned = this.#readd(step.hash);
        break;
      }
      if (step.type === "confirmed") {
        for (const id of hexIds(step.ids)) confirmed.push(id);
        this.#steps.pop();
      } else if (step.type === "connected") {
        for (const id of this.#confirm(step.hash)) confirmed.push(id);
        break;
      } else {
        this.#confirmed = new Set();
        this.#steps.pop();
      }
    }
    if (confirmed.length > 0) this.#mempool.confirmed(confirmed, this.#env.blocks);
    return returned;
  }

  #confirm(hash: HashHex): readonly HashHex[] {
    const ids: HashHex[] = [];
    for (const { id } of this.#next(hash)) {
      if (id === undefined) continue;
      const text = toHex(id);
      ids.push(text);
      if (this.#confirmed.size < CONFIRMED_MAX) this.#confirmed.add(text);
    }
    return ids;
  }

  #readd(hash: HashHex): readonly HashHex[] {
    const { blocks } = this.#env;
    const returned: HashHex[] = [];
    for (const { id: bytesOfId, bytes } of this.#next(hash)) {
      if (bytesOfId === undefined) continue;
      const id = toHex(bytesOfId);
      if (this.#confirmed.has(id)) continue;
      const transaction = { id, bytes: bytes.slice() };
      if (this.#mempool.restore(transaction, blocks).ok) returned.push(id);
    }
    return returned;
  }

  /** The next transactions of the block of the present step, which ends with them. */
  #next(hash: HashHex): ReturnType<BlockTransactions["slice"]> {
    if (this.#reading === undefined) {
      this.#wanted = hash;
      return [];
    }
    const read = this.#reading.slice();
    if (this.#reading.done) {
      this.#reading = undefined;
      this.#steps.pop();
    }
    return read;
  }
}
