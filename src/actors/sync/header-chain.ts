// HeaderChain: the checked headers of one peer's chain, from where it parts from ours. A window of
// them is held; a branch that proves no more work than ours within it is surveyed, and its headers
// come once more when it turns out to be heavier. Pure.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { HashHex, HeaderSummary } from "../../types/chain.js";

export interface ProvenHeader {
  readonly summary: HeaderSummary;
  readonly bytes: Uint8Array;
}

/** A header that a chain must have, because its work was counted with it. */
type Mark = Pick<HeaderSummary, "height" | "hash">;

export type HeaderLimits = Pick<
  NetworkConfig["sync"],
  "headersPerRequest" | "headersAheadMax" | "headersSurveyedMax"
>;

/** What a header costs beside its own bytes: its summary and the objects around both, measured. */
export const HEADER_OVERHEAD_BYTES = 640;
/** By the protocol, with 1 KiB of extra. */
const HEADER_BYTES_MAX = 1_175;
const HELD_BYTES_MAX = HEADER_BYTES_MAX + HEADER_OVERHEAD_BYTES;
/** The plan of memory counts so many for each header of the window. */
const HEADER_PLANNED_BYTES = 1_024;

export class HeaderChain {
  readonly #limits: HeaderLimits;
  /** The share of the window that this chain may fill: one of so many. */
  #share: number;
  /** Headers above `#base`, ascending without a gap; during a survey those after its last mark. */
  readonly #headers: ProvenHeader[] = [];
  #heldBytes = 0;
  /**
   * Set while headers are surveyed: more of them than there is room for were checked before their
   * work exceeded ours, and only this one is kept of them.
   */
  #surveyed: ProvenHeader | undefined;
  #surveyedCount = 0;
  /** The best header of a survey that found the heavier chain. */
  #promised: HeaderSummary | undefined;
  /** What the survey passed, ascending: its headers, which come once more, must pass it too. */
  readonly #marks: Mark[] = [];
  /** The height of the last mark that was passed. */
  #passedHeight = 0;
  /** The block below the first header: connected. */
  #base: ProvenHeader;
  /** The peer has no more headers, or no more of them are wanted. */
  exhausted = false;

  /** `share`: how many such chains share the window. */
  constructor(fork: ProvenHeader, limits: HeaderLimits, share = 1) {
    this.#base = fork;
    this.#limits = limits;
    this.#share = share;
  }

  /** The block below the first header. */
  get base(): ProvenHeader {
    return this.#base;
  }

  /** The last checked header. */
  get tip(): ProvenHeader {
    return this.#headers.at(-1) ?? this.#surveyed ?? this.#base;
  }

  /** The best header that the chain is known to have, whether it is at hand or not. */
  get best(): HeaderSummary {
    return this.#promised ?? this.tip.summary;
  }

  /** Of headers at hand, with what they cost beside. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Headers at hand. */
  get count(): number {
    return this.#headers.length;
  }

  get surveying(): boolean {
    return this.#surveyed !== undefined;
  }

  /** Headers of a survey come once more, and its end is not reached yet. */
  get retracing(): boolean {
    return this.#promised !== undefined;
  }

  /** Up to here bodies may be asked for: behind the last mark headers may be another chain's. */
  get usableHeight(): number {
    return this.retracing ? this.#passedHeight : this.tip.summary.height;
  }

