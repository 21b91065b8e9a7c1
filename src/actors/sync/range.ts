// Range: consecutive blocks that are asked for, checked and connected together. A union of states,
// each with the fields that it has; a transition from the wrong state is a programmer's error. Pure.

import { invariant } from "../../errors.js";
import type { CheckedBlock, HashHex } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";

/** One request for the range that may still bring it. */
export interface Ask {
  readonly request: number;
  readonly peerId: PeerId;
  /** Of blocks from the range's first: a range may have been cut shorter since. */
  readonly count: number;
  readonly sinceMs: number;
}

interface InHand {
  /** Who sent the blocks. */
  readonly server: PeerId;
  readonly bytes: number;
}

export type RangeState =
  | { readonly name: "wanted" }
  /** Oldest first: two where the first one lets everybody wait. */
  | { readonly name: "requested"; readonly asks: readonly Ask[] }
  | (InHand & {
      readonly name: "checking";
      readonly tasksOpen: number;
      readonly checked: readonly CheckedBlock[];
    })
  | (InHand & { readonly name: "checked"; readonly blocks: readonly CheckedBlock[] })
  | (InHand & { readonly name: "connecting"; readonly blocks: readonly CheckedBlock[] });

type StateName = RangeState["name"];
type StateOf<N extends StateName> = Extract<RangeState, { name: N }>;

const WANTED = { name: "wanted" } as const;

export class Range {
  readonly fromHeight: number;
  readonly count: number;
  /** How often the one whose headers these are did not deliver it. */
  withheld = 0;
  /** How often one more was asked, because it did not come. */
  hedges = 0;
  #state: RangeState = WANTED;

  constructor(fromHeight: number, count: number) {
    this.fromHeight = fromHeight;
    this.count = count;
  }

  get state(): RangeState {
    return this.#state;
  }

  get lastHeight(): number {
    return this.fromHeight + this.count - 1;
  }

  /** Of blocks in hand. */
  get bytes(): number {
    return "bytes" in this.#state ? this.#state.bytes : 0;
  }

  get asks(): readonly Ask[] {
    return this.#state.name === "requested" ? this.#state.asks : [];
  }

  /** Wanted | Requested → Requested. */
  ask(ask: Ask): void {
    const { asks } = this.#state.name === "wanted" ? { asks: [] } : this.#is("requested");
    this.#state = { name: "requested", asks: [...asks, ask] };
  }

  /** Requested → Requested, or Wanted when it was the last request. */
  unask(request: number): void {
    const asks = this.#is("requested").asks.filter((ask) => ask.request !== request);
    this.#state = asks.length === 0 ? WANTED : { name: "requested", asks };
  }

  /** Requested → Requested, with the waits of all requests begun anew. */
  renew(nowMs: number): void {
    const asks = this.#is("requested").asks.map((ask) => ({ ...ask, sinceMs: nowMs }));
    this.#state = { name: "requested", asks };
  }

  /** Requested → Checking. */
  received(server: PeerId, bytes: number, tasksOpen: number): void {
    this.#is("requested");
    this.#state = { name: "checking", server, bytes, tasksOpen, checked: [] };
  }

  /** Checking → Checking, or Checked when these were the last blocks. */
  taskDone(blocks: readonly CheckedBlock[]): void {
    const { server, bytes, tasksOpen, checked } = this.#is("checking");
    const all = [...checked, ...blocks];
    if (tasksOpen > 1) {
      this.#state = { name: "checking", server, bytes, tasksOpen: tasksOpen - 1, checked: all };
      return;
    }
    invariant(all.length === this.count, "a range without all of its blocks");
    all.sort((a, b) => a.header.height - b.header.height);
    this.#state = { name: "checked", server, bytes, blocks: all };
  }

  /** Checking → Wanted: these are not its blocks. */
  spoiled(): void {
    this.#is("checking");
    this.#state = WANTED;
  }

  /** Checked → Connecting. */
  handOut(): readonly CheckedBlock[] {
    const { server, bytes, blocks } = this.#is("checked");
    this.#state = { name: "connecting", server, bytes, blocks };
    return blocks;
  }

  /** Its blocks, once they are connected, and who sent them. */
  connected(): StateOf<"connecting"> {
    return this.#is("connecting");
  }

  /** Whether one of its blocks, in hand and checked, has this hash. */
  has(hash: HashHex): boolean {
    const state = this.#state;
    const blocks = "blocks" in state ? state.blocks : "checked" in state ? state.checked : [];
    return blocks.some(({ header }) => header.hash === hash);
  }

  /** Who sent what is in hand. */
  get server(): PeerId | undefined {
    return "server" in this.#state ? this.#state.server : undefined;
  }

  #is<N extends StateName>(name: N): StateOf<N> {
    invariant(this.#state.name === name, `a range that is ${this.#state.name}, not ${name}`);
    return this.#state as StateOf<N>;
  }
}
