// A caller's own consensus may throw at a block. That costs the block, with a fault that blames
// nobody, in place of the one writer of the chain and with it the network.

import { errorText } from "../../errors.js";
import { fault } from "../../chain/faults.js";
import type { Consensus } from "../../ports.js";

export function connectBlock(
  consensus: Consensus,
  ...args: Parameters<Consensus["connect"]>
): ReturnType<Consensus["connect"]> {
  try {
    return consensus.connect(...args);
  } catch (error) {
    return fault("consensus-failed", `connect threw: ${errorText(error)}`);
  }
}
