import { cp, mkdir, mkdtemp, open, readFile, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { openLmdbStores, readLmdbStores } from "../../src/storage/lmdb-environment.js";
import { AT_START, checkFiles, EVERYTHING } from "../../src/storage/lmdb-files.js";
import { seededRandom } from "../../src/runtime/random.js";
import { rootPageOf } from "../support/lmdb-root.js";
import { extension, GENESIS, makeBlock } from "./chain-model.js";

const PAGE = 4_096;
const BLOCKS = 400;
let home: string;
/** A store with blocks on pages of their own, and free pages among the others. */
let sound: string;

test.before(async () => {
  home = await mkdtemp(join(tmpdir(), "vibecoin-pages-"));
  sound = join(home, "sound");
  const stores = await openLmdbStores({ directory: sound, genesis: GENESIS });
  for (let i = 0; i < BLOCKS; i++) {
    const block = makeBlock(stores.blocks.head(), "b", i % 3 === 0 ? 6_000 : 300);
    const committed = stores.blocks.commit(extension([block]));
    if (i % 20 === 0) await committed;
  }
  await stores.blocks.prune(BLOCKS / 2);
  await stores.close();
  // Small commits move what lies on the last page to one that was freed.
  const again = await openLmdbStores({ directory: sound, genesis: GENESIS });
  const peerId = "ab".repeat(32);
  const ban = { untilWallMs: 1, reason: "test" };
  for (let count = 1; count <= 3; count++)
    await again.peers.put({ peerId, ban: { ...ban, count } });
  await again.close();
});

test.after.always(() => rm(home, { recursive: true }));

async function copyOf(name: string): Promise<string> {
  const directory = join(home, name);
  await mkdir(directory);
  await cp(join(sound, "data.mdb"), join(directory, "data.mdb"));
  return directory;
}

async function overwrite(directory: string, page: number, bytes: Uint8Array): Promise<void> {
  const file = await open(join(directory, "data.mdb"), "r+");
  await file.write(bytes, 0, bytes.length, page * PAGE);
  await file.close();
}

/** What the check says; undefined: nothing is wrong. */
async function verdict(directory: string, options = EVERYTHING): Promise<string | undefined> {
  return checkFiles(directory, options).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

test("a sound store passes, whatever was freed in it", async (t) => {
  t.is(await verdict(sound), undefined);
  t.is(await verdict(sound, AT_START), undefined);
});

test("every page that is overwritten is found, or holds nothing but a value", async (t) => {
  const pages = (await stat(join(sound, "data.mdb"))).size / PAGE;
  const original = await readFile(join(sound, "data.mdb"));
  const directory = await copyOf("overwritten");
  const random = seededRandom("pages");
  let found = 0;
  for (let page = 0; page < pages; page++) {
    await overwrite(directory, page, page % 2 === 0 ? random.bytes(PAGE) : new Uint8Array(PAGE));
    // What nobody objects to stays overwritten.
    if ((await verdict(directory)) === undefined) continue;
    found++;
    await overwrite(directory, page, original.subarray(page * PAGE, (page + 1) * PAGE));
  }
  t.true(found > pages / 5, `${found} of ${pages}`);
  const stores = await readLmdbStores({ directory, genesis: GENESIS });
  stores.blocks.invariants();
  await stores.close();
});

test("a file that was cut is refused, unless nothing was there", async (t) => {
  const directory = await copyOf("cut");
  const original = await readFile(join(directory, "data.mdb"));
  const size = original.length;
  const says = { code: "DATA_CORRUPT", message: /is damaged: .* Put a copy in its place/ };
  for (const left of [rootPageOf(original) * PAGE, size / 2, 3 * PAGE]) {
    await cp(join(sound, "data.mdb"), join(directory, "data.mdb"));
    await truncate(join(directory, "data.mdb"), left);
    const opening = openLmdbStores({ directory, genesis: GENESIS });
    await t.throwsAsync(opening, says, `${left} of ${size} bytes`);
  }
  for (const lost of [PAGE, 20 * PAGE, 100_000]) {
    await cp(join(sound, "data.mdb"), join(directory, "data.mdb"));
    await truncate(join(directory, "data.mdb"), size - lost);
    // Whether these pages were free depends on how the commits met.
    if ((await verdict(directory, AT_START)) !== undefined) continue;
    const stores = await openLmdbStores({ directory, genesis: GENESIS });
    stores.blocks.invariants();
    await stores.blocks.commit(extension([makeBlock(stores.blocks.head(), "c", 6_000)]));
    await stores.close();
  }
});

test("a walk ends after as many pages as it may read", async (t) => {
  const directory = await copyOf("bounded");
  const original = await readFile(join(directory, "data.mdb"));
  const root = rootPageOf(original);
  for (let page = 2; page < original.length / PAGE; page++) {
    if (page !== root) await overwrite(directory, page, new Uint8Array(PAGE));
  }
  t.is(await verdict(directory, { ...AT_START, pagesMax: 1 }), undefined);
  t.not(await verdict(directory, { ...AT_START, pagesMax: 2 }), undefined);
});

test("a directory that is only read is left as it is, and takes no writes", async (t) => {
  const directory = await copyOf("read");
  const before = await readFile(join(directory, "data.mdb"));
  const stores = await readLmdbStores({ directory, genesis: GENESIS });
  stores.blocks.invariants();
  t.is(stores.blocks.head().height, BLOCKS);
  const block = makeBlock(stores.blocks.head(), "next");
  await t.throwsAsync(stores.blocks.commit(extension([block])), { code: "STORE_FAILED" });
  await stores.close();
  t.true((await readFile(join(directory, "data.mdb"))).equals(before));
});
