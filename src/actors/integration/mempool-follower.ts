// How the mempool follows the chain, in slices: what new blocks confirm leaves it, then what
// abandoned blocks held comes back, the oldest block first, as far as it still fits. Where it stands
// outlives a crash: it goes on from there along the chain, whatever it was told meanwhile. Owned by
// the mempool integration.

import { toHex } from "../../bytes/hex.js";
import type { ActorRef } from "../../runtime/actor.js";
import type { HashHex, HeaderSummary } from "../../types/chain.js";
import { BlockTransactions, type BlockReadEnv } from "./block-transactions.js";
import { hexIds, type ChainChanged, type ConnectedBlock } from "./chain-events.js";
import type { GuardedMempool } from "./guarded-mempool.js";
import type { MempoolChanged } from "./mempool-messages.js";

/** Whom a mempool follows and who follows it. It outlives the actor, as the mempool does. */
export interface Followed {
  /** Up to where in the chain; undefined before the first start. */
  hash: HashHex | undefined;
  /** By path: they registered once, and would not again. */
  readonly subscribers: Map<string, ActorRef<MempoolChanged>>;
}

export function nothingFollowed(): Followed {
  return { hash: undefined, subscribers: new Map() };
}

/** Told of the ids of a block before they leave the mempool, as far as it holds them. */
type Confirmed = (ids: readonly HashHex[], block: HashHex) => void;

type Step =
  | { readonly type: "confirmed"; readonly hash: HashHex; readonly ids: Uint8Array }
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
  readonly #followed: Followed;
  readonly #tellConfirmed: Confirmed;
  /** Where the steps lead to. */
  #tip: HashHex;
  /** The steps to do, the next one last. */
  #steps: Step[] = [];
  #reading: BlockTransactions | undefined;
  #wanted: HashHex | undefined;
  #confirmed = new Set<HashHex>();

  /** Behind, when the chain has moved since it was followed last. */
  constructor(
    mempool: GuardedMempool,
    env: BlockReadEnv,
    followed: Followed,
    confirmed: Confirmed = () => undefined,
  ) {
    this.#tellConfirmed = confirmed;
    this.#mempool = mempool;
    this.#env = env;
    this.#followed = followed;
    this.#tip = followed.hash ??= env.blocks.head().hash;
    this.#walk();
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

  changed({ disconnected, connected, head }: ChainChanged): void {
    const from = disconnected[0]?.hash ?? connected[0]?.header.previousHash;
    // What it was told before a crash it may have gone past since.
    if (from !== this.#tip) this.#walk();
    else this.#follow(disconnected, connected.map(stepOf), head.hash);
  }

  /** From where the steps lead to the head: back to the chain, then up. */
  #walk(): void {
    const { blocks } = this.#env;
    const head = blocks.head();
    const disconnected: HeaderSummary[] = [];
    let at = blocks.summary(this.#tip);
    while (at !== undefined && blocks.hashAt(at.height) !== at.hash) {
      disconnected.push(at);
      at = blocks.summary(at.previousHash);
    }
    const connected: Step[] = [];
    // Of a branch that the store has forgotten nothing can come back.
    for (let height = (at ?? head).height + 1; height <= head.height; height++) {
      connected.push({ type: "connected", hash: blocks.hashAt(height)! });
    }
    this.#follow(at === undefined ? [] : disconnected, connected, head.hash);
  }

  #follow(disconnected: readonly HeaderSummary[], connected: readonly Step[], tip: HashHex): void {
    this.#tip = tip;
    // A sync connects hundreds of thousands of transactions past a mempool that holds none of them.
    if (!this.behind && this.#mempool.count === 0 && disconnected.length === 0) {
      this.#followed.hash = tip;
      return;
    }
    const steps = [...connected];
    if (disconnected.length > 0) {
      for (const { hash } of disconnected.toReversed()) steps.push({ type: "abandoned", hash });
      steps.push({ type: "settled" });
    }
    this.#steps = [...steps.reverse(), ...this.#steps];
  }

  /** Does a bounded part; returns the ids that came back. */
  slice(nowMs: number): readonly HashHex[] {
    const confirmed: HashHex[] = [];
    let returned: readonly HashHex[] = [];
    while (confirmed.length < SLICE_IDS) {
      const step = this.#steps.at(-1);
      if (step === undefined) break;
      if (step.type === "abandoned") {
        // Its transactions may need the room that the confirmed ones leave.
        if (confirmed.length === 0) returned = this.#readd(step.hash, nowMs);
        break;
      }
      if (step.type === "confirmed") {
        const ids = hexIds(step.ids);
        this.#tellConfirmed(ids, step.hash);
        for (const id of ids) confirmed.push(id);
        this.#steps.pop();
      } else if (step.type === "connected") {
        const ids = this.#confirm(step.hash);
        this.#tellConfirmed(ids, step.hash);
        for (const id of ids) confirmed.push(id);
        break;
      } else {
        this.#confirmed = new Set();
        this.#steps.pop();
      }
    }
    if (confirmed.length > 0) this.#mempool.confirmed(confirmed, this.#env.blocks);
    if (!this.behind) this.#followed.hash = this.#tip;
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

  #readd(hash: HashHex, nowMs: number): readonly HashHex[] {
    const { blocks } = this.#env;
    const returned: HashHex[] = [];
    for (const { id: bytesOfId, bytes } of this.#next(hash)) {
      if (bytesOfId === undefined) continue;
      const id = toHex(bytesOfId);
      if (this.#confirmed.has(id)) continue;
      const transaction = { id, bytes: bytes.slice() };
      if (this.#mempool.restore(transaction, blocks, nowMs).ok) returned.push(id);
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

function stepOf({ header, transactionIds }: ConnectedBlock): Step {
  const { hash } = header;
  if (transactionIds !== undefined) return { type: "confirmed", hash, ids: transactionIds };
  return { type: "connected", hash };
}
