// A process of the storage tests: its address book learns more, round after round, and what changed is
// written. It prints a line for each round that is stored; the parent counts on nothing else.

import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { GENESIS, learn, newBook, SECRET } from "./address-rounds.js";

const [directory] = process.argv.slice(2) as [string];
const { peers } = await openLmdbStores({ directory, genesis: GENESIS });
const book = newBook();
const store = peers.addresses!;
await store.write([{ name: "secret", text: SECRET }]);
for (let round = 1; ; round++) {
  learn(book, round);
  // In several commits, as a node writes them.
  while (book.hasChanged) await store.write(book.takeChanged(8));
  process.stdout.write(`${round}\n`);
}
