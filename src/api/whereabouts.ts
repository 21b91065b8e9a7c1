// Where a node serves HTTP, told in its data directory for commands of the same machine. The file is there
// while the node serves; one that a crash left means nothing, for the directory is not locked then.

import { readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

const ADDRESS_FILE = "http.address";

export async function tellAddress(directory: string, address: string): Promise<void> {
  const file = path.join(directory, ADDRESS_FILE);
  await writeFile(`${file}.new`, `${address}\n`);
  await rename(`${file}.new`, file);
}

export async function forgetAddress(directory: string): Promise<void> {
  await rm(path.join(directory, ADDRESS_FILE), { force: true });
}

/** Undefined: it serves none. */
export async function toldAddress(directory: string): Promise<string | undefined> {
  try {
    return (await readFile(path.join(directory, ADDRESS_FILE), "utf8")).trim();
  } catch {
    return undefined;
  }
}
