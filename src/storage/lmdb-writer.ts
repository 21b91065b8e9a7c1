// The writer thread of one LMDB environment: takes packed groups of writes, commits each in one
// transaction that is synced to the disk before it answers. Started by lmdb-environment, driven
// by the LMDB engine; a null message ends it.

import { parentPort, workerData } from "node:worker_threads";
import { errorText } from "../errors.js";
import { describeWriteFault } from "./disk-room.js";
import { openEnvironment, openTables } from "./lmdb-open.js";
import { applyWrites } from "./write-batch.js";

export interface WriterData {
  readonly directory: string;
  readonly mapSizeBytes: number;
}

export type WriterReport =
  | { readonly type: "ready" }
  | { readonly type: "committed" }
  | { readonly type: "failed"; readonly detail: string };

const port = parentPort!;
const { directory } = workerData as WriterData;
const root = openEnvironment(workerData as WriterData);
const tables = openTables(root);

function report(message: WriterReport): void {
  port.postMessage(message);
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

port.on("message", (group: readonly Uint8Array<ArrayBuffer>[] | null) => {
  if (group) return write(group);
  void root.close().then(() => port.close());
});
report({ type: "ready" });
