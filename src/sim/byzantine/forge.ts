// Blocks of a byzantine node's own making: valid ones, and ones with a single broken rule, for the
// default chain, whose headers and transactions it makes.

import { sha256 } from "../../bytes/sha256.js";
import { encodeCbor } from "../../bytes/cbor.js";
import { encodeHeader, readHeader, type HeaderFields } from "../../chain/header.js";
import { meetsDifficulty } from "../../chain/proof-of-work.js";
import { signTransaction } from "../../chain/transaction.js";
import { invariant } from "../../errors.js";
import type { BookBlock } from "../block-book.js";
import type { ByzantineHost } from "./script.js";

type Forger = Pick<ByzantineHost, "chain" | "clock" | "random" | "signatures">;

const SEAL_ATTEMPTS = 65_536;

/** A valid block on `parent`, unless `transactions` or `changes` break it; sealed. */
export function mine(
  forger: Forger,
  parent: BookBlock,
  transactions: readonly Uint8Array[] = [],
  changes: Partial<HeaderFields> = {},
): BookBlock {
  const { consensus } = forger.chain;
  const nowMs = changes.timestampMs ?? forger.clock.wallMs();
  const parts = consensus.template(parent.header, transactions, nowMs);
  invariant(parts !== undefined && "header" in parts, "the default chain always has a block");
  const changed = changeHeader(parts.header, { extra: forger.random.bytes(8), ...changes });
  for (let start = 0n; ; start += BigInt(SEAL_ATTEMPTS)) {
    const sealed = consensus.rules.sealHeader(changed, start, SEAL_ATTEMPTS);
    if (sealed !== undefined) return blockOf(forger, parent, sealed, transactions);
  }
}

/** `count` valid empty blocks, each on the one before. */
export function mineChain(forger: Forger, parent: BookBlock, count: number): BookBlock[] {
  const chain: BookBlock[] = [];
  for (let i = 0; i < count; i++) chain.push(mine(forger, chain.at(-1) ?? parent));
  return chain;
}

function blockOf(
  { chain: { consensus } }: Forger,
  parent: BookBlock,
  headerBytes: Uint8Array,
  transactions: readonly Uint8Array[],
): BookBlock {
  const read = consensus.rules.readHeader(headerBytes);
  invariant(read.ok, "a forged header reads back");
  const bytes = consensus.assemble({ header: headerBytes, transactions });
  return { header: read.value, headerBytes, bytes, parent };
}

function changeHeader(header: Uint8Array, changes: Partial<HeaderFields>): Uint8Array {
  const read = readHeader(header);
  invariant(read.ok, "byzantine nodes forge blocks of the default chain");
  return encodeHeader({ ...read.value, ...changes });
}

/** A transaction of a key that nobody else has, its nonces in order. */
export function pay(forger: Forger, account: string, nonce: number, data = 0): Uint8Array {
  const keys = forger.signatures.keyPairFromSeed(sha256(encodeCbor(["byzantine", account])));
  const fields = {
    sender: keys.publicKey,
    recipient: keys.publicKey,
    value: 1n,
    gasPrice: 1_000n,
    gasLimit: 21_000,
    nonce,
    timestampMs: forger.clock.wallMs(),
    data: forger.random.bytes(data),
  };
  return signTransaction(fields, keys.secretKey, forger.signatures);
}

/** The same body under a signature that does not fit. */
export function forgeSignature(transaction: Uint8Array): Uint8Array {
  const changed = transaction.slice();
  // The last bytes are the signature's.
  changed[changed.length - 2]! ^= 1;
  return changed;
}

type Break = (forger: Forger, parent: BookBlock) => BookBlock;

/** One block on `parent` for each rule that a block can break. */
export const BREAKS = {
  signature: (forger, parent) =>
    mine(forger, parent, [forgeSignature(pay(forger, parent.header.hash, 0))]),
  nonce: (forger, parent) => {
    const twice = pay(forger, parent.header.hash, 0);
    return mine(forger, parent, [twice, twice]);
  },
  /** Each block is right by itself: only the state knows that the nonce was used before. */
  "state-nonce": (forger, parent) => {
    const spent = pay(forger, parent.header.hash, 0);
    return mine(forger, mine(forger, parent, [spent]), [spent]);
  },
  root: (forger, parent) => mine(forger, parent, [], { transactionRoot: new Uint8Array(32) }),
  /** The body of another block under a header that is right. */
  body: (forger, parent) => {
    const block = mine(forger, parent);
    const paid = pay(forger, parent.header.hash, 0);
    return blockOf(forger, parent, block.headerBytes, [paid]);
  },
  "proof-of-work": (forger, parent) => withoutWork(forger, parent),
  link: (forger, parent) =>
    mine(forger, parent, [], { previousHash: parent.parent?.header.hash ?? "11".repeat(32) }),
  height: (forger, parent) => mine(forger, parent, [], { height: parent.header.height + 2 }),
  time: (forger, parent) => mine(forger, parent, [], { timestampMs: parent.header.timestampMs }),
  future: (forger, parent) => {
    const timestampMs = forger.clock.wallMs() + 60_000;
    return mine(forger, parent, [], { timestampMs });
  },
  difficulty: (forger, parent) => mine(forger, parent, [], { difficulty: 2n }),
  "total-difficulty": (forger, parent) => mine(forger, parent, [], { totalDifficulty: 2n ** 40n }),
} as const satisfies Record<string, Break>;

export type BreakName = keyof typeof BREAKS;

function withoutWork(forger: Forger, parent: BookBlock): BookBlock {
  const read = readHeader(mine(forger, parent).headerBytes);
  invariant(read.ok, "a mined header reads back");
  for (let nonce = read.value.nonce + 1n; ; nonce++) {
    const headerBytes = encodeHeader({ ...read.value, nonce });
    const spoiled = readHeader(headerBytes);
    invariant(spoiled.ok, "a header with another nonce reads back");
    if (meetsDifficulty(spoiled.value.hash, read.value.difficulty)) continue;
    return blockOf(forger, parent, headerBytes, []);
  }
}
