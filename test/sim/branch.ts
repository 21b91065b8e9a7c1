// Branches of the simulator's chain as a script wants them: what chance alone would take long to
// come to. Nodes are given them as if they had made them.

import { sha256 } from "../../src/bytes/sha256.js";
import { encodeCbor } from "../../src/bytes/cbor.js";
import type { ChainParams } from "../../src/chain/params.js";
import { signTransaction } from "../../src/chain/transaction.js";
import type { SimNode, World } from "../../src/sim/index.js";
import { SIM_PARAMS, simChain } from "../../src/sim/chain.js";
import { fastSignatures } from "../../src/sim/signatures.js";
import { makeBlock, type MadeBlock } from "../support/chain.js";

/** So easy that one step of the difficulty is much of it. */
export const COARSE_PARAMS: ChainParams = { ...SIM_PARAMS, minDifficulty: 16n };

export const coarseChain = simChain({ params: COARSE_PARAMS });

export interface BranchOptions {
  /** The block that it begins on; absent: genesis. */
  readonly on?: MadeBlock | undefined;
  /** Whose transactions it holds, one a block. */
  readonly sender: number;
  /** Its blocks follow each other so fast that each is more difficult than the one before. */
  readonly soon?: boolean;
}

export function growBranch(count: number, { on, sender, soon = false }: BranchOptions) {
  const branch: MadeBlock[] = [];
  for (let nonce = 1; nonce <= count; nonce++) {
    const parent = (branch.at(-1) ?? on)?.header;
    const fields = soon && parent ? { timestampMs: parent.timestampMs + 1 } : {};
    const transactions = [payment(sender, nonce)];
    const made = { transactions, fields, params: COARSE_PARAMS };
    branch.push(makeBlock(parent === undefined ? made : { ...made, parent }));
  }
  return branch;
}

/** Resolves when the node has taken these blocks, which it is given one after the other. */
export async function give(world: World, node: SimNode, blocks: readonly MadeBlock[]) {
  for (const { bytes } of blocks) {
    node.network.broadcastBlock(bytes);
    await world.runFor(100);
  }
}

function payment(sender: number, nonce: number): Uint8Array {
  const key = fastSignatures.keyPairFromSeed(sha256(encodeCbor([sender])));
  const fields = {
    sender: key.publicKey,
    recipient: key.publicKey,
    value: 1n,
    gasPrice: 1n,
    gasLimit: 21_000,
    nonce,
    timestampMs: 0,
    data: new Uint8Array(),
  };
  return signTransaction(fields, key.secretKey, fastSignatures);
}
