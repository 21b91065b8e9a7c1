// The stateless half of the default consensus, proof of work: everything that can be said of a
// header, a block or a transaction from its bytes, its parent and a clock reading alone. Pool
// threads load it by module URL (`powRulesModule`); the inline executor and tests call it directly.

import { equalBytes, toLatin1, writeUint64 } from "../bytes/compare.js";
import { splitBlock } from "./block.js";
import { fault, valid } from "./faults.js";
import { readHeader, summarize } from "./header.js";
import { merkleRoot } from "./merkle.js";
import type { ChainParams } from "./params.js";
import { meetsDifficulty, nextDifficulty, sealHeader } from "./proof-of-work.js";
import { ADDRESS_BYTES, readTransaction, type Transaction } from "./transaction.js";
import type { Checked, ChainRules, HeaderSummary, RulesModule } from "../types/chain.js";

/** Effects of a block: for each sender in order of appearance its key, first and last nonce. */
export const EFFECT_BYTES = ADDRESS_BYTES + 16;

export function createPowRules(options: ChainParams): ChainRules<Transaction> {
  return {
    splitBlock: (block) => splitBlock(block, options.blockBytesMax),
    readHeader(header) {
      const read = readHeader(header);
      return read.ok ? valid(summarize(read.value)) : read;
    },
    checkHeader: (header, parent, nowMs) => checkHeader(header, parent, nowMs, options),
    readTransaction: (transaction) => readTransaction(transaction, options),
    checkSignature: (transaction, verify) =>
      verify(transaction.signature, transaction.body, transaction.sender),
    checkBody,
    binds(header, ids) {
      const read = readHeader(header);
      return read.ok && equalBytes(merkleRoot(ids), read.value.transactionRoot);
    },
    sealHeader,
  };
}

/** How a pool thread finds these rules. */
export function powRulesModule(options: ChainParams): RulesModule {
  return { moduleUrl: import.meta.url, exportName: "createPowRules", options };
}

function checkHeader(
  bytes: Uint8Array,
  parent: HeaderSummary,
  nowMs: number,
  params: ChainParams,
): Checked<HeaderSummary> {
  const read = readHeader(bytes);
  if (!read.ok) return read;
  const header = read.value;
  if (header.previousHash !== parent.hash) {
    return fault("link", `names ${header.previousHash} as its parent, not ${parent.hash}`);
  }
  if (header.height !== parent.height + 1) {
    return fault("height", `height ${header.height} on a parent at ${parent.height}`);
  }
  if (header.timestampMs <= parent.timestampMs) {
    return fault("time", `${header.timestampMs} ms is not after its parent's time`);
  }
  const difficulty = nextDifficulty(parent, header.timestampMs, params);
  if (header.difficulty !== difficulty) {
    return fault("difficulty", `difficulty ${header.difficulty} where ${difficulty} is due`);
  }
  const total = parent.totalDifficulty + difficulty;
  // A total that reaches 2^64 has no encoding, so none can equal it.
  if (header.totalDifficulty !== total) {
    return fault("total-difficulty", `a total of ${header.totalDifficulty}, not ${total}`);
  }
  if (!meetsDifficulty(header.hash, difficulty)) {
    return fault("proof-of-work", `hash ${header.hash} misses difficulty ${difficulty}`);
  }
  // Last, for nobody is blamed for it: whoever makes such headers pays with work.
  if (header.timestampMs > nowMs + params.maxFutureMs) {
    return fault("future", `${header.timestampMs - nowMs} ms in the future`);
  }
  return valid(summarize(header));
}

interface SenderRange {
  readonly sender: Uint8Array;
  readonly first: number;
  last: number;
}

function checkBody(header: Uint8Array, transactions: readonly Transaction[]): Checked<Uint8Array> {
  const read = readHeader(header);
  if (!read.ok) return read;
  const root = merkleRoot(transactions.map((transaction) => transaction.id));
  if (!equalBytes(root, read.value.transactionRoot)) {
    return fault(
      "root",
      `the header's root is not that of its ${transactions.length} transactions`,
    );
  }
  const senders = new Map<string, SenderRange>();
  for (let i = 0; i < transactions.length; i++) {
    const { sender, nonce } = transactions[i]!;
    const key = toLatin1(sender);
    const range = senders.get(key);
    if (range === undefined) {
      senders.set(key, { sender, first: nonce, last: nonce });
    } else if (nonce > range.last) {
      range.last = nonce;
    } else {
      return fault("nonce", `transaction ${i} has nonce ${nonce} after ${range.last}`, i);
    }
  }
  return valid(encodeEffects(senders));
}

function encodeEffects(senders: ReadonlyMap<string, SenderRange>): Uint8Array<ArrayBuffer> {
  const effects = new Uint8Array(senders.size * EFFECT_BYTES);
  let at = 0;
  for (const { sender, first, last } of senders.values()) {
    effects.set(sender, at);
    writeUint64(effects, at + ADDRESS_BYTES, first);
    writeUint64(effects, at + ADDRESS_BYTES + 8, last);
    at += EFFECT_BYTES;
  }
  return effects;
}
