// How long an address rests after a dial or a connection that ended: exponential backoff with full
// jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"). Pure.

import type { NetworkConfig } from "../../config.js";

export interface Backoff {
  readonly failures: number;
  /** Uniform in [0, 1). */
  readonly chance: number;
  /** There is no peer: nobody is left alone for long. */
  readonly alone: boolean;
}

export function backoffMs(
  { backoffMinMs, backoffMaxMs, backoffAloneMaxMs }: NetworkConfig["dial"],
  { failures, chance, alone }: Backoff,
): number {
  const maxMs = alone ? Math.min(backoffMaxMs, backoffAloneMaxMs) : backoffMaxMs;
  const ceilingMs = Math.min(maxMs, backoffMinMs * 2 ** Math.min(failures, 32));
  return Math.max(backoffMinMs, chance * ceilingMs);
}
