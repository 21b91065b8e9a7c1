// From the schemas of former releases to the present one, each step in one transaction: a directory
// has the old schema or the new one, whenever the process ends.

import type { Database, RootDatabase } from "lmdb";
import { readPeerRecord, writePeerRecord } from "./peer-store.js";
import { Table } from "./tables.js";

/** What this version reads and writes. */
export const SCHEMA = 2;
export const FORMAT_KEY = "format";

export interface Format {
  readonly schema: number;
  readonly genesis: string;
}

/** Schemas that can be read as they are, and upgraded before anything is written. */
export function isKnown(schema: number): boolean {
  return schema === 1 || schema === SCHEMA;
}

/** 1 → 2: records of peers that held a ban alone may hold more. Durable when it returns. */
export function upgrade(
  root: Pick<RootDatabase, "transactionSync">,
  tables: readonly Database<Buffer, string>[],
  format: Format,
): void {
  if (format.schema === SCHEMA) return;
  const peers = tables[Table.peers]!;
  root.transactionSync(() => {
    for (const peerId of [...peers.getKeys({ start: "00" })]) {
      const bytes = peers.get(peerId);
      if (bytes !== undefined) void peers.putSync(peerId, writePeerRecord(readPeerRecord(bytes)));
    }
    tables[Table.meta]!.putSync(FORMAT_KEY, writeFormat({ ...format, schema: SCHEMA }));
  });
}

export function writeFormat(format: Format): Buffer {
  return Buffer.from(JSON.stringify(format));
}
