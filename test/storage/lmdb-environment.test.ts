import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import test from "ava";
import { open as openLmdb, type RootDatabase } from "lmdb";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { LmdbKeyValue } from "../../src/storage/lmdb-key-value.js";
import type { Stores } from "../../src/storage/stores.js";
import { bytesOf, extension, GENESIS, makeBlock } from "./chain-model.js";
import { storeContract } from "./contract.js";

const CHILD = fileURLToPath(new URL("./store-child.js", import.meta.url));
const directories: string[] = [];

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "vibecoin-store-"));
  directories.push(directory);
  return directory;
}

function openAt(directory: string): Promise<Stores> {
  return openLmdbStores({ directory, genesis: GENESIS });
}

/** Yields the child's lines; the generator's end is the child's. */
function start(
  directory: string,
  task: string,
  shellPrefix = "",
): [ChildProcess, AsyncIterator<string>] {
  const command = `${shellPrefix} exec "${process.execPath}" "${CHILD}" "${directory}" ${task}`;
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["ignore", "pipe", "ignore"] });
  return [child, createInterface({ input: child.stdout })[Symbol.asyncIterator]()];
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

test.after.always(async () => {
  for (const directory of directories) await rm(directory, { recursive: true });
});

const directoryOf = new Map<Stores, string>();

async function openTracked(directory: string): Promise<Stores> {
  const stores = await openAt(directory);
  directoryOf.set(stores, directory);
  return stores;
}

storeContract(test, {
  open: async () => openTracked(await newDirectory()),
  reopen: async (stores) => {
    await stores.close();
    return openTracked(directoryOf.get(stores)!);
  },
  settle: () => undefined,
  runs: 15,
});

test("a directory is held by one process at a time, and freed by its death", async (t) => {
  const directory = await newDirectory();
  const [child, lines] = start(directory, "hold");
  t.is((await lines.next()).value, "open");
  const error = await t.throwsAsync(openAt(directory), { code: "DATA_LOCKED" });
  t.true(error.message.includes(directory) && error.message.includes(String(child.pid)));
  await kill(child);
  const stores = await openAt(directory);
  await stores.close();
});

test("a directory is held by one opening of a process at a time", async (t) => {
  const directory = await newDirectory();
  const stores = await openAt(directory);
  await t.throwsAsync(openAt(`${directory}/.`), { code: "DATA_LOCKED", message: /this process/ });
  t.is(stores.blocks.head().height, 0);
  await stores.close();
  await (await openAt(directory)).close();
});

test("a directory is freed by the death of the thread that held it", async (t) => {
  const directory = await newDirectory();
  const worker = new Worker(CHILD, { argv: [directory, "hold"], stdout: true });
  await once(worker.stdout, "data");
  await t.throwsAsync(openAt(directory), { code: "DATA_LOCKED" });
  await worker.terminate();
  const stores = await openAt(directory);
  t.is(stores.blocks.head().height, 0);
  await stores.close();
});

test("what was acknowledged survives kill -9 at any moment, whole", async (t) => {
  const directory = await newDirectory();
  for (const acknowledgements of [1, 17, 90, 41]) {
    const [child, lines] = start(directory, "commit");
    t.is((await lines.next()).value, "open");
    let last = 0;
    for (let i = 0; i < acknowledgements; i++) last = Number((await lines.next()).value);
    await kill(child);
    for (let line = await lines.next(); !line.done; line = await lines.next()) {
      last = Number(line.value);
    }
    const { blocks, transactions, close } = await openAt(directory);
    const { height, hash } = blocks.head();
    t.true(height >= last, `acknowledged ${last}, found ${height}`);
    blocks.invariants();
    t.deepEqual(blocks.state(bytesOf("tip")), bytesOf(String(height)));
    t.deepEqual(blocks.state(bytesOf(`at ${height}`)), bytesOf(String(height)));
    t.is(blocks.state(bytesOf(`at ${height + 1}`)), undefined);
    t.deepEqual(blocks.undo(hash), bytesOf(`u${hash}`));
    t.is(transactions.indexedHeight(), height);
    t.deepEqual(transactions.locate(new Uint8Array(Buffer.from(hash, "hex"))), {
      blockHash: hash,
      index: 0,
    });
    await close();
  }
});

