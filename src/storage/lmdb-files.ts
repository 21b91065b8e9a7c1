// Looks at the files of an LMDB environment before lmdb does: lmdb 3.5.6 crashes the process when
// it cannot open one, and LMDB maps its file, so a page that is damaged or beyond the end of one
// that was cut crashes it too, at once or when it is come by.

import { access, constants, open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { META_BYTES, pageBytesOf, readSnapshot, type Snapshot } from "./lmdb-layout.js";
import { walkPages, type WalkOptions } from "./lmdb-pages.js";

/** What a node looks at before it starts: 256 MiB take about half a second, from a cold disk more. */
export const AT_START: CheckOptions = { pagesMax: 65_536, values: false, readOnly: false };
/** For a directory that is only read. */
export const EVERYTHING: CheckOptions = {
  pagesMax: Number.POSITIVE_INFINITY,
  values: true,
  readOnly: true,
};

interface CheckOptions extends WalkOptions {
  readonly readOnly: boolean;
}

/** Throws Damage, or a system error. A directory without these files is fine. */
export async function checkFiles(directory: string, options: CheckOptions): Promise<void> {
  const { R_OK, W_OK, X_OK } = constants;
  await access(directory, options.readOnly ? R_OK | X_OK : R_OK | W_OK | X_OK);
  const mode = options.readOnly ? "r" : "r+";
  await withFile(join(directory, "lock.mdb"), mode, () => Promise.resolve());
  await withFile(join(directory, "data.mdb"), mode, (file) => checkData(file, options));
}

async function withFile(
  path: string,
  mode: "r" | "r+",
  check: (file: FileHandle) => Promise<void>,
): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    await check(file);
  } finally {
    await file.close();
  }
}

async function checkData(file: FileHandle, options: WalkOptions): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const snapshot = await snapshotOf(file);
  // The last pages may be free and never have been written; whether they are, only a whole walk says.
  const isShort = size < snapshot.pageCount * snapshot.pageBytes;
  const pagesMax = isShort ? Number.POSITIVE_INFINITY : options.pagesMax;
  try {
    await walkPages(file, snapshot, { ...options, pagesMax });
  } catch (error) {
    // Under a walk that another process writes to, pages change; the directory's lock tells of it.
    if ((await snapshotOf(file)).txnId === snapshot.txnId) throw error;
  }
}

async function snapshotOf(file: FileHandle): Promise<Snapshot> {
  const first = await readMeta(file, 0);
  return readSnapshot([first, await readMeta(file, pageBytesOf(first))]);
}

async function readMeta(file: FileHandle, position: number): Promise<Buffer> {
  const meta = Buffer.alloc(META_BYTES);
  await file.read(meta, 0, META_BYTES, position);
  return meta;
}
