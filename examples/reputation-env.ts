// The environment of a reputation actor that lives in a thread: made in that thread, from options
// that can be cloned.
import { DEFAULTS, type PeerId, type ReputationEnv } from "vibecoin-network/actors";
import type { ThreadEnvFactory } from "vibecoin-network/runtime";

export interface EnvOptions {
  readonly trustedPeers: readonly PeerId[];
}

export const createReputationEnv: ThreadEnvFactory<ReputationEnv> = (options, { clock }) => ({
  clock,
  config: { reputation: DEFAULTS.reputation, ...(options as EnvOptions) },
  health: { loopDelayMs: () => 0 },
  log: { write: () => {} },
});
