// SyncPause: how long a producer stands back while this node syncs: a better chain may be on its way,
// or may never come. Counted over any number of syncs from the last one that brought a block, so that
// peers which begin one after another and give nothing stop nobody. Pure, with the time passed in.

/** A sync that connects no block for so long keeps nobody from producing. */
const PATIENCE_MS = 5_000;

export class SyncPause {
  #runs = false;
  /** When a sync last brought something, or the first one since began. */
  #sinceMs: number | undefined;

  started(nowMs: number): void {
    this.#runs = true;
    this.#sinceMs ??= nowMs;
  }

  progressed(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  /** `whole`: its chain is connected. */
  ended(whole: boolean): void {
    this.#runs = false;
    if (whole) this.#sinceMs = undefined;
  }

  leftMs(nowMs: number): number {
    if (!this.#runs || this.#sinceMs === undefined) return 0;
    return Math.max(0, this.#sinceMs + PATIENCE_MS - nowMs);
  }
}
