// The golden vectors of the chain: genesis, a signed transaction, Merkle roots, difficulties and a
// sealed block of a network whose constants never change.

import { toHex } from "../../src/bytes/hex.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { splitBlock } from "../../src/chain/block.js";
import { generateChain } from "../../src/chain/generate.js";
import { readHeader } from "../../src/chain/header.js";
import { merkleRoot } from "../../src/chain/merkle.js";
import { genesisBlock, networkId, NETWORKS } from "../../src/chain/networks.js";
import type { ChainParams } from "../../src/chain/params.js";
import { nextDifficulty } from "../../src/chain/proof-of-work.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import { readTransaction, signTransaction } from "../../src/chain/transaction.js";
import { invariant } from "../../src/errors.js";

const PARAMS: ChainParams = {
  name: "vibecoin-vectors",
  genesisTimestampMs: 1_735_689_600_000,
  minDifficulty: 256n,
  targetIntervalMs: 2_000,
  maxFutureMs: 15_000,
  blockBytesMax: 4_190_208,
  transactionBytesMax: 131_072,
  transactionDataBytesMax: 65_536,
};

export interface ChainVectors {
  readonly networks: readonly NetworkVector[];
  /** The network of everything below. */
  readonly params: Readonly<Record<string, string | number>>;
  readonly genesis: HeaderVector & { readonly block: string };
  readonly transaction: {
    readonly seed: string;
    readonly body: string;
    readonly signature: string;
    readonly bytes: string;
    readonly id: string;
  };
  readonly merkle: readonly { readonly ids: readonly string[]; readonly root: string }[];
  readonly difficulty: readonly {
    readonly parentDifficulty: string;
    readonly elapsedMs: number;
    readonly difficulty: string;
  }[];
  /** The child of genesis, sealed. */
  readonly block: HeaderVector & {
    readonly transactions: readonly string[];
    readonly block: string;
  };
}

/** A network that nodes know by name. */
interface NetworkVector {
  readonly name: string;
  readonly genesisTimestampMs: number;
  readonly minDifficulty: string;
  readonly targetIntervalMs: number;
  readonly networkId: string;
}

interface HeaderVector {
  readonly header: string;
  readonly hash: string;
}

export async function chainVectors(): Promise<ChainVectors> {
  const scheme = await loadSignatures();
  const options = { params: PARAMS, blocks: 1, transactionsPerBlock: 2, accounts: 2 };
  const [sealed] = [...generateChain({ ...options, seed: "vectors" }, scheme)];
  invariant(sealed !== undefined, "one block was generated");
  return {
    networks: [...NETWORKS.values()].map(networkVector),
    params: { ...PARAMS, minDifficulty: PARAMS.minDifficulty.toString() },
    genesis: { ...headerVector(genesisBlock(PARAMS)), block: toHex(genesisBlock(PARAMS)) },
    transaction: transactionVector(scheme),
    merkle: [0, 1, 2, 3, 4, 5, 7].map(merkleVector),
    difficulty: difficultyVectors(),
    block: {
      ...headerVector(sealed.bytes),
      transactions: partsOf(sealed.bytes).transactions.map(toHex),
      block: toHex(sealed.bytes),
    },
  };
}

function networkVector(params: ChainParams): NetworkVector {
  const { name, genesisTimestampMs, minDifficulty, targetIntervalMs } = params;
  const numbers = { genesisTimestampMs, minDifficulty: minDifficulty.toString(), targetIntervalMs };
  return { name, ...numbers, networkId: networkId(params) };
}

function partsOf(block: Uint8Array) {
  const split = splitBlock(block, PARAMS.blockBytesMax);
  invariant(split.ok, "the generated block splits");
  return split.value;
}

function headerVector(block: Uint8Array): HeaderVector {
  const { header } = partsOf(block);
  const read = readHeader(header);
  invariant(read.ok, "the generated header reads");
  return { header: toHex(header), hash: read.value.hash };
}

function transactionVector(
  scheme: Awaited<ReturnType<typeof loadSignatures>>,
): ChainVectors["transaction"] {
  const seed = sha256(new TextEncoder().encode("vector"));
  const key = scheme.keyPairFromSeed(seed);
  const bytes = signTransaction(
    {
      sender: key.publicKey,
      recipient: new Uint8Array(32).fill(0x22),
      value: 2n ** 40n,
      gasPrice: 10n,
      gasLimit: 21_000,
      nonce: 3,
      timestampMs: 1_735_689_601_000,
      data: Uint8Array.of(0xca, 0xfe),
    },
    key.secretKey,
    scheme,
  );
  const read = readTransaction(bytes, PARAMS);
  invariant(read.ok, "the signed transaction reads");
  const { body, signature, id } = read.value;
  return {
    seed: toHex(seed),
    body: toHex(body),
    signature: toHex(signature),
    bytes: toHex(bytes),
    id: toHex(id),
  };
}

function merkleVector(count: number): ChainVectors["merkle"][number] {
  const ids = Array.from({ length: count }, (_, i) => new Uint8Array(32).fill(i + 1));
  return { ids: ids.map(toHex), root: toHex(merkleRoot(ids)) };
}

function difficultyVectors(): ChainVectors["difficulty"] {
  const cases: readonly (readonly [bigint, number])[] = [
    [1_000_000n, 1],
    [1_000_000n, 1_385],
    [1_000_000n, 1_386],
    [1_000_000n, 2_771],
    [1_000_000n, 2_772],
    [1_000_000n, 1_000_000],
    [257n, 1],
    [257n, 1_000_000],
  ];
  return cases.map(([parentDifficulty, elapsedMs]) => ({
    parentDifficulty: parentDifficulty.toString(),
    elapsedMs,
    difficulty: nextDifficulty(
      { difficulty: parentDifficulty, timestampMs: 0 },
      elapsedMs,
      PARAMS,
    ).toString(),
  }));
}
