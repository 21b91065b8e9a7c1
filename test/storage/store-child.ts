// A process of the storage tests: opens the directory it is given and, by its second argument,
// holds it, or commits numbered blocks until it is killed or the disk is full. It prints a line
// for each acknowledged block; the parent counts on nothing else.

import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { isCoded } from "../../src/errors.js";
import { bytesOf, extension, GENESIS, makeBlock } from "./chain-model.js";

const [directory, task] = process.argv.slice(2) as [string, string];

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const stores = await openLmdbStores({ directory, genesis: GENESIS });
print("open");

/** One block, its transaction and its state in one turn: all of it or nothing may survive. */
function commitNext(): { readonly height: number; readonly committed: Promise<unknown> } {
  const block = makeBlock(stores.blocks.head(), "b", 20_000);
  const { height, hash: blockHash } = block.header;
  const value = bytesOf(String(height));
  const state = ["tip", `at ${height}`, `slot ${height % 7}`];
  const writes = state.map((key) => ({ key: bytesOf(key), value }));
  const transactionIds = new Uint8Array(Buffer.from(blockHash, "hex"));
  const committed = Promise.all([
    stores.blocks.commit(extension([block], writes)),
    stores.transactions.connect({ blockHash, height, transactionIds }),
  ]);
  return { height, committed };
}

if (task === "hold") {
  setInterval(() => undefined, 60_000);
} else {
  let unacknowledged = 0;
  let failed = false;
  while (!failed) {
    const { height, committed } = commitNext();
    unacknowledged += 1;
    void committed.then(
      () => {
        unacknowledged -= 1;
        print(String(height));
      },
      (error: unknown) => {
        failed = true;
        if (isCoded(error)) print(error.code);
      },
    );
    // Keeps some groups in flight and some waiting.
    while (unacknowledged > 20 && !failed) await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
  await stores.blocks.prune(1).catch((error: unknown) => print(`then ${String(error)}`));
  await stores.close();
  print("closed");
}
