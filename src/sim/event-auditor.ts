// The event auditor listens to one life of a node, from its start to its end, and checks that what
// it publishes can be followed: blocks leave and join at the end of the chain alone, a sync starts
// before it ends, and a peer comes before it goes. The node's start makes one.

import type { NetworkEvent, NetworkEventType } from "../actors/events/event-types.js";
import type { HashHex } from "../chain/types.js";
import type { PeerId } from "../ports.js";
import type { BlockBook } from "./block-book.js";

export const AUDITED_EVENTS = [
  "BlockConnected",
  "BlockDisconnected",
  "PeerConnected",
  "PeerDisconnected",
  "SyncStarted",
  "SyncProgressed",
  "SyncFinished",
  "SyncFailed",
] as const satisfies readonly NetworkEventType[];

type AuditedEvent = Extract<NetworkEvent, { type: (typeof AUDITED_EVENTS)[number] }>;

export interface EventAuditorParts {
  readonly book: Pick<BlockBook, "get">;
  /** The head when the life began. */
  readonly head: HashHex;
  /** Told of every event out of order, in one sentence. */
  readonly report: (sentence: string) => void;
}

export class EventAuditor {
  readonly #parts: EventAuditorParts;
  readonly #peers = new Set<PeerId>();
  /** How often a peer went, but for connections that gave way to another one to the same peer. */
  peersGone = 0;
  #tip: HashHex;
  #syncing = false;

  constructor(parts: EventAuditorParts) {
    this.#parts = parts;
    this.#tip = parts.head;
  }

  see(event: AuditedEvent): void {
    const { book, report } = this.#parts;
    switch (event.type) {
      case "BlockConnected": {
        const { hash, height } = event;
        const block = book.get(hash);
        if (block?.header.previousHash !== this.#tip || block.header.height !== height) {
          report(`block ${hash} joined at ${height}, on ${this.#tip}, which is not its parent`);
        }
        this.#tip = hash;
        return;
      }
      case "BlockDisconnected": {
        const { hash, height } = event;
        const block = book.get(hash);
        if (hash !== this.#tip || block?.header.height !== height) {
          report(`block ${hash} left at ${height}, when the last block was ${this.#tip}`);
        }
        this.#tip = block?.header.previousHash ?? this.#tip;
        return;
      }
      case "PeerConnected":
        if (this.#peers.has(event.peerId)) report(`peer ${event.peerId} came twice`);
        this.#peers.add(event.peerId);
        return;
      case "PeerDisconnected":
        if (event.reason !== "DuplicateConnection") this.peersGone++;
        if (!this.#peers.delete(event.peerId)) report(`peer ${event.peerId} went and never came`);
        return;
      case "SyncStarted":
        if (this.#syncing) report("a sync started during another one");
        this.#syncing = true;
        return;
      case "SyncProgressed":
        if (!this.#syncing) report("a sync went on that never started");
        return;
      case "SyncFinished":
      case "SyncFailed":
        if (!this.#syncing) report(`${event.type} of a sync that never started`);
        this.#syncing = false;
        return;
    }
  }
}
