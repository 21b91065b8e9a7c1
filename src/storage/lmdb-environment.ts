// The data directory: locks it, opens it, checks that it is ours, of this schema and of this
// chain, starts the writer thread and gives out the three stores. Used by the composition root.

import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Database, RootDatabase } from "lmdb";
import { CodedError, isCoded } from "../errors.js";
import { makeDirectory } from "../make-directory.js";
import type { Clock, StoredBlock } from "../ports.js";
import { threadModule } from "../thread-module.js";
import { putGenesis } from "./block-store.js";
import { checkUnlocked, lockDirectory } from "./directory-lock.js";
import { checkAddresses, checkRoom } from "./disk-room.js";
import type { Disk } from "./disk-watch.js";
import { AT_START, checkFiles, EVERYTHING } from "./lmdb-files.js";
import { LmdbKeyValue } from "./lmdb-key-value.js";
import { Damage } from "./lmdb-layout.js";
import { openEnvironment, openTextTables } from "./lmdb-open.js";
import { damaged, readOnlyEngine, saysDamaged } from "./lmdb-reader.js";
import type { WriterData } from "./lmdb-writer.js";
import { storesOn, type Stores } from "./stores.js";
import { Table, TABLE_SPECS } from "./tables.js";
import { FORMAT_KEY, isKnown, SCHEMA, upgrade, writeFormat, type Format } from "./upgrade.js";

const MAP_SIZE_BYTES = 2 ** 38;

export interface LmdbStoresOptions {
  /** Created when it does not exist; may hold other files, but not another LMDB environment. */
  readonly directory: string;
  readonly genesis: StoredBlock;
  /** Address space to reserve; beyond it the map grows in steps. Default 256 GiB; takes no memory. */
  readonly mapSizeBytes?: number;
  /** Lets commits of a busy time wait for each other, up to 50 ms, which saves CPU time. */
  readonly clock?: Pick<Clock, "setTimer">;
}

export interface LmdbStores extends Stores {
  readonly disk: Disk;
}

type MetaTable = Database<Buffer, string>;

/**
 * Rejects with DATA_LOCKED (another process or thread holds the directory), DATA_UNREADABLE (no
 * directory, no rights, damaged, not ours, a newer schema), CONFIG_INVALID (another chain's
 * genesis) or DATA_CORRUPT (the head is missing).
 */
export async function openLmdbStores(options: LmdbStoresOptions): Promise<LmdbStores> {
  const directory = await realDirectory(options.directory);
  const undoSteps: (() => unknown)[] = [];
  try {
    return await openDirectory(directory, options, undoSteps);
  } catch (error) {
    for (const step of undoSteps.reverse()) await step();
    throw coded(directory, error);
  }
}

/** Leaves in `undoSteps` what is to be undone, last step first, when it throws. */
async function openDirectory(
  directory: string,
  { genesis, clock, mapSizeBytes = MAP_SIZE_BYTES }: LmdbStoresOptions,
  undoSteps: (() => unknown)[],
): Promise<LmdbStores> {
  const writerData: WriterData = { directory, mapSizeBytes };
  checkRoom(directory, mapSizeBytes);
  // Before LMDB: it tells its readers apart by process id, which two containers may share.
  const lock = await lockDirectory(directory);
  undoSteps.push(() => lock.release());
  await checkFiles(directory, AT_START);
  const root = openEnvironment(writerData);
  undoSteps.push(() => root.close());
  checkOurs(directory, root);
  const tables = openTextTables(root);
  const meta = tables[Table.meta]!;
  const found = checkFormat(directory, meta, genesis);
  if (found !== undefined) upgrade(root, tables, found);
  // What is written before the thread runs waits in its port; should it not start, the engine fails.
  const writer = new Worker(threadModule("./lmdb-writer.js", import.meta.url), {
    workerData: writerData,
  });
  const parts = { directory, root, tables, writer, clock, afterClose: () => lock.release() };
  const engine = new LmdbKeyValue(parts);
  undoSteps.splice(0, undoSteps.length, () => engine.close());
  if (found === undefined) {
    const format: Format = { schema: SCHEMA, genesis: genesis.header.hash };
    putGenesis(engine, genesis);
    engine.put(Table.meta, FORMAT_KEY, writeFormat(format));
    await engine.durable();
  }
  const files = [directory, lock.file, join(directory, "lock.mdb"), join(directory, "data.mdb")];
  const disk: Disk = {
    files,
    inHand: () => engine.groupInHand(),
    fail: (detail) => engine.failWriting(detail),
  };
  return { ...storesOn(engine, engine.started, engine.failed), disk };
}

/**
 * Opens what is there for reading alone, after a look at every page of it: nothing is written, and
 * a read-only medium will do. Rejects like `openLmdbStores`.
 */
export async function readLmdbStores(
  options: Pick<LmdbStoresOptions, "directory" | "genesis">,
): Promise<Stores> {
  const { directory, genesis } = options;
  let root: RootDatabase | undefined;
  try {
    checkAddresses(MAP_SIZE_BYTES);
    await checkUnlocked(directory);
    await checkFiles(directory, EVERYTHING);
    root = openEnvironment({ directory, mapSizeBytes: MAP_SIZE_BYTES, readOnly: true });
    const close = root.close.bind(root);
    checkOurs(directory, root);
    const tables = openTextTables(root);
    const meta = tables[Table.meta]!;
    if (checkFormat(directory, meta, genesis) === undefined) {
      throw unreadable(directory, "it holds no chain");
    }
    return storesOn(readOnlyEngine(directory, tables, close));
  } catch (error) {
    await root?.close();
    throw coded(directory, error);
  }
}

/** The real path, so that two names of one directory are one. */
async function realDirectory(path: string): Promise<string> {
  try {
    await makeDirectory(path);
    return await realpath(path);
  } catch (error) {
    throw unreadable(path, (error as Error).message, error);
  }
}

function checkOurs(directory: string, root: RootDatabase): void {
  const names = [...root.getKeys({ start: Buffer.from([0]) })].map(nameOfTable);
  const ours = new Set(TABLE_SPECS.map(({ name }) => name));
  const foreign = names.find((name) => !ours.has(name));
  if (foreign === undefined) return;
  throw unreadable(directory, `it is an LMDB environment of something else (table ${foreign})`);
}

/** lmdb ends the names of its tables with a zero byte. */
function nameOfTable(key: unknown): string {
  return String(key).replace(/\0$/, "");
}

/** Undefined: the directory is new, nothing was ever committed to it. */
function checkFormat(directory: string, meta: MetaTable, genesis: StoredBlock): Format | undefined {
  const bytes = meta.get(FORMAT_KEY);
  if (!bytes) return undefined;
  const format = JSON.parse(bytes.toString()) as Format;
  if (!isKnown(format.schema)) {
    const detail = `its schema is ${format.schema} and this version reads up to ${SCHEMA}`;
    throw unreadable(directory, detail);
  }
  if (format.genesis === genesis.header.hash) return format;
  throw new CodedError(
    "CONFIG_INVALID",
    `The data directory ${directory} holds another chain: its genesis is ${format.genesis}, ` +
      `the configured one is ${genesis.header.hash}.`,
  );
}

function unreadable(directory: string, detail: string, cause?: unknown): CodedError {
  const message = `The data directory ${directory} cannot be used: ${detail}.`;
  return new CodedError("DATA_UNREADABLE", message, { cause });
}

function coded(directory: string, error: unknown): CodedError {
  if (isCoded(error)) return error;
  const { message } = error as Error;
  const isDamage = error instanceof Damage || saysDamaged(message);
  return (isDamage ? damaged : unreadable)(directory, message, error);
}
