// What of an address book is left when its process is killed in the middle of writing, and when a page
// of it is torn.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { AddressBook } from "../../src/actors/peer/address-book.js";
import type { AddressPage } from "../../src/ports.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { temporaryDirectory } from "../cli/child.js";
import { startTestNode } from "../node/nodes.js";
import { GENESIS, learn, newBook } from "./address-rounds.js";

const CHILD = fileURLToPath(new URL("./address-child.js", import.meta.url));

/** Kills a process that writes after so many rounds, in the middle of what follows: how many it told. */
async function killedAfter(rounds: number, directory: string): Promise<number> {
  const child = spawn(process.execPath, [CHILD, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  let told = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    told = Number(line);
    if (told === rounds) child.kill("SIGKILL");
  }
  const [, signal] = (await ended) as [number | null, string | null];
  return signal === "SIGKILL" ? told : 0;
}

async function pagesIn(directory: string): Promise<readonly AddressPage[]> {
  const stores = await openLmdbStores({ directory, genesis: GENESIS });
  const pages = stores.peers.addresses!.pages();
  await stores.close();
  return pages;
}

function restored(pages: readonly AddressPage[]): AddressBook {
  const book = newBook();
  for (const { name, text } of pages) book.restore(name, text);
  book.invariants();
  return book;
}

const addressesIn = (book: AddressBook): string[] => [...book.all()].map(({ address }) => address);

for (const rounds of [1, 7, 40]) {
  test(`what was written before a kill in round ${rounds + 1} is known again`, async (t) => {
    t.timeout(60_000);
    const directory = await temporaryDirectory(t);
    const told = await killedAfter(rounds, directory);
    t.true(told >= rounds, `${told}`);
    const before = newBook();
    for (let round = 1; round <= told; round++) learn(before, round);
    const book = restored(await pagesIn(directory));
    const known = new Set(addressesIn(book));
    t.deepEqual(
      addressesIn(before).filter((address) => !known.has(address)),
      [],
    );
    for (const { address, isTried, peerId } of before.all()) {
      const again = [...book.all()].find((one) => one.address === address);
      t.deepEqual([again?.isTried, again?.peerId], [isTried, peerId], address);
    }
  });
}

test("a torn page costs its own addresses, a node starts on it, and writes it anew", async (t) => {
  t.timeout(60_000);
  const directory = await temporaryDirectory(t);
  await killedAfter(20, directory);
  const pages = await pagesIn(directory);
  const whole = restored(pages);
  const torn = pages.filter(({ name }) => name.startsWith("tried-")).slice(0, 2);
  const stores = await openLmdbStores({ directory, genesis: GENESIS });
  await stores.peers.addresses!.write([
    { name: torn[0]!.name, text: torn[0]!.text.slice(0, torn[0]!.text.length / 2) },
    { name: torn[1]!.name, text: `${torn[1]!.text.slice(0, 40)}\u0000\ufffd]` },
  ]);
  await stores.close();
  const damaged = restored(await pagesIn(directory));
  const lost = new Set(addressesIn(whole));
  for (const address of addressesIn(damaged)) t.true(lost.delete(address));
  const own = torn.flatMap(({ text }) => JSON.parse(text) as readonly string[][]);
  t.deepEqual([...lost].sort(), own.map(([address]) => address!).sort());

  const node = await startTestNode(t, { dataDir: directory });
  t.is((await node.peers()).length, 0);
  await node.stop();
  for (const { name, text } of await pagesIn(directory)) {
    if (name !== "secret") t.notThrows(() => void JSON.parse(text), name);
  }
});
