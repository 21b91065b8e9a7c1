// The connections of a node: who holds a slot, who is ready, whose sockets still close. A part of the
// peer book. Pure: an entry's handler is a name to it.

import { invariant } from "../../errors.js";
import type { PeerId } from "../../ports.js";
import type { Entry } from "./peer-entry.js";
import { becameReady, beganClosing, type PeerState } from "./peer-state.js";
import type { HandshakeInfo } from "../../protocol/types/node-info.js";

export class ConnectionTable {
  readonly #entries = new Map<number, Entry>();
  readonly #byPath = new Map<string, Entry>();
  readonly #ready = new Map<PeerId, Entry>();
  /** Those that hold a slot: handshaking or ready. */
  readonly #open = new Set<Entry>();
  /** The same by peer; a list is replaced, never changed. */
  readonly #openOf = new Map<PeerId, readonly Entry[]>();
  /** Those whose sockets are not gone yet, in order of closing. */
  readonly #closing = new Set<Entry>();

  get size(): number {
    return this.#entries.size;
  }

  get readyCount(): number {
    return this.#ready.size;
  }

  all(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  open(): IterableIterator<Entry> {
    return this.#open.values();
  }

  get(id: number): Entry | undefined {
    return this.#entries.get(id);
  }

  byPath(path: string): Entry | undefined {
    return this.#byPath.get(path);
  }

  readyOf(peerId: PeerId): Entry | undefined {
    return this.#ready.get(peerId);
  }

  isOpen(peerId: PeerId): boolean {
    return this.#openOf.has(peerId);
  }

  /** At most two: one that is ready, and one that shakes hands to take its place. */
  openOf(peerId: PeerId): readonly Entry[] {
    return this.#openOf.get(peerId) ?? [];
  }

  /** Connections that were refused and still hear why. */
  refusedCount(): number {
    let count = 0;
    for (const { state } of this.#closing)
      if (state.phase === "closing" && !state.wasReady) count++;
    return count;
  }

  /** In the state that it has: handshaking, or closing from the start. */
  add(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    this.#byPath.set(entry.handler.path, entry);
    if (entry.state.phase === "closing") {
      this.#closing.add(entry);
      return;
    }
    this.#open.add(entry);
    this.#openOf.set(entry.peerId, [...this.openOf(entry.peerId), entry]);
  }

  /** Handshaking → Ready; false: it is not handshaking. No other one of its peer is ready. */
  becameReady(entry: Entry, info: HandshakeInfo, nowMs: number): boolean {
    const next = becameReady(entry.state, info, nowMs);
    if (next === undefined) return false;
    entry.state = next;
    this.#ready.set(entry.peerId, entry);
    return true;
  }

  /** Handshaking | Ready → Closing: the slot is free. Answers the state before; undefined: too late. */
  beganClosing(entry: Entry, nowMs: number): PeerState | undefined {
    const before = entry.state;
    const next = beganClosing(before, nowMs);
    if (next === undefined) return undefined;
    entry.state = next;
    this.#open.delete(entry);
    const others = this.openOf(entry.peerId).filter((other) => other !== entry);
    if (others.length > 0) this.#openOf.set(entry.peerId, others);
    else this.#openOf.delete(entry.peerId);
    this.#closing.add(entry);
    if (before.phase === "ready") this.#ready.delete(entry.peerId);
    return before;
  }

  /** Of more than so many closing ones the first, which counts no longer. */
  takeClosing(closingMax: number): Entry | undefined {
    if (this.#closing.size <= closingMax) return undefined;
    const [first] = this.#closing;
    if (first !== undefined) this.#closing.delete(first);
    return first;
  }

  /** Its socket is gone. */
  remove(entry: Entry): void {
    this.#entries.delete(entry.id);
    this.#closing.delete(entry);
    this.#byPath.delete(entry.handler.path);
  }

  invariants(): void {
    const seen = { handshaking: new Set<PeerId>(), ready: new Set<PeerId>() };
    for (const entry of this.#entries.values()) {
      const { peerId } = entry;
      const { phase } = entry.state;
      const isOpen = this.#open.has(entry) && this.openOf(peerId).includes(entry);
      invariant(isOpen === (phase !== "closing"), `the slot of ${peerId}`);
      if (phase === "closing") continue;
      invariant(!seen[phase].has(peerId), `one ${phase} connection to ${peerId} is enough`);
      seen[phase].add(peerId);
      if (phase === "ready") invariant(this.#ready.get(peerId) === entry, `${peerId} is ready`);
    }
    const { size } = seen.ready;
    invariant(size === this.#ready.size, `${size} ready peers, counted as ${this.#ready.size}`);
  }

  /** How many connections close, of which `takeClosing` keeps at most so many. */
  get closingCount(): number {
    return this.#closing.size;
  }
}
