// The event auditor listens to one life of a node, from its start to its end, and checks that what
// it publishes can be followed: blocks leave and join at the end of the chain alone, and leave only on
// the path that was told before; a sync starts before it ends, and a peer comes before it goes. The
// node's start makes one.

import { REORG_PATH_MAX } from "../actors/events/event-types.js";
import type {
  ChainPoint,
  NetworkEvent,
  NetworkEventOf,
  NetworkEventType,
} from "../actors/events/event-types.js";
import type { HashHex } from "../types/chain.js";
import type { Clock, PeerId } from "../ports.js";
import type { BlockBook } from "./block-book.js";

export const AUDITED_EVENTS = [
  "BlockConnected",
  "BlockDisconnected",
  "ChainReorganised",
  "PeerConnected",
  "PeerDisconnected",
  "SyncStarted",
  "SyncProgressed",
  "SyncFinished",
  "SyncFailed",
] as const satisfies readonly NetworkEventType[];

type AuditedEvent = Extract<NetworkEvent, { type: (typeof AUDITED_EVENTS)[number] }>;

/** The slowest simulated round trips of a dial and two hellos. */
const REPLACED_WITHIN_MS = 6_000;

export interface EventAuditorParts {
  readonly book: Pick<BlockBook, "get">;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** The head when the life began. */
  readonly head: HashHex;
  /** Told of every event out of order, in one sentence. */
  readonly report: (sentence: string) => void;
}

export class EventAuditor {
  readonly #parts: EventAuditorParts;
  readonly #peers = new Set<PeerId>();
  /** When the connection to a peer gave way to another one to the same peer. */
  readonly #replaced = new Map<PeerId, number>();
  #gone = 0;
  #tip: HashHex;
  /** Of the path that was told: what is still to leave, to join, and where it ends. */
  #path = { leaving: 0, joining: 0, to: "" };
  #syncing = false;

  constructor(parts: EventAuditorParts) {
    this.#parts = parts;
    this.#tip = parts.head;
  }

  /**
   * How often a peer went: not when its connection gave way to another one that is ready soon after,
   * which comes to pass when two nodes dial each other.
   */
  get peersGone(): number {
    const nowMs = this.#parts.clock.monotonicMs();
    const absent = (sinceMs: number): boolean => nowMs - sinceMs > REPLACED_WITHIN_MS;
    return this.#gone + [...this.#replaced.values()].filter(absent).length;
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
        this.#joined(hash);
        return;
      }
      case "BlockDisconnected": {
        const { hash, height } = event;
        const block = book.get(hash);
        if (hash !== this.#tip || block?.header.height !== height) {
          report(`block ${hash} left at ${height}, when the last block was ${this.#tip}`);
        }
        this.#tip = block?.header.previousHash ?? this.#tip;
        if (this.#path.leaving-- <= 0) report(`block ${hash} left, and no path said so`);
        return;
      }
      case "ChainReorganised":
        this.#reorganised(event);
        return;
      case "PeerConnected":
        if (this.#peers.has(event.peerId)) report(`peer ${event.peerId} came twice`);
        this.#peers.add(event.peerId);
        this.#back(event.peerId);
        return;
      case "PeerDisconnected":
        if (event.reason === "DuplicateConnection") {
          this.#replaced.set(event.peerId, this.#parts.clock.monotonicMs());
        } else this.#gone++;
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

  /** The path leads from the last block to another one, over the fork, and has no gap. */
  #reorganised(event: NetworkEventOf<"ChainReorganised">): void {
    const { report } = this.#parts;
    const { from, to, fork, disconnected, connected, disconnectedCount, connectedCount } = event;
    const { leaving, joining } = this.#path;
    if (leaving > 0 || joining > 0) report(`a path was told before the last one was gone`);
    this.#path = { leaving: disconnectedCount, joining: connectedCount, to: to.hash };
    const wrong =
      from.hash !== this.#tip ||
      disconnectedCount !== from.height - fork.height ||
      connectedCount !== to.height - fork.height ||
      disconnected.length !== Math.min(disconnectedCount, REORG_PATH_MAX) ||
      connected.length !== Math.min(connectedCount, REORG_PATH_MAX) ||
      !this.#joins([fork, ...connected]) ||
      !this.#joins([fork, ...disconnected.toReversed()]) ||
      (connectedCount <= REORG_PATH_MAX && (connected.at(-1) ?? fork).hash !== to.hash) ||
      (disconnectedCount <= REORG_PATH_MAX && disconnected[0]?.hash !== from.hash);
    if (wrong)
      report(`the path from ${from.hash} over ${fork.hash} to ${to.hash} does not join up`);
  }

  /** Each is the parent of the next. */
  #joins(points: readonly ChainPoint[]): boolean {
    return points.every(({ hash, height }, index) => {
      const header = this.#parts.book.get(hash)?.header;
      const parent = points[index - 1];
      if (header?.height !== height) return false;
      return parent === undefined || header.previousHash === parent.hash;
    });
  }

  #joined(hash: HashHex): void {
    const { leaving, joining, to } = this.#path;
    const { report } = this.#parts;
    if (leaving > 0) report(`block ${hash} joined before ${leaving} others left`);
    if (joining === 0) return;
    this.#path.joining--;
    if (joining === 1 && hash !== to) report(`a path ended at ${hash}, not at ${to}`);
  }

  #back(peerId: PeerId): void {
    const goneMs = this.#replaced.get(peerId);
    if (goneMs === undefined) return;
    this.#replaced.delete(peerId);
    if (this.#parts.clock.monotonicMs() - goneMs > REPLACED_WITHIN_MS) this.#gone++;
  }
}
