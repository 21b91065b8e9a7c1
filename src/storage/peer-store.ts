// PeerStore on a key-value engine: the bans, one JSON record each, held in memory besides because
// there are few and every connection asks. Used by the reputation integration.

import { invariant } from "../errors.js";
import type { BanRecord, PeerId, PeerStore } from "../ports.js";
import type { KeyValue, SharedKeyValue } from "./key-value.js";
import { Table } from "./tables.js";

const PEER_ID = /^[0-9a-f]{64}$/;

export class KeyValuePeerStore implements PeerStore {
  readonly close: () => Promise<void>;
  private readonly engine: KeyValue;
  private readonly byPeer = new Map<PeerId, BanRecord>();

  constructor(shared: SharedKeyValue) {
    this.engine = shared.engine;
    for (const peerId of this.engine.keys(Table.bans, Infinity).sort()) {
      const record = Buffer.from(this.engine.get(Table.bans, peerId)!).toString();
      this.byPeer.set(peerId, JSON.parse(record) as BanRecord);
    }
    this.close = shared.use();
  }

  bans(): readonly BanRecord[] {
    return [...this.byPeer.values()];
  }

  putBan(ban: BanRecord): Promise<void> {
    const refusal = this.engine.refusal();
    if (refusal) return Promise.reject(refusal);
    invariant(PEER_ID.test(ban.peerId), "a peer id is 64 lower-case hex characters");
    const { peerId, untilWallMs, reason, rule, detail, count } = ban;
    const why = {
      reason,
      ...(rule !== undefined && { rule }),
      ...(detail !== undefined && { detail }),
    };
    const record = { peerId, untilWallMs, ...why, count };
    this.byPeer.set(peerId, record);
    this.engine.put(Table.bans, peerId, Buffer.from(JSON.stringify(record)));
    return this.engine.durable();
  }

  deleteBan(peerId: PeerId): Promise<void> {
    const refusal = this.engine.refusal();
    if (refusal) return Promise.reject(refusal);
    if (this.byPeer.delete(peerId)) this.engine.delete(Table.bans, peerId);
    return this.engine.durable();
  }
}
