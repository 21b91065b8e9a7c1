// What keeps the mempool over a restart may be a caller's own, and throw, reject or answer what its
// types forbid: that is logged, and costs what it was about. The transactions wait in memory all the
// same; only a restart would have forgotten them.

import { errorText } from "../../errors.js";
import type { Log, MempoolPage, MempoolStore } from "../../ports.js";

export interface GuardedMempoolStore {
  names(): readonly string[];
  /** Undefined: it cannot be read. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Whether they are durable now. */
  write(pages: readonly MempoolPage[]): Promise<boolean>;
}

export function guardMempoolStore(store: MempoolStore, log: Log): GuardedMempoolStore {
  const failed = (call: string, error: unknown): void =>
    log.write("error", "the store of the mempool failed", { call, error: errorText(error) });
  return {
    names() {
      try {
        const names: unknown = store.names();
        if (!Array.isArray(names)) throw new TypeError("it answered no list of names");
        return names.filter((name): name is string => typeof name === "string");
      } catch (error) {
        failed("names", error);
        return [];
      }
    },
    async read(name) {
      try {
        const bytes: unknown = await store.read(name);
        if (bytes === undefined || bytes instanceof Uint8Array) return bytes;
        throw new TypeError("it answered no bytes");
      } catch (error) {
        failed("read", error);
        return undefined;
      }
    },
    async write(pages) {
      try {
        await store.write(pages);
        return true;
      } catch (error) {
        failed("write", error);
        return false;
      }
    },
  };
}
