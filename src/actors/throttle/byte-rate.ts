// ByteRate: a token bucket of bytes that may be overdrawn, so that what cannot wait goes first and is
// repaid by what can. Counted in whole numbers, in microseconds and millionths of a byte: the same
// calls give the same answers on every machine. Pure: the time is passed in.

/** What comes in a microsecond is `bytesPerSecond` of these. */
const PARTS_PER_BYTE = 1_000_000;
/** A bucket holds what comes in so long. */
const BURST_MS = 125;
/** And at least so much: two writes of a connection. */
const BURST_BYTES_MIN = 32 * 1024;

export class ByteRate {
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
  #parts: number;
  #atUs: number;

  /** Full. A whole number from 1 to 2^32. */
  constructor(bytesPerSecond: number, nowMs: number) {
    this.bytesPerSecond = bytesPerSecond;
    const burstBytes = Math.floor((bytesPerSecond * BURST_MS) / 1_000);
    this.burstBytes = Math.max(burstBytes, BURST_BYTES_MIN);
    this.#parts = this.burstBytes * PARTS_PER_BYTE;
    this.#atUs = Math.round(nowMs * 1_000);
  }

  /** What may go now, rounded down; less than nothing while it is overdrawn. */
  bytes(nowMs: number): number {
    this.#fill(nowMs);
    return Math.floor(this.#parts / PARTS_PER_BYTE);
  }

  take(bytes: number): void {
    this.#parts -= bytes * PARTS_PER_BYTE;
  }

  /** What was taken and not used. */
  give(bytes: number): void {
    const parts = this.#parts + bytes * PARTS_PER_BYTE;
    this.#parts = Math.min(parts, this.burstBytes * PARTS_PER_BYTE);
  }

  /** How long until a byte may go. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs);
    const lacking = PARTS_PER_BYTE - this.#parts;
    return lacking <= 0 ? 0 : Math.ceil(lacking / this.bytesPerSecond) / 1_000;
  }

  #fill(nowMs: number): void {
    const nowUs = Math.round(nowMs * 1_000);
    const elapsedUs = nowUs - this.#atUs;
    if (elapsedUs <= 0) return;
    this.#atUs = nowUs;
    const full = this.burstBytes * PARTS_PER_BYTE;
    // A full bucket needs no product, which could be too large to be exact.
    const fills = elapsedUs >= (full - this.#parts) / this.bytesPerSecond;
    this.#parts = fills ? full : this.#parts + elapsedUs * this.bytesPerSecond;
  }
}
