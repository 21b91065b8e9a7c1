// The default consensus, proof of work with the heaviest total difficulty. This is its stateful
// half: fork choice, the nonce state with its undo, and block production. It is pure over the
// state it is shown; the consensus integration calls it and writes what it returns.

import { readUint64, writeUint64 } from "../bytes/compare.js";
import { toHex } from "../bytes/hex.js";
import { sha256 } from "../bytes/sha256.js";
import { invariant } from "../errors.js";
import type { Consensus, StateView, StateWrite } from "../ports.js";
import { encodeBlock, ENVELOPE_HEADS_BYTES_MAX } from "./block.js";
import { fault, valid } from "./faults.js";
import { encodeHeader, HEADER_BYTES_WITHOUT_EXTRA_MAX } from "./header.js";
import { merkleRoot } from "./merkle.js";
import { genesisBlock } from "./networks.js";
import { lastNonce, NONCE_BYTES, nonceWrite } from "./nonce-state.js";
import type { ChainParams } from "./params.js";
import { NONCE_MIN, nextDifficulty } from "./proof-of-work.js";
import { createPowRules, EFFECT_BYTES, powRulesModule } from "./rules.js";
import { ADDRESS_BYTES } from "./transaction.js";
import type {
  BlockParts,
  Checked,
  ChainRules,
  HeaderSummary,
  RulesModule,
} from "../types/chain.js";

/** Templates leave `extra` empty. */
const ENVELOPE_BYTES_MAX = HEADER_BYTES_WITHOUT_EXTRA_MAX + ENVELOPE_HEADS_BYTES_MAX;

/** Undo data: for each sender of the block its key, 1 if it had a nonce before, and that nonce. */
const UNDO_BYTES = ADDRESS_BYTES + 1 + NONCE_BYTES;

export interface PowConsensusOptions {
  /** Another stateless half: its rules, and where pool threads find them. Both or neither. */
  readonly foreign?: { readonly rulesModule: RulesModule; readonly rules: ChainRules };
}

/** Proof of work always has a block to search. */
export interface PowConsensus extends Consensus {
  template(parent: HeaderSummary, transactions: readonly Uint8Array[], nowMs: number): BlockParts;
}

export function createPowConsensus(
  params: ChainParams,
  options: PowConsensusOptions = {},
): PowConsensus {
  return {
    rulesModule: options.foreign?.rulesModule ?? powRulesModule(params),
    rules: options.foreign?.rules ?? createPowRules(params),
    genesis: genesisBlock(params),
    blockBytesMax: params.blockBytesMax,
    envelopeBytesMax: ENVELOPE_BYTES_MAX,
    prefers: (candidate, current) => candidate.totalDifficulty > current.totalDifficulty,
    connect: (block, view) => connect(block.effects, view),
    disconnect,
    template: (parent, transactions, nowMs) => template(parent, transactions, nowMs, params),
    assemble: encodeBlock,
  };
}

/** Applies the effects that `checkBody` of the rules made; fails with rule `nonce`. */
function connect(
  effects: Uint8Array,
  view: StateView,
): Checked<{ writes: readonly StateWrite[]; undo: Uint8Array }> {
  invariant(effects.length % EFFECT_BYTES === 0, "effects are those of the default rules");
  const count = effects.length / EFFECT_BYTES;
  const writes: StateWrite[] = [];
  const undo = new Uint8Array(count * UNDO_BYTES);
  for (let i = 0; i < count; i++) {
    const at = i * EFFECT_BYTES;
    const sender = effects.slice(at, at + ADDRESS_BYTES);
    const first = readUint64(effects, at + ADDRESS_BYTES);
    const before = lastNonce(view, sender);
    if (first <= before) {
      return fault("nonce", `sender ${toHex(sender)} uses nonce ${first} after ${before}`);
    }
    writes.push(nonceWrite(sender, readUint64(effects, at + ADDRESS_BYTES + NONCE_BYTES)));
    writeUndo(undo, i * UNDO_BYTES, sender, before);
  }
  return valid({ writes, undo });
}

function writeUndo(undo: Uint8Array, at: number, sender: Uint8Array, before: number): void {
  undo.set(sender, at);
  if (before < 0) return;
  undo[at + ADDRESS_BYTES] = 1;
  writeUint64(undo, at + ADDRESS_BYTES + 1, before);
}

function disconnect(undo: Uint8Array): readonly StateWrite[] {
  invariant(undo.length % UNDO_BYTES === 0, "undo data are those that connect made");
  const writes: StateWrite[] = [];
  for (let at = 0; at < undo.length; at += UNDO_BYTES) {
    const sender = undo.slice(at, at + ADDRESS_BYTES);
    const had = undo[at + ADDRESS_BYTES] === 1;
    writes.push(nonceWrite(sender, had ? readUint64(undo, at + ADDRESS_BYTES + 1) : -1));
  }
  return writes;
}

function template(
  parent: HeaderSummary,
  transactions: readonly Uint8Array[],
  nowMs: number,
  params: ChainParams,
): BlockParts {
  const timestampMs = Math.max(Math.floor(nowMs), parent.timestampMs + 1);
  const difficulty = nextDifficulty(parent, timestampMs, params);
  const header = encodeHeader({
    height: parent.height + 1,
    previousHash: parent.hash,
    timestampMs,
    transactionRoot: merkleRoot(transactions.map(sha256)),
    stateRoot: new Uint8Array(32),
    difficulty,
    totalDifficulty: parent.totalDifficulty + difficulty,
    nonce: NONCE_MIN,
    extra: new Uint8Array(),
  });
  return { header, transactions };
}
