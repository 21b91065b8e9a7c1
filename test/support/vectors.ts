// Finds test data: the project's own vectors under test/vectors, and optional collections made by
// others in a folder beside the project, whose tests skip where it is absent.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

const OPTIONAL_VECTORS = "../shared/vectors";

/** Parsed JSON of `test/vectors/<name>`. */
export function ownVectors<T>(name: string): T {
  return JSON.parse(readFileSync(join(projectRoot(), "test/vectors", name), "utf8")) as T;
}

/** Parsed JSON of an optional collection, or undefined where it is absent. */
export function optionalVectors<T>(name: string): T | undefined {
  const path = join(projectRoot(), OPTIONAL_VECTORS, name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as T) : undefined;
}
