// A caller's own peer store may throw, reject, or answer what its types forbid: that is logged and
// costs what it was about. What is known about peers is in memory all the same; only a restart would
// have forgotten it.

import { errorText } from "../../errors.js";
import type { AddressPage, Log, PeerId, PeerRecord, PeerStore } from "../../ports.js";

export interface GuardedPeerStore {
  /** As the store answers them: nothing is sure of any of them. */
  records(): readonly unknown[];
  put(record: PeerRecord): void;
  delete(peerId: PeerId): void;
  /** None where the store keeps no addresses. */
  pages(): readonly unknown[];
  /** Resolves when that has ended in whatever way. */
  write(pages: readonly AddressPage[]): Promise<void>;
}

export function guardPeerStore(store: PeerStore, log: Log): GuardedPeerStore {
  const failed = (call: string, error: unknown): void =>
    log.write("error", "the peer store failed", { call, error: errorText(error) });
  const tried = async (call: string, ask: () => Promise<void>): Promise<void> => {
    try {
      await ask();
    } catch (error) {
      failed(call, error);
    }
  };
  return {
    records() {
      try {
        const records: unknown = store.records();
        if (Array.isArray(records)) return records as readonly unknown[];
        throw new TypeError("it answered no list of records");
      } catch (error) {
        failed("records", error);
        return [];
      }
    },
    pages() {
      try {
        const pages: unknown = store.addresses?.pages() ?? [];
        if (Array.isArray(pages)) return pages as readonly unknown[];
        throw new TypeError("it answered no list of pages");
      } catch (error) {
        failed("addresses.pages", error);
        return [];
      }
    },
    write: (pages) => tried("addresses.write", async () => store.addresses?.write(pages)),
    put: (record) => void tried("put", () => store.put(record)),
    delete: (peerId) => void tried("delete", () => store.delete(peerId)),
  };
}
