// The environment of a node with its ledger of memory, which is told too what those of its parts hold
// that are no actors and count themselves.

import { PENDING_CONNECTION_BYTES, SIGNATURE_BYTES } from "../config/memory-plan.js";
import { RELAY_KEY_BYTES } from "../protocol/kinds/relay.js";
import { GroupLimits } from "../protocol/session/group-limits.js";
import type { TransportHeld } from "../ports.js";
import type { NodeEnv } from "./env.js";
import { HeardTypes } from "./events/heard.js";
import { guardMempool } from "./integration/guarded-mempool.js";
import { leasedPool } from "./leased-pool.js";
import { MemoryLedger } from "./memory-ledger.js";
import { Throttle } from "./throttle/throttle.js";

const NOTHING: TransportHeld = { openBytes: 0, closingBytes: 0, pendingInbound: 0 };

/** An environment before anybody counts. */
export type NodeParts = Omit<NodeEnv, "memory" | "throttle" | "shortIdKey">;

/**
 * With what its actors share: a ledger, which pool jobs take leases of too, a throttle, what is counted
 * by address group, and the key of short ids, which outlives a restart of those who use it.
 */
export function accounted(parts: NodeParts): NodeEnv {
  const memory = ledgerOf(parts);
  const throttle = new Throttle(parts.config, parts.clock);
  const groups = new GroupLimits(parts.config);
  const shortIdKey = parts.random.bytes(RELAY_KEY_BYTES);
  const workers = leasedPool(parts.workers, memory);
  const heard = new HeardTypes();
  return { ...parts, memory, throttle, groups, shortIdKey, workers, heard };
}

function ledgerOf({ config, log, mempool, transports }: NodeParts): MemoryLedger {
  const memory = new MemoryLedger(config);
  const guarded = guardMempool(mempool, log);
  memory.read("mempool", () => guarded.bytes);
  memory.read("signatureCache", () => config.pool.signatureCacheEntries * SIGNATURE_BYTES);
  for (const transport of transports.values()) {
    const held = (): TransportHeld => transport.held?.() ?? NOTHING;
    memory.read("socketBuffers", () => held().openBytes);
    memory.read("closing", () => held().closingBytes);
    memory.read("pendingInbound", () => held().pendingInbound * PENDING_CONNECTION_BYTES);
  }
  return memory;
}
