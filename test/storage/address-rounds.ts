// An address book that learns the same in the same rounds, in whichever process.

import { AddressBook } from "../../src/actors/peer/address-book.js";
import { resolveConfig } from "../../src/config.js";
import { parseAddress, type Endpoint } from "../../src/protocol/address.js";
import { seededRandom } from "../../src/runtime/random.js";
import { genesisOf } from "../../src/compose.js";
import { peerIdOf } from "../actors/support.js";
import { consensus } from "../node/nodes.js";

/** Of the chain of test nodes. */
export const GENESIS = genesisOf(consensus);
export const SECRET = "ab".repeat(32);
const WALL_MS = 1_700_000_000_000;
const TOLD = 16;

export function newBook(): AddressBook {
  const random = seededRandom("rounds");
  const config = resolveConfig({});
  const float = (): number => random.float();
  return new AddressBook({ secret: SECRET, config, float, schemes: new Set(["tcp"]) });
}

/** Some more that is heard, and one of them is found. */
export function learn(book: AddressBook, round: number): void {
  const told: Endpoint[] = Array.from({ length: TOLD }, (_, index) =>
    parseAddress(`${20 + (round % 200)}.${round >> 8}.${round & 255}.${index + 1}:8765`),
  );
  book.learned(told, { host: `9.${round & 255}.9.9` }, WALL_MS);
  book.found(told[0]!, peerIdOf(round), WALL_MS + round);
}
