// What a node's mempool must not have forgotten, in words.

import { DEFAULTS, type NetworkConfig } from "../config.js";
import type { ChainView, Mempool } from "../ports.js";
import type { ActorSystem } from "../runtime/actor-system.js";
import type { HashHex } from "../types/chain.js";
import type { KeptAuditor } from "./kept-auditor.js";
import type { MempoolWatch, RefillAuditor } from "./refill-auditor.js";

/** Of a node between its start and its end. */
interface Life {
  readonly blocks: ChainView;
  readonly mempool: Mempool;
  /** Blocks that left its chain. */
  readonly abandoned: readonly HashHex[];
  readonly watch: MempoolWatch;
  readonly system: Pick<ActorSystem<never>, "figures">;
}

/**
 * What left its chain in this life and may still come in again waits in its mempool; or was given
 * to it again, where it had no room.
 */
export function forgottenOf(
  { blocks, abandoned, mempool, watch }: Life,
  { mempool: limits }: NetworkConfig,
  refill: RefillAuditor,
): string | undefined {
  const full = mempool.count >= limits.countMax || mempool.bytes >= limits.bytesMax;
  const crowded = full || limits.perSenderMax < DEFAULTS.mempool.perSenderMax;
  const has = (id: HashHex): boolean =>
    mempool.has(id) || watch.stale.has(id) || (crowded && watch.offered.has(id));
  const lost = refill.lost(abandoned, blocks, { has });
  return lost === undefined ? undefined : `transaction ${lost} of an abandoned block is forgotten`;
}

/** What was kept of its mempool when it ended was given to that of its next start, if there is one. */
export function forgottenKept(kept: KeptAuditor, { watch, system }: Life): string | undefined {
  const isThere = system.figures().some(({ path }) => path.endsWith("/network/mempool"));
  const lost = isThere ? kept.lost(watch.given) : undefined;
  return lost === undefined ? undefined : `transaction ${lost} was kept, and is forgotten`;
}
