// Meter: bytes of the last whole second. Pure: the time is passed in.

export class Meter {
  #second = Number.NEGATIVE_INFINITY;
  #bytes = 0;
  #lastBytes = 0;

  count(bytes: number, nowMs: number): void {
    this.#roll(nowMs);
    this.#bytes += bytes;
  }

  bytesPerSecond(nowMs: number): number {
    this.#roll(nowMs);
    return this.#lastBytes;
  }

  #roll(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second === this.#second) return;
    this.#lastBytes = second === this.#second + 1 ? this.#bytes : 0;
    this.#second = second;
    this.#bytes = 0;
  }
}
