// The chain of a simulation: rules and mempool, the default ones so easy that a search costs next to
// nothing.

import { createPowConsensus } from "../chain/consensus.js";
import { encodeHeader, readHeader } from "../chain/header.js";
import { createMempool } from "../chain/mempool.js";
import { NETWORKS } from "../chain/networks.js";
import type { ChainParams } from "../chain/params.js";
import { readTransaction } from "../chain/transaction.js";
import type { NetworkConfig } from "../config.js";
import { invariant } from "../errors.js";
import type { Consensus, Mempool } from "../ports.js";
import type { HashHex, VerifySignature } from "../types/chain.js";
import { PowReference } from "./pow-reference.js";

/** Says of stored blocks, in the order in which nodes first store them, what is wrong. */
export interface ChainReference {
  audit(block: Uint8Array, wallMs: number): string | undefined;
  auditHead(before: HashHex, after: HashHex): string | undefined;
}

/** A chain developer's own rules and mempool. */
export interface SimChain {
  /** A second implementation of the rules, which the auditor holds the nodes' against. */
  readonly reference?: (verify: VerifySignature) => ChainReference;
  readonly consensus: Consensus;
  readonly mempool: (config: NetworkConfig) => Mempool;
  /** Of the default chain; absent: it is another one. */
  readonly params?: ChainParams;
}

/** The development network, at a difficulty that costs next to nothing. */
export const SIM_PARAMS: ChainParams = Object.freeze({
  ...devParams(),
  name: "vibecoin-sim",
  minDifficulty: 64n,
});

/** What may be different in the default chain. */
export interface ChainChanges {
  readonly params?: Partial<ChainParams>;
  /** Every block that a node makes has so many in the extra field of its header. */
  readonly extraBytes?: number;
}

/** The default chain, with changes. */
export function simChain({ params: changed = {}, extraBytes = 0 }: ChainChanges = {}): SimChain {
  const params = { ...SIM_PARAMS, ...changed };
  const consensus = createPowConsensus(params);
  return {
    params,
    consensus: extraBytes === 0 ? consensus : withExtra(consensus, extraBytes),
    reference: (verify) => new PowReference(params, verify, consensus.genesis),
    mempool: (config) => createMempool(config.mempool, (bytes) => readTransaction(bytes, params)),
  };
}

const EXTRA_HEAD_BYTES_MAX = 3;

function withExtra(consensus: Consensus, extraBytes: number): Consensus {
  const extra = new Uint8Array(extraBytes);
  return {
    ...consensus,
    envelopeBytesMax: (consensus.envelopeBytesMax ?? 0) + EXTRA_HEAD_BYTES_MAX + extraBytes,
    template(parent, transactions, nowMs) {
      const parts = consensus.template(parent, transactions, nowMs);
      if (parts === undefined || !("header" in parts)) return parts;
      const header = readHeader(parts.header);
      invariant(header.ok, "a template has a header");
      return { ...parts, header: encodeHeader({ ...header.value, extra }) };
    },
  };
}

export const SIM_CHAIN: SimChain = simChain();

function devParams(): ChainParams {
  const params = NETWORKS.get("vibecoin-dev");
  invariant(params !== undefined, "the development network has a name");
  return params;
}