  /** Headers at hand whose bodies may be asked for. */
  get usableCount(): number {
    return Math.max(0, this.usableHeight - this.#base.summary.height);
  }

  /** How many headers to ask for: as many as there is room for, but not in driblets. */
  get wanted(): number {
    if (this.exhausted) return 0;
    const held = { count: this.#headers.length, bytes: this.#heldBytes };
    return headersToAsk(this.#limits, this.#share, held);
  }

  get full(): boolean {
    return !this.exhausted && this.wanted === 0;
  }

  /** It was chosen: the whole window is its own. */
  widen(): void {
    this.#share = 1;
  }

  /**
   * Extends the chain by headers that were checked on top of `tip`. False: they leave the chain
   * whose work was counted.
   */
  add(headers: readonly ProvenHeader[]): boolean {
    for (const header of headers) {
      const { height, hash, previousHash } = header.summary;
      invariant(previousHash === this.tip.summary.hash, "headers do not continue the chain");
      this.#headers.push(header);
      this.#heldBytes += heldBytes(header);
      const mark = this.#marks[0];
      if (this.surveying || mark === undefined || height < mark.height) continue;
      if (hash !== mark.hash) return false;
      this.#marks.shift();
      this.#passedHeight = height;
      if (this.#marks.length === 0) this.#promised = undefined;
    }
    return true;
  }

  /**
   * There is no room for more headers and their work does not exceed ours yet: goes on with a mark
   * in place of them. A branch of many light blocks is followed so in bounded memory.
   */
  survey(): void {
    invariant(this.#promised === undefined, "a survey comes before the bodies");
    const passed = this.#headers.splice(0);
    this.#heldBytes = 0;
    this.#surveyed = passed.at(-1);
    invariant(this.#surveyed !== undefined, "a survey of no headers");
    this.#surveyedCount += passed.length;
    const { height, hash } = this.#surveyed.summary;
    this.#marks.push({ height, hash });
    if (this.#surveyedCount >= this.#limits.headersSurveyedMax) this.exhausted = true;
  }

  /** The surveyed chain is heavier: its headers are asked for once more, and held to the marks. */
  retrace(): void {
    this.#promised = this.tip.summary;
    const { height, hash } = this.#promised;
    if (this.#headers.length > 0) this.#marks.push({ height, hash });
    this.#headers.length = 0;
    this.#heldBytes = 0;
    this.#surveyed = undefined;
    this.exhausted = false;
  }

  /** The first `count` are connected. */
  connected(count: number): void {
    const gone = this.#headers.splice(0, count);
    invariant(gone.length === count, "connected more than was proven");
    for (const header of gone) this.#heldBytes -= heldBytes(header);
    this.#base = gone.at(-1) ?? this.#base;
  }

  /** The header at a height; that of `base` for the parent of the first one. */
  at(height: number): ProvenHeader {
    const index = height - this.#base.summary.height - 1;
    const header = index === -1 ? this.#base : this.#headers[index];
    invariant(header !== undefined, `no header at height ${height}`);
    return header;
  }

  hashAt(height: number): HashHex {
    return this.at(height).summary.hash;
  }

  invariants(): void {
    const { countMax, bytesMax } = windowOf(this.#limits, 1);
    invariant(this.#headers.length <= countMax, `${this.#headers.length} headers`);
    invariant(this.#heldBytes <= bytesMax, `${this.#heldBytes} bytes of headers`);
    const bytes = this.#headers.reduce((sum, header) => sum + heldBytes(header), 0);
    invariant(this.#heldBytes === bytes, "headers are counted wrongly");
  }
}

/** How many may be asked for beside those that are held; 0: too few to be worth a request. */
export function headersToAsk(
  limits: HeaderLimits,
  share: number,
  held: { readonly count: number; readonly bytes: number } = { count: 0, bytes: 0 },
): number {
  const { countMax, bytesMax } = windowOf(limits, share);
  const fit = (bytes: number): number => Math.floor((bytesMax - bytes) / HELD_BYTES_MAX);
  const room = Math.min(countMax - held.count, fit(held.bytes));
  const least = Math.ceil(Math.min(countMax, fit(0)) / 2);
  const { headersPerRequest } = limits;
  return room >= Math.min(headersPerRequest, least) ? Math.min(headersPerRequest, room) : 0;
}

function windowOf({ headersAheadMax }: HeaderLimits, share: number) {
  const countMax = Math.max(2, Math.floor(headersAheadMax / share));
  return { countMax, bytesMax: Math.max(2 * HELD_BYTES_MAX, countMax * HEADER_PLANNED_BYTES) };
}

function heldBytes({ bytes }: ProvenHeader): number {
  return bytes.length + HEADER_OVERHEAD_BYTES;
}
