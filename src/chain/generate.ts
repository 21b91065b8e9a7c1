// Makes a chain of real signed transactions and real proof of work, the same for the same seed:
// for `chain generate`, benches and tests. A generator, so that its caller decides when to yield.

import { encodeCbor } from "../bytes/cbor.js";
import { sha256 } from "../bytes/sha256.js";
import { invariant } from "../errors.js";
import { createPowConsensus } from "./consensus.js";
import { genesisHeader } from "./networks.js";
import type { ChainParams } from "./params.js";
import type { KeyPair, SignatureScheme } from "./signatures.js";
import { signTransaction } from "./transaction.js";
import type { ChainRules, HeaderSummary } from "../types/chain.js";

export interface GenerateOptions {
  readonly params: ChainParams;
  /** Blocks after genesis. */
  readonly blocks: number;
  readonly transactionsPerBlock: number;
  /** How many keys take turns as senders; at least 1. */
  readonly accounts: number;
  readonly seed: string;
  /** The data of each transaction; default none. */
  readonly dataBytes?: number;
}

type Signing = Pick<SignatureScheme, "keyPairFromSeed" | "sign">;

export interface GeneratedBlock {
  readonly header: HeaderSummary;
  readonly headerBytes: Uint8Array;
  readonly bytes: Uint8Array;
}

const SEAL_ATTEMPTS = 2 ** 20;

/** Yields blocks 1 to `blocks`, one target interval apart, so the difficulty stays the minimum. */
export function* generateChain(
  options: GenerateOptions,
  scheme: Signing,
): Generator<GeneratedBlock, void, void> {
  const { params, blocks, transactionsPerBlock, dataBytes = 0 } = options;
  invariant(options.accounts >= 1, "a chain needs at least one account");
  const consensus = createPowConsensus(params);
  const keys = Array.from({ length: options.accounts }, (_, index) =>
    scheme.keyPairFromSeed(sha256(encodeCbor([options.seed, index]))),
  );
  let parent = genesisHeader(params);
  for (let block = 0; block < blocks; block++) {
    const timestampMs = parent.timestampMs + params.targetIntervalMs;
    const transactions = Array.from({ length: transactionsPerBlock }, (_, i) =>
      makeTransaction(keys, block * transactionsPerBlock + i, { timestampMs, dataBytes }, scheme),
    );
    const parts = consensus.template(parent, transactions, timestampMs);
    const header = seal(parts.header, consensus.rules);
    const read = consensus.rules.readHeader(header);
    invariant(read.ok, "a sealed header reads back");
    parent = read.value;
    yield {
      header: parent,
      headerBytes: header,
      bytes: consensus.assemble({ header, transactions }),
    };
  }
}

function makeTransaction(
  keys: readonly KeyPair[],
  index: number,
  { timestampMs, dataBytes }: { readonly timestampMs: number; readonly dataBytes: number },
  scheme: Signing,
): Uint8Array<ArrayBuffer> {
  const from = keys[index % keys.length]!;
  const to = keys[(index + 1) % keys.length]!;
  return signTransaction(
    {
      sender: from.publicKey,
      recipient: to.publicKey,
      value: BigInt(1 + (index % 1_000_000)),
      gasPrice: BigInt(1 + (index % 100)),
      gasLimit: 21_000,
      nonce: Math.floor(index / keys.length),
      timestampMs,
      data: new Uint8Array(dataBytes),
    },
    from.secretKey,
    scheme,
  );
}

function seal(header: Uint8Array, rules: ChainRules): Uint8Array {
  for (let start = 0n; ; start += BigInt(SEAL_ATTEMPTS)) {
    const sealed = rules.sealHeader(header, start, SEAL_ATTEMPTS);
    if (sealed !== undefined) return sealed;
  }
}
