// The peers that this node dials first after a restart: those that it had chosen before, so that whoever
// can make it start again, and fills its address book meanwhile, has not all of its connections. A part
// of the peer book. Pure. After Bitcoin Core, which keeps its two connections for blocks.

import { invariant } from "../../errors.js";
import { formatAddress, readAddress, type Endpoint } from "../../protocol/address.js";
import { parsed } from "./address-pages.js";
import type { Purpose } from "./purpose.js";

interface Anchor {
  readonly endpoint: Endpoint;
  readonly purpose: Purpose;
}

const ANCHORS_MAX = 2;

export class Anchors {
  /** By address. One that leaves stays until another one comes: it may be our own line that failed. */
  readonly #kept = new Map<string, Anchor>();
  readonly #undialed: Anchor[] = [];
  #hasChanged = false;

  /** Of the run before; each is dialed once. */
  restore(text: string): void {
    const rows = parsed(text);
    for (const row of Array.isArray(rows) ? (rows as readonly unknown[]) : []) {
      const [address, purpose] = Array.isArray(row) ? (row as readonly unknown[]) : [];
      if (typeof address !== "string" || (purpose !== "full" && purpose !== "blocks")) continue;
      const reading = readAddress(address);
      if (!reading.ok || reading.address.port === 0 || this.#kept.size >= ANCHORS_MAX) continue;
      const anchor = { endpoint: reading.address, purpose } as const;
      this.#kept.set(formatAddress(anchor.endpoint), anchor);
      this.#undialed.push(anchor);
    }
  }

  get text(): string {
    const rows = [...this.#kept].map(([address, { purpose }]) => [address, purpose]);
    return JSON.stringify(rows);
  }

  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  /** Since it was asked last. */
  takeChanged(): boolean {
    const changed = this.#hasChanged;
    this.#hasChanged = false;
    return changed;
  }

  /** One that was not dialed in this run, and for which there is a slot. */
  take(hasSlot: (purpose: Purpose) => boolean): Anchor | undefined {
    const index = this.#undialed.findIndex(({ purpose }) => hasSlot(purpose));
    return index === -1 ? undefined : this.#undialed.splice(index, 1)[0];
  }

  /** A peer is there that this node chose. One for blocks alone is known to fewest. */
  ready(endpoint: Endpoint, purpose: Purpose, isConnected: (address: string) => boolean): void {
    const address = formatAddress(endpoint);
    if (purpose === "feeler" || this.#kept.get(address)?.purpose === purpose) return;
    if (!this.#kept.has(address) && this.#kept.size >= ANCHORS_MAX) {
      const gone = [...this.#kept.keys()].find((one) => !isConnected(one));
      const lesser = [...this.#kept].find(([, { purpose: other }]) => other === "full")?.[0];
      const replaced = gone ?? (purpose === "blocks" ? lesser : undefined);
      if (replaced === undefined) return;
      this.#kept.delete(replaced);
    }
    this.#kept.set(address, { endpoint, purpose });
    this.#hasChanged = true;
  }

  /** Nobody was there: it is none any more. */
  failed(endpoint: Endpoint): void {
    if (this.#kept.delete(formatAddress(endpoint))) this.#hasChanged = true;
  }

  invariants(): void {
    invariant(this.#kept.size <= ANCHORS_MAX, `${this.#kept.size} anchors`);
  }
}
