// What a node takes from its consensus before it starts, and the checks that such parts fit together.

import { equalBytes } from "../bytes/compare.js";
import { createPowConsensus } from "../chain/consensus.js";
import { createMempool } from "../chain/mempool.js";
import { NETWORKS } from "../chain/networks.js";
import type { ChainParams } from "../chain/params.js";
import { powRulesModule } from "../chain/rules.js";
import { readTransaction } from "../chain/transaction.js";
import type { NetworkConfig } from "../config.js";
import { atOnce, CodedError, errorText, isCoded } from "../errors.js";
import type { BlockStore, Consensus, Mempool, StoredBlock, TxStore } from "../ports.js";
import { KINDS } from "../protocol/types/message.js";
import type { HashHex } from "../types/chain.js";

export function networkParams(name: string): ChainParams {
  const params = NETWORKS.get(name);
  if (params !== undefined) return params;
  const known = [...NETWORKS.keys()].join(", ");
  throw new CodedError("CONFIG_INVALID", `network ${name} is unknown: this node knows ${known}`);
}

/** The genesis block as stores are opened with it. Throws CONFIG_INVALID when it cannot be read. */
export function genesisOf({ rules, genesis }: Consensus): StoredBlock {
  const refuse = (why: string, cause?: unknown): CodedError => {
    const sentence = `the genesis block of the consensus cannot be read by its own rules: ${why}`;
    return new CodedError("CONFIG_INVALID", sentence, { cause });
  };
  try {
    const parts = rules.splitBlock(genesis);
    if (!parts.ok) throw refuse(parts.fault.detail);
    const header = rules.readHeader(parts.value.header);
    if (!header.ok) throw refuse(header.fault.detail);
    return { header: header.value, headerBytes: parts.value.header, bytes: genesis };
  } catch (error) {
    throw isCoded(error) ? error : refuse(errorText(error), error);
  }
}

/** Throws CONFIG_INVALID when a caller's store holds another chain. */
export function checkStore(store: BlockStore, { header: { hash } }: StoredBlock): void {
  const stored = firstHash(store);
  if (stored === hash) return;
  const holds =
    stored === undefined ? "no genesis block" : `another chain: its genesis is ${stored}`;
  const sentence = `the block store holds ${holds}, that of the consensus is ${hash}`;
  throw new CodedError("CONFIG_INVALID", sentence);
}

/** A store whose reads are promises would fail the actors one by one, and again after each restart. */
function firstHash(store: BlockStore): HashHex | undefined {
  return readOf("block store", () => atOnce(store.hashAt(0)));
}

/** Throws CONFIG_INVALID when a caller's index does not say how far it is. */
export function checkIndex(index: TxStore): void {
  readOf("transaction store", () => {
    const height = atOnce(index.indexedHeight());
    if (!Number.isSafeInteger(height) || height < -1) throw new TypeError("its height is none");
  });
}

function readOf<T>(part: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const sentence = `the ${part} cannot be read: ${errorText(cause)}`;
    throw new CodedError("CONFIG_INVALID", sentence, { cause });
  }
}

/** What a message of blocks holds of one: its heads take up to seven bytes. */
const BLOCK_BYTES_MAX = KINDS.ResponseBlockRange.payloadBytesMax - 7;

/** Throws CONFIG_INVALID: blocks could not be sent, or a producer not tell what fits into one. */
export function checkBlockBytes({ blockBytesMax, envelopeBytesMax = 0 }: Consensus): void {
  if (!isWithin(blockBytesMax, 1, BLOCK_BYTES_MAX)) {
    throw new CodedError(
      "CONFIG_INVALID",
      `blockBytesMax of the consensus is ${blockBytesMax}: it must be a whole number of bytes ` +
        `from 1 to ${BLOCK_BYTES_MAX}, which is what a message holds`,
    );
  }
  if (isWithin(envelopeBytesMax, 0, blockBytesMax - 1)) return;
  throw new CodedError(
    "CONFIG_INVALID",
    `envelopeBytesMax of the consensus is ${envelopeBytesMax}: it must be a whole number of bytes ` +
      `from 0 to below blockBytesMax, which is ${blockBytesMax}`,
  );
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

/**
 * For the default transactions, by the constants of their chain. Throws CONFIG_INVALID for a chain
 * with others: it brings a mempool of its own.
 */
export function defaultMempool(
  config: NetworkConfig,
  consensus: Consensus = createPowConsensus(networkParams(config.network)),
): Mempool {
  const params = paramsOf(consensus, config.network);
  return createMempool(config.mempool, (bytes) => readTransaction(bytes, params));
}

/** The constants of a chain with the default transactions. */
function paramsOf({ rulesModule, genesis }: Consensus, network: string): ChainParams {
  const shipped = powRulesModule(networkParams(network));
  if (
    rulesModule.moduleUrl === shipped.moduleUrl &&
    rulesModule.exportName === shipped.exportName
  ) {
    return rulesModule.options as ChainParams;
  }
  // Rules of its own over the network's own transactions.
  const params = networkParams(network);
  if (equalBytes(genesis, createPowConsensus(params).genesis)) return params;
  const sentence =
    `a consensus with rules of its own needs a mempool of its own: the default one takes ` +
    `transactions of ${network} alone`;
  throw new CodedError("CONFIG_INVALID", sentence);
}
