// What of this process's memory is its own, as Linux says it: an adapter behind the Health port.

import { readFileSync } from "node:fs";

/**
 * Bytes of anonymous memory, of all threads: pages of mapped files, which the system can take back,
 * are not among them. Undefined where the system does not say.
 */
export function anonymousBytes(): number | undefined {
  let status;
  try {
    status = readFileSync("/proc/self/status", "latin1");
  } catch {
    return undefined;
  }
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1_024;
}
