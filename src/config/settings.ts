// Every setting, in the order of docs/configuration.md. Data only: an actor that is embedded alone
// has its defaults from here without loading a schema.

import type { ValuesOf } from "./setting.js";
import { CHAIN } from "./settings/chain.js";
import { LIMITS } from "./settings/limits.js";
import { LOAD } from "./settings/load.js";
import { HOST, NODE } from "./settings/node.js";
import { DIALS } from "./settings/dials.js";
import { EXCHANGE } from "./settings/exchange.js";
import { PEERS } from "./settings/peers.js";
import { REPUTATION } from "./settings/reputation.js";
import { RATES } from "./settings/rates.js";

export const SETTINGS = {
  ...NODE,
  ...PEERS,
  ...REPUTATION,
  ...DIALS,
  ...RATES,
  ...EXCHANGE,
  ...LIMITS,
  ...LOAD,
  ...CHAIN,
  ...HOST,
} as const;

/** The whole configuration, deeply frozen and structured-cloneable. */
export type NetworkConfig = ValuesOf<typeof SETTINGS>;
