// Makes a data directory with its parents. For the stores and the identity, whoever comes first.

import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Like `mkdir -p`. Node's own `recursive` tries without an end, a core busy, where a directory is
 * there but answers ENOENT to what is made in it: in /proc, or in one that was removed.
 */
export async function makeDirectory(path: string): Promise<void> {
  if (await isDirectory(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeDirectory(parent);
  try {
    await mkdir(path);
  } catch (error) {
    if (!(await isDirectory(path))) throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}
