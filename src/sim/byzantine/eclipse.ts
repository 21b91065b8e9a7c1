// Script: one host with an identity for every connection takes the inbound slots of one victim, and
// keeps from it what happens in the network. Several such hosts have the same victim.

import type { ChainHead } from "../../protocol/types/node-info.js";
import type { Served } from "./chain-view.js";
import { headOf } from "./chain-view.js";
import type { ByzantineScript } from "./script.js";

const CONNECTIONS = 16;

export const eclipse: ByzantineScript = {
  name: "eclipse",
  behave({ book, targets }) {
    const genesis = book.at(0)!;
    const chain: Served = {
      head: genesis,
      at: (height) => (height === 0 ? genesis : undefined),
      get: (hash) => (hash === genesis.header.hash ? genesis : undefined),
    };
    return {
      dialsMax: CONNECTIONS,
      manyIdentities: true,
      victims: targets.slice(-1),
      head: (): ChainHead => headOf(genesis),
      chain: () => chain,
    };
  },
};
