// What was served to whom lately, so that it can be checked when a peer refuses it. Pure; owned by
// the storage integration.

import { LRUCache } from "lru-cache";

/** Consecutive canonical blocks, or their headers alone. */
export interface ServedSpan {
  readonly fromHeight: number;
  readonly count: number;
  readonly bodies: boolean;
}

const PEERS_MAX = 64;
/** As many answers as can be on their way to a peer, twice. */
const SPANS_MAX = 32;

export class ServedSpans {
  /** By the path of the peer's handler. */
  readonly #spans = new LRUCache<string, ServedSpan[]>({ max: PEERS_MAX });

  add(path: string, span: ServedSpan): void {
    const spans = this.#spans.get(path) ?? [];
    spans.push(span);
    if (spans.length > SPANS_MAX) spans.shift();
    this.#spans.set(path, spans);
  }

  of(path: string): readonly ServedSpan[] {
    return this.#spans.get(path) ?? [];
  }
}
