// PeerStore on a key-value engine: one JSON record a peer, held in memory besides because there are
// few. Used by the registry, which owns what is known about peers.

import { invariant } from "../errors.js";
import type { AddressStore, BanRecord, PeerId, PeerRecord, PeerStore } from "../ports.js";
import type { KeyValue, SharedKeyValue } from "./key-value.js";
import { Table } from "./tables.js";

const PEER_ID = /^[0-9a-f]{64}$/;

/**
 * Of pages of the address book among the single records: a table of their own would be somebody else's
 * to the releases before.
 */
const PAGE_PREFIX = "addresses/";

export class KeyValuePeerStore implements PeerStore {
  readonly addresses: AddressStore;
  readonly close: () => Promise<void>;
  private readonly engine: KeyValue;
  private readonly byPeer = new Map<PeerId, PeerRecord>();

  constructor(shared: SharedKeyValue) {
    this.engine = shared.engine;
    for (const peerId of this.engine.keys(Table.peers, Infinity).sort()) {
      this.byPeer.set(peerId, readPeerRecord(this.engine.get(Table.peers, peerId)!));
    }
    this.addresses = addressStore(shared.engine);
    this.close = shared.use();
  }

  records(): readonly PeerRecord[] {
    return [...this.byPeer.values()];
  }

  put(record: PeerRecord): Promise<void> {
    const refusal = this.engine.refusal();
    if (refusal) return Promise.reject(refusal);
    const { peerId } = record;
    invariant(PEER_ID.test(peerId), "a peer id is 64 lower-case hex characters");
    this.byPeer.set(peerId, record);
    this.engine.put(Table.peers, peerId, writePeerRecord(record));
    return this.engine.durable();
  }

  delete(peerId: PeerId): Promise<void> {
    const refusal = this.engine.refusal();
    if (refusal) return Promise.reject(refusal);
    if (this.byPeer.delete(peerId)) this.engine.delete(Table.peers, peerId);
    return this.engine.durable();
  }
}

function addressStore(engine: KeyValue): AddressStore {
  return {
    pages: () =>
      engine
        .keys(Table.meta, Infinity)
        .filter((key) => key.startsWith(PAGE_PREFIX))
        .sort()
        .map((key) => ({
          name: key.slice(PAGE_PREFIX.length),
          text: Buffer.from(engine.get(Table.meta, key)!).toString(),
        })),
    write(pages) {
      const refusal = engine.refusal();
      if (refusal) return Promise.reject(refusal);
      for (const { name, text } of pages) {
        const key = PAGE_PREFIX + name;
        if (text === "") engine.delete(Table.meta, key);
        else engine.put(Table.meta, key, Buffer.from(text));
      }
      return engine.durable();
    },
  };
}

export function writePeerRecord(record: PeerRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}

/** Of schema 1 too, whose records were bans. Throws for what is no JSON. */
export function readPeerRecord(bytes: Uint8Array): PeerRecord {
  const record = JSON.parse(Buffer.from(bytes).toString()) as PeerRecord | BanRecord;
  if (!("untilWallMs" in record)) return record;
  const { peerId, ...ban } = record;
  return { peerId, ban };
}
