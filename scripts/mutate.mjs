// A mutation is `{ name, in, find, with }`: `find` stands once in the module `in` and is replaced.

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/**
 * Runs `attempt` while a module below `source` is mutated, and answers what it answers:
 * `{ ok, detail }`. A text that is gone or ambiguous is not ok, so that lists move with the code.
 */
export async function underMutation(source, { in: module, find, with: replacement }, attempt) {
  const file = path.join(source, module);
  const code = readFileSync(file, "utf8");
  const places = placesOf(code, find);
  if (places !== 1) return { ok: false, detail: `its text stands ${places} times in ${module}` };
  const mutated = code.replace(find, () => replacement);
  writeFileSync(file, mutated);
  try {
    return await attempt();
  } finally {
    writeFileSync(file, code);
  }
}

export function placesOf(code, text) {
  return code.split(text).length - 1;
}
