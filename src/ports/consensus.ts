// The stateful half of a consensus. The stateless one is ChainRules (src/types/chain.ts).

import type { BlockParts, ChainRules, Checked, CheckedBlock } from "../types/chain.js";
import type { HeaderSummary, RulesModule } from "../types/chain.js";
import type { StateWrite } from "./stores.js";

export interface StateView {
  state(key: Uint8Array): Uint8Array | undefined;
}

/** No block yet: at this time of the wall clock it is worth asking again. */
export interface NotNow {
  readonly notBeforeMs: number;
}

/**
 * The stateful half of a consensus: it lives on the main side and is pure over the state it is
 * shown. It names its stateless half by module, so that pool threads can load it.
 */
export interface Consensus {
  readonly rulesModule: RulesModule;
  readonly rules: ChainRules;
  /** The encoded genesis block; its hash is the network id. */
  readonly genesis: Uint8Array;
  readonly blockBytesMax: number;
  /**
   * The most bytes that a block from `template` and `assemble` takes beside its transactions, of
   * which each counts as its own bytes and five more. A whole number below `blockBytesMax`, checked
   * at start. Optional: without it `producer.envelopeBytes` are kept free, and a block that is too
   * large all the same is made again with less.
   */
  readonly envelopeBytesMax?: number;
  /** Fork choice: true when `candidate` is to replace `current`. Ties keep the current head. */
  prefers(candidate: HeaderSummary, current: HeaderSummary): boolean;
  /**
   * Applies a block to the state of its parent. A fault that names its transaction costs a producer
   * one block; one that does not, as many as it takes to find it by halves.
   */
  connect(
    block: Pick<CheckedBlock, "header" | "effects">,
    view: StateView,
  ): Checked<{ readonly writes: readonly StateWrite[]; readonly undo: Uint8Array }>;
  disconnect(undo: Uint8Array): readonly StateWrite[];
  /**
   * An unsealed block on `parent` with these transactions, or fewer, or with some of its own; or
   * nothing when it is not this node's turn: asked again with the next head, or at `notBeforeMs`.
   */
  template(
    parent: HeaderSummary,
    transactions: readonly Uint8Array[],
    nowMs: number,
  ): BlockParts | NotNow | undefined;
  /** Joins a sealed header and its transactions to an encoded block. */
  assemble(parts: BlockParts): Uint8Array;
}
