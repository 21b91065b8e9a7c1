// Where peers were found, for the records of these peers: the latest so many endpoints. A part of the
// peer book. Pure.

import { invariant } from "../../errors.js";
import type { PeerId } from "../../ports.js";
import { formatAddress, type Endpoint } from "../../protocol/address.js";
import { STORED_ENDPOINTS_MAX } from "./stored-peers.js";

interface Found {
  readonly address: string;
  readonly peerId: PeerId;
  readonly readyWallMs: number;
}

export class FoundEndpoints {
  readonly #max: number;
  /** Whose record is to be stored anew. */
  readonly #onChange: (peerId: PeerId) => void;
  /** By address, the latest last. */
  readonly #found = new Map<string, Found>();

  constructor(max: number, onChange: (peerId: PeerId) => void) {
    this.#max = max;
    this.#onChange = onChange;
  }

  /** An endpoint belongs to whoever was found there last. */
  found(endpoint: Endpoint, peerId: PeerId, readyWallMs: number): void {
    const address = formatAddress(endpoint);
    this.isNot(endpoint, peerId);
    this.#found.delete(address);
    this.#found.set(address, { address, peerId, readyWallMs });
    this.#onChange(peerId);
    const [oldest] = this.#found.values();
    if (this.#found.size > this.#max && oldest !== undefined) this.#remove(oldest);
  }

  /** Of a record, in the order of their times, the oldest first. */
  restore(endpoint: Endpoint, peerId: PeerId, readyWallMs: number): void {
    const address = formatAddress(endpoint);
    this.isNot(endpoint, peerId);
    this.#found.set(address, { address, peerId, readyWallMs });
  }

  /** Somebody else is there. */
  isNot(endpoint: Endpoint, peerId: PeerId): void {
    const before = this.#found.get(formatAddress(endpoint));
    if (before !== undefined && before.peerId !== peerId) this.#remove(before);
  }

  /** Where it was found, the latest first. */
  of(peerId: PeerId): readonly Found[] {
    return [...this.#found.values()]
      .filter((one) => one.peerId === peerId)
      .sort((a, b) => b.readyWallMs - a.readyWallMs)
      .slice(0, STORED_ENDPOINTS_MAX);
  }

  invariants(): void {
    invariant(this.#found.size <= this.#max, `${this.#found.size} endpoints of peers`);
  }

  #remove({ address, peerId }: Found): void {
    this.#found.delete(address);
    this.#onChange(peerId);
  }
}