test("a writer that cannot start fails the store, which can be closed all the same", async (t) => {
  const writer = new Worker("throw new Error('no disk')", { eval: true });
  let released = false;
  const engine = new LmdbKeyValue({
    directory: "nowhere",
    root: { close: () => Promise.resolve() } as RootDatabase,
    tables: [],
    writer,
    clock: undefined,
    afterClose: () => void (released = true),
  });
  await new Promise((resolve) => writer.once("exit", resolve));
  await t.throwsAsync(engine.started, { code: "STORE_FAILED", message: /no disk/ });
  await engine.close();
  t.true(released);
});

test("a full disk fails the store for good and loses nothing acknowledged", async (t) => {
  const directory = await newDirectory();
  await (await openAt(directory)).close();
  // A limit on the size of files, in blocks of 512 bytes: writes beyond it fail with EFBIG.
  const [child, lines] = start(directory, "commit", "ulimit -f 4000;");
  const exited = once(child, "exit");
  t.is((await lines.next()).value, "open");
  let acknowledged = 0;
  const rest: string[] = [];
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    if (/^\d+$/.test(line.value)) acknowledged = Number(line.value);
    else rest.push(line.value);
  }
  t.deepEqual(await exited, [0, null]);
  t.true(acknowledged > 0);
  t.is(rest[0], "STORE_FAILED");
  t.regex(rest.at(-2)!, /then CodedError: Writing to .* failed/);
  t.is(rest.at(-1), "closed");
  const { blocks, close } = await openAt(directory);
  t.true(blocks.head().height >= acknowledged);
  blocks.invariants();
  await blocks.commit(extension([makeBlock(blocks.head(), "more")]));
  await close();
});

test("a path that is no directory is refused by name", async (t) => {
  const path = join(await newDirectory(), "file");
  await writeFile(path, "text");
  const error = await t.throwsAsync(openAt(path), { code: "DATA_UNREADABLE" });
  t.true(error.message.includes(path));
});

test("a data file that is damaged is refused, and left as it was", async (t) => {
  const directory = await newDirectory();
  await (await openAt(directory)).close();
  const file = join(directory, "data.mdb");
  const good = await readFile(file);
  const half = Buffer.from(good).fill(0, 4_096, 8_192);
  const otherVersion = Buffer.from(good).fill(9, 28, 29);
  for (const bad of [Buffer.alloc(100_000, "garbage"), Buffer.from("x"), half, otherVersion]) {
    await writeFile(file, bad);
    await t.throwsAsync(openAt(directory), { code: "DATA_UNREADABLE", message: /data\.mdb/ });
    t.true((await readFile(file)).equals(bad));
  }
  await writeFile(file, good);
  await (await openAt(directory)).close();
});

test("files that cannot be opened are refused", async (t) => {
  for (const name of ["data.mdb", "lock.mdb"]) {
    const directory = await newDirectory();
    await mkdir(join(directory, name));
    await t.throwsAsync(openAt(directory), { code: "DATA_UNREADABLE", message: /EISDIR/ });
    await rm(join(directory, name), { recursive: true });
    await (await openAt(directory)).close();
  }
});

test("an LMDB environment of something else is refused", async (t) => {
  const directory = await newDirectory();
  const foreign = openLmdb({ path: directory, noSubdir: false });
  await foreign.openDB({ name: "accounts" }).put("a", 1);
  await foreign.close();
  await t.throwsAsync(openAt(directory), { code: "DATA_UNREADABLE", message: /accounts/ });
});

test("the store of another chain is refused with both genesis hashes", async (t) => {
  const directory = await newDirectory();
  await (await openAt(directory)).close();
  const header = { ...GENESIS.header, hash: "ab".repeat(32) };
  const other = openLmdbStores({ directory, genesis: { ...GENESIS, header } });
  const error = await t.throwsAsync(other, { code: "CONFIG_INVALID" });
  t.true(error.message.includes(header.hash) && error.message.includes(GENESIS.header.hash));
});

test("a newer schema is refused", async (t) => {
  const directory = await newDirectory();
  await (await openAt(directory)).close();
  const root = openLmdb({ path: directory, noSubdir: false, overlappingSync: false });
  const meta = root.openDB({ name: "meta", encoding: "binary", keyEncoding: "binary" });
  const format = JSON.stringify({ schema: 3, genesis: GENESIS.header.hash });
  await meta.put(Buffer.from("format"), Buffer.from(format));
  await root.close();
  await t.throwsAsync(openAt(directory), {
    code: "DATA_UNREADABLE",
    message: /schema is 3 and this version reads up to 2/,
  });
});
