// Memory that all connections share, as one number: who wants some takes it before use and gives it
// back after. The registry owns one for the growth of credit windows; each peer handler draws on it.

import { invariant } from "../../errors.js";

export class ByteBudget {
  readonly #bytesMax: number;
  #takenBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** All or nothing. */
  take(bytes: number): boolean {
    if (this.#takenBytes + bytes > this.#bytesMax) return false;
    this.#takenBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#takenBytes -= bytes;
    invariant(this.#takenBytes >= 0, "more given back than was taken");
  }

  invariants(): void {
    invariant(this.#takenBytes <= this.#bytesMax, "more taken than there is");
  }
}
