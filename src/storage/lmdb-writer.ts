// The writer thread of one LMDB environment: takes packed groups of writes, commits each in one
// transaction that is synced to the disk before it answers. Also reads large values: pages that
// are not in memory hold up this thread, not the event loop. Answers in order. Started by
// lmdb-environment, driven by the LMDB engine; a null message ends it.

import { parentPort, workerData } from "node:worker_threads";
import { errorText } from "../errors.js";
import { describeWriteFault } from "./disk-room.js";
import { openEnvironment, openTables } from "./lmdb-open.js";
import { TABLE_SPECS, type Table } from "./tables.js";
import { applyWrites } from "./write-batch.js";

export interface WriterData {
  readonly directory: string;
  readonly mapSizeBytes: number;
}

/** As the engine's `read`. */
export interface WriterRead {
  readonly table: Table;
  readonly keys: readonly string[];
  readonly bytesMax: number;
}

/** A group of writes, or what is to be read. */
export type WriterCommand = Uint8Array<ArrayBuffer>[] | WriterRead;

export type WriterReport =
  | { readonly type: "ready" }
  | { readonly type: "committed" }
  | { readonly type: "failed"; readonly detail: string }
  | { readonly type: "read"; readonly values: Uint8Array<ArrayBuffer>[] }
  | { readonly type: "unreadable"; readonly detail: string };

const port = parentPort!;
const { directory } = workerData as WriterData;
const root = openEnvironment(workerData as WriterData);
const tables = openTables(root);

function report(message: WriterReport, buffers: ArrayBuffer[] = []): void {
  port.postMessage(message, buffers);
}

/** Each group is one transaction, in however many buffers it comes. */
function write(group: readonly Uint8Array<ArrayBuffer>[]): void {
  try {
    root.transactionSync(() => {
      for (const packed of group) {
        applyWrites(
          packed,
          (table, key, value) => tables[table]!.putSync(key, value),
          (table, key) => tables[table]!.removeSync(key),
        );
      }
    });
    report({ type: "committed" });
  } catch (error) {
    report({ type: "failed", detail: describeWriteFault(directory, errorText(error)) });
  }
}

function read({ table, keys, bytesMax }: WriterRead): void {
  try {
    // What was committed a moment ago is to be seen.
    root.resetReadTxn();
    const values: Uint8Array<ArrayBuffer>[] = [];
    let bytes = 0;
    for (const key of keys) {
      const value = tables[table]!.getBinaryFast(Buffer.from(key, TABLE_SPECS[table]!.keys));
      if (value === undefined) break;
      bytes += value.length;
      if (values.length > 0 && bytes > bytesMax) break;
      // LMDB's buffer is reused by the next read, and longer than the value that it says it has.
      values.push(new Uint8Array(value.buffer, value.byteOffset, value.length).slice());
    }
    report(
      { type: "read", values },
      values.map(({ buffer }) => buffer),
    );
  } catch (error) {
    report({ type: "unreadable", detail: errorText(error) });
  }
}

port.on("message", (command: WriterCommand | null) => {
  if (command === null) void root.close().then(() => port.close());
  else if (Array.isArray(command)) write(command);
  else read(command);
});
report({ type: "ready" });
