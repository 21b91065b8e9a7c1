// The chain of a drill: the same for every process, so that attackers know what the node holds. On
// the development network, whose blocks cost a millisecond, in the past, so that they are due.

import { encodeCbor } from "../bytes/cbor.js";
import { sha256 } from "../bytes/sha256.js";
import { createPowConsensus } from "../chain/consensus.js";
import { encodeHeader, readHeader, type HeaderFields } from "../chain/header.js";
import { genesisHeader, NETWORKS } from "../chain/networks.js";
import type { ChainParams } from "../chain/params.js";
import { loadSignatures } from "../chain/signatures.js";
import { signTransaction } from "../chain/transaction.js";
import { invariant } from "../errors.js";
import type { HeaderSummary } from "../types/chain.js";

export const DRILL_NETWORK = "vibecoin-dev";

const SMALL_BLOCKS = 12;
/** Of about 1 MB each: what is served by the megabyte. */
const LARGE_BLOCKS = 3;
const LARGE_TRANSACTIONS = 16;
const LARGE_DATA_BYTES = 60_000;
const SEAL_ATTEMPTS = 65_536;

const signatures = await loadSignatures();
export const PARAMS: ChainParams = (() => {
  const params = NETWORKS.get(DRILL_NETWORK);
  invariant(params !== undefined, "the development network is known");
  return params;
})();
export const consensus = createPowConsensus(PARAMS);
export const GENESIS: HeaderSummary = genesisHeader(PARAMS);

export interface DrillBlock {
  readonly header: HeaderSummary;
  readonly headerBytes: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface BlockOptions {
  readonly transactions?: readonly Uint8Array[];
  /** Header fields that differ from those that the rules ask for. */
  readonly changes?: Partial<HeaderFields>;
}

/** A block on `parent`, one target interval later: valid unless `options` break it; sealed. */
export function blockOn(parent: HeaderSummary, options: BlockOptions = {}): DrillBlock {
  const { transactions = [], changes = {} } = options;
  const timestampMs = parent.timestampMs + PARAMS.targetIntervalMs;
  const template = consensus.template(parent, transactions, timestampMs);
  invariant("header" in template, "the default chain always has a block");
  const read = readHeader(template.header);
  invariant(read.ok, "a template's header reads back");
  const header = encodeHeader({ ...read.value, ...changes });
  for (let start = 0n; ; start += BigInt(SEAL_ATTEMPTS)) {
    const sealed = consensus.rules.sealHeader(header, start, SEAL_ATTEMPTS);
    if (sealed === undefined) continue;
    const summary = consensus.rules.readHeader(sealed);
    invariant(summary.ok, "a sealed header reads back");
    const bytes = consensus.assemble({ header: sealed, transactions });
    return { header: summary.value, headerBytes: sealed, bytes };
  }
}

/** `count` blocks, each on the one before; `extra` makes another branch of them. */
export function branchOn(parent: HeaderSummary, count: number, extra: string): DrillBlock[] {
  const blocks: DrillBlock[] = [];
  const changes = { extra: Buffer.from(extra) };
  for (let i = 0; i < count; i++) {
    blocks.push(blockOn(blocks.at(-1)?.header ?? parent, { changes }));
  }
  return blocks;
}

/** A signed transaction of an account that nobody else has. */
export function payment(account: string, nonce: number, dataBytes = 0, gasPrice = 10n): Uint8Array {
  const keys = signatures.keyPairFromSeed(sha256(encodeCbor(["drill", account])));
  const fields = {
    sender: keys.publicKey,
    recipient: keys.publicKey,
    value: 1n,
    gasPrice,
    gasLimit: 21_000,
    nonce,
    timestampMs: PARAMS.genesisTimestampMs,
    data: new Uint8Array(dataBytes),
  };
  return signTransaction(fields, keys.secretKey, signatures);
}

/** The same body under a signature that does not fit. */
export function withForgedSignature(transaction: Uint8Array): Uint8Array {
  const changed = transaction.slice();
  // The last bytes are the signature's.
  changed[changed.length - 2]! ^= 1;
  return changed;
}

/** What the honest peers hold at the start: small blocks, then large ones. */
export function drillChain(): readonly DrillBlock[] {
  const blocks: DrillBlock[] = [];
  for (let i = 0; i < SMALL_BLOCKS + LARGE_BLOCKS; i++) {
    const transactions =
      i < SMALL_BLOCKS
        ? [payment("small", i)]
        : Array.from({ length: LARGE_TRANSACTIONS }, (_, index) =>
            payment(`large ${index}`, i, LARGE_DATA_BYTES),
          );
    blocks.push(blockOn(blocks.at(-1)?.header ?? GENESIS, { transactions }));
  }
  return blocks;
}
