// Follows the bans of one node over all its lives: while a ban lasts the peer does not come back, it
// ends when its time is over, and one that was acknowledged as durable survives a crash.

import type { NetworkEvent } from "../actors/events/event-types.js";
import type { BanRecord, Clock, PeerId, PeerRecord, PeerStore } from "../ports.js";

/** From the end of a ban to the event that says so: a timer and a few messages. */
const GRACE_MS = 5_000;

type BanEvent = Extract<NetworkEvent, { type: "PeerBanned" | "PeerUnbanned" | "PeerConnected" }>;

type AuditClock = Pick<Clock, "monotonicMs" | "wallMs">;

export class BanAuditor {
  #clock: AuditClock;
  readonly #report: (sentence: string) => void;
  /** Bans in force, as far as events say, and when each ends by the monotonic clock. */
  readonly #inForce = new Map<PeerId, number>();
  readonly #durable = new Map<PeerId, number>();
  /** What its store was told of each peer last, in whatever life. */
  readonly #told = new Map<PeerId, PeerRecord>();

  constructor(clock: AuditClock, report: (sentence: string) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** The store as its node sees it; a life begins, with its clock. */
  watch(store: PeerStore, clock: AuditClock): PeerStore {
    this.#clock = clock;
    this.#inForce.clear();
    for (const { peerId, ban } of store.records()) {
      if (ban !== undefined) this.#begin({ peerId, untilWallMs: ban.untilWallMs });
    }
    return {
      records: () => store.records(),
      put: (record) => {
        const { peerId, ban } = record;
        this.#told.set(peerId, record);
        if (ban === undefined) this.#durable.delete(peerId);
        return store.put(record).then(() => {
          if (ban === undefined || this.#told.get(peerId) !== record) return;
          this.#durable.set(peerId, ban.untilWallMs);
        });
      },
      delete: (peerId) => {
        this.#told.delete(peerId);
        this.#durable.delete(peerId);
        return store.delete(peerId);
      },
      ...(store.addresses === undefined ? {} : { addresses: store.addresses }),
      close: () => store.close(),
    };
  }

  see(event: BanEvent): void {
    const { peerId } = event;
    switch (event.type) {
      case "PeerBanned":
        this.#begin(event);
        return;
      case "PeerUnbanned":
        this.#inForce.delete(peerId);
        return;
      case "PeerConnected":
        if (this.#inForce.has(peerId)) this.#report(`peer ${peerId} came in spite of its ban`);
        return;
    }
  }

  /** Once in a while, with the clock of a life that is not held. */
  check(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [peerId, endMs] of this.#inForce) {
      if (nowMs <= endMs + GRACE_MS) continue;
      this.#report(`the ban of peer ${peerId} does not end`);
      this.#inForce.delete(peerId);
    }
  }

  /** What a crash left. */
  crashed(store: Pick<PeerStore, "records">): void {
    const wallMs = this.#clock.wallMs();
    const kept = new Map(store.records().map(({ peerId, ban }) => [peerId, ban?.untilWallMs ?? 0]));
    for (const [peerId, untilWallMs] of this.#durable) {
      if (untilWallMs <= wallMs || (kept.get(peerId) ?? 0) >= untilWallMs) continue;
      this.#report(`the ban of peer ${peerId}, which was durable, is lost`);
    }
  }

  #begin({ peerId, untilWallMs }: Pick<BanRecord, "peerId" | "untilWallMs">): void {
    const leftMs = untilWallMs - this.#clock.wallMs();
    if (leftMs > 0) this.#inForce.set(peerId, this.#clock.monotonicMs() + leftMs);
  }
}
