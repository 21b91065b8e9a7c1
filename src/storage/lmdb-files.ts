// Looks at the files of an LMDB environment before lmdb does: lmdb 3.5.6 crashes the process when
// it cannot open one, and LMDB maps its file, so reading beyond the end of one that was cut does
// too. Layout: liblmdb's MDB_page and MDB_meta, 64-bit, data version 2, little-endian.

import { access, constants, open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_FLAG = 0x08;
const FLAGS_AT = 18;
const MAGIC_AT = 24;
const VERSION_AT = 28;
const PAGE_SIZE_AT = 48;
const LAST_PAGE_AT = 144;
const TXN_ID_AT = 152;
const META_BYTES = 160;
const PAGE_SIZES = [4_096, 8_192, 16_384, 32_768, 65_536];
/** The last pages that LMDB counts may never have been written, so a file may be this short. */
const UNWRITTEN_PAGES_MAX = 256;

/** Throws an error that says what is wrong. A directory without these files is fine. */
export async function checkFiles(directory: string): Promise<void> {
  await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  await withFile(join(directory, "lock.mdb"), () => Promise.resolve());
  await withFile(join(directory, "data.mdb"), checkData);
}

async function withFile(path: string, check: (file: FileHandle) => Promise<void>): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, "r+");
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

async function checkData(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const first = await readMeta(file, 0);
  const pageBytes = first.readUInt32LE(PAGE_SIZE_AT);
  if (!PAGE_SIZES.includes(pageBytes)) throw new Error("data.mdb is damaged");
  const second = await readMeta(file, pageBytes);
  const isFirst = first.readBigUInt64LE(TXN_ID_AT) > second.readBigUInt64LE(TXN_ID_AT);
  const pages = Number((isFirst ? first : second).readBigUInt64LE(LAST_PAGE_AT)) + 1;
  const missing = (pages - UNWRITTEN_PAGES_MAX) * pageBytes - size;
  if (missing > 0) throw new Error(`data.mdb has lost at least ${missing} bytes`);
}

async function readMeta(file: FileHandle, position: number): Promise<Buffer> {
  const meta = Buffer.alloc(META_BYTES);
  await file.read(meta, 0, META_BYTES, position);
  const isMeta = (meta.readUInt16LE(FLAGS_AT) & META_FLAG) !== 0;
  if (!isMeta || meta.readUInt32LE(MAGIC_AT) !== MAGIC) {
    throw new Error("data.mdb is damaged, or is not an LMDB file");
  }
  const version = meta.readUInt32LE(VERSION_AT) & 0xffff;
  if (version !== DATA_VERSION) throw new Error(`data.mdb has the LMDB data version ${version}`);
  return meta;
}
