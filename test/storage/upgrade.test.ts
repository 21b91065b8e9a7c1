// A data directory of schema 1, as the former release writes it: opened, upgraded, read only, and what
// is left of it when the process ends in the middle.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { open as openLmdb, type RootDatabase } from "lmdb";
import { openLmdbStores, readLmdbStores } from "../../src/storage/lmdb-environment.js";
import { GENESIS } from "./chain-model.js";

const CHILD = fileURLToPath(new URL("./upgrade-child.js", import.meta.url));
const directories: string[] = [];
const PEERS = ["0c", "ab", "ff"].map((byte) => byte.repeat(32));
const ban = { untilWallMs: 1e12, reason: "InvalidBlock: root", count: 2 };

test.after.always(async () => {
  for (const directory of directories) await rm(directory, { recursive: true });
});

const optionsAt = (directory: string) => ({ directory, genesis: GENESIS });

function tablesOf(root: RootDatabase) {
  const options = { encoding: "binary", keyEncoding: "binary" } as const;
  return {
    meta: root.openDB<Buffer, Buffer>("meta", options),
    bans: root.openDB<Buffer, Buffer>("bans", options),
  };
}

async function inside<T>(directory: string, look: (root: RootDatabase) => T): Promise<T> {
  const root = openLmdb({ path: directory, noSubdir: false, overlappingSync: false });
  try {
    return look(root);
  } finally {
    await root.close();
  }
}

const schemaIn = (directory: string): Promise<number> =>
  inside(directory, (root) => {
    const format = tablesOf(root).meta.get(Buffer.from("format"))!;
    return (JSON.parse(format.toString()) as { schema: number }).schema;
  });

/** With bans as the former release kept them: one record each, the peer's id within. */
async function formerDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "vibecoin-upgrade-"));
  directories.push(directory);
  await (await openLmdbStores(optionsAt(directory))).close();
  await inside(directory, (root) => {
    const { meta, bans } = tablesOf(root);
    const format = JSON.stringify({ schema: 1, genesis: GENESIS.header.hash });
    meta.putSync(Buffer.from("format"), Buffer.from(format));
    for (const peerId of PEERS) {
      const record = Buffer.from(JSON.stringify({ peerId, ...ban }));
      bans.putSync(Buffer.from(peerId, "hex"), record);
    }
  });
  return directory;
}

const upgraded = PEERS.map((peerId) => ({ peerId, ban }));

test("bans of schema 1 are there after the upgrade, and may be told more beside them", async (t) => {
  const directory = await formerDirectory();
  const stores = await openLmdbStores(optionsAt(directory));
  t.deepEqual(stores.peers.records(), upgraded);
  const endpoints = [{ address: "tcp://10.0.0.1:8765", readyWallMs: 1 }];
  const record = { peerId: PEERS[0]!, ban, endpoints };
  await stores.peers.put(record);
  await stores.close();
  t.is(await schemaIn(directory), 2);
  const again = await openLmdbStores(optionsAt(directory));
  t.deepEqual(again.peers.records(), [record, ...upgraded.slice(1)]);
  await again.close();
});

test("what is opened for reading alone is read as it is", async (t) => {
  const directory = await formerDirectory();
  const stores = await readLmdbStores(optionsAt(directory));
  t.deepEqual(stores.peers.records(), upgraded);
  await stores.close();
  t.is(await schemaIn(directory), 1);
});

test("a process that ends in the middle of the upgrade leaves schema 1, whole", async (t) => {
  const directory = await formerDirectory();
  const child = spawn(process.execPath, [CHILD, directory], { stdio: "ignore" });
  t.deepEqual(await once(child, "exit"), [null, "SIGKILL"]);
  const former = await inside(directory, (root) =>
    PEERS.map((peerId) => {
      const record = tablesOf(root).bans.get(Buffer.from(peerId, "hex"));
      return JSON.parse(record!.toString()) as unknown;
    }),
  );
  t.deepEqual(
    former,
    PEERS.map((peerId) => ({ peerId, ...ban })),
  );
  t.is(await schemaIn(directory), 1);
  const stores = await openLmdbStores(optionsAt(directory));
  t.deepEqual(stores.peers.records(), upgraded);
  await stores.close();
});
