// The named networks and their genesis blocks. A network's id is the hash of its genesis header,
// which every constant that peers must share should therefore enter: see `genesisBlock`.

import { encodeCbor } from "../bytes/cbor.js";
import { concatBytes } from "../bytes/compare.js";
import { sha256 } from "../bytes/sha256.js";
import { invariant } from "../errors.js";
import { encodeBlock, splitBlock } from "./block.js";
import { encodeHeader, readHeader, summarize } from "./header.js";
import { merkleRoot } from "./merkle.js";
import { NONCE_MIN } from "./proof-of-work.js";
import type { ChainParams } from "./params.js";
import type { HashHex, HeaderSummary } from "../types/chain.js";

const KIB = 1024;

/** A block and its envelope on the wire fit a message of 4 MiB. */
const BLOCK_BYTES_MAX = 4 * KIB * KIB - 4 * KIB;

const COMMON = {
  maxFutureMs: 15_000,
  blockBytesMax: BLOCK_BYTES_MAX,
  transactionBytesMax: 128 * KIB,
  transactionDataBytesMax: 64 * KIB,
} as const;

/** For one machine: a block takes about 1 ms of search in line (2 million hashes/s measured). */
const DEV: ChainParams = {
  name: "vibecoin-dev",
  genesisTimestampMs: Date.UTC(2025, 0, 1),
  minDifficulty: 2_048n,
  targetIntervalMs: 2_000,
  ...COMMON,
};

/** For several machines: a few seconds of search on one core at the start. */
const TEST: ChainParams = {
  name: "vibecoin-test",
  genesisTimestampMs: Date.UTC(2025, 0, 1),
  minDifficulty: 4_194_304n,
  targetIntervalMs: 10_000,
  ...COMMON,
};

export const NETWORKS: ReadonlyMap<string, ChainParams> = new Map(
  [DEV, TEST].map((params) => [params.name, Object.freeze(params)]),
);

/** The encoded genesis block. Its extra is the name, then a digest of the other constants. */
export function genesisBlock(params: ChainParams): Uint8Array<ArrayBuffer> {
  const constants = encodeCbor([
    params.minDifficulty,
    params.targetIntervalMs,
    params.blockBytesMax,
    params.transactionBytesMax,
    params.transactionDataBytesMax,
  ]);
  const header = encodeHeader({
    height: 0,
    previousHash: "00".repeat(32),
    timestampMs: params.genesisTimestampMs,
    transactionRoot: merkleRoot([]),
    stateRoot: new Uint8Array(32),
    difficulty: params.minDifficulty,
    totalDifficulty: params.minDifficulty,
    nonce: NONCE_MIN,
    extra: concatBytes([new TextEncoder().encode(params.name), sha256(constants)]),
  });
  return encodeBlock({ header, transactions: [] });
}

/** Genesis as every parent is seen: by its header. */
export function genesisHeader(params: ChainParams): HeaderSummary {
  const block = splitBlock(genesisBlock(params), params.blockBytesMax);
  invariant(block.ok, "genesis is a block");
  const header = readHeader(block.value.header);
  invariant(header.ok, "genesis has a header");
  return summarize(header.value);
}

/** The hash of genesis: peers with another one are on another chain. */
export function networkId(params: ChainParams): HashHex {
  return genesisHeader(params).hash;
}
