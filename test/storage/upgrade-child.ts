// A process that upgrades the directory it is given, and ends without a word when half of that is
// written.

import { openEnvironment, openTextTables } from "../../src/storage/lmdb-open.js";
import { Table } from "../../src/storage/tables.js";
import { FORMAT_KEY, upgrade, type Format } from "../../src/storage/upgrade.js";

const [directory] = process.argv.slice(2) as [string];
const root = openEnvironment({ directory, mapSizeBytes: 2 ** 30 });
const tables = openTextTables(root);
const peers = tables[Table.peers]!;
const put = peers.putSync.bind(peers);
let written = 0;
peers.putSync = (peerId: string, record: Buffer): void => {
  if (++written > 2) process.kill(process.pid, "SIGKILL");
  put(peerId, record);
};
const format = tables[Table.meta]!.get(FORMAT_KEY)!;
upgrade(root, tables, JSON.parse(format.toString()) as Format);
