// A cache of the latest values of one table: a read through lmdb costs 2 microseconds, one from
// here a fifth, and a block reads a hundred. Two generations instead of a list: when the young one
// is full it becomes the old one, and what is used again moves back. Values are kept as text: a
// string of 8 bytes takes 24 bytes of heap, a typed array 200, and never pins a larger buffer.

import { fromLatin1, toLatin1 } from "../bytes/compare.js";

/** What an entry costs beside its key and value, roughly, in V8. */
const ENTRY_BYTES = 120;

export class RecentValues {
  private readonly generationBytesMax: number;
  private youngBytes = 0;
  private young = new Map<string, string | null>();
  private old = new Map<string, string | null>();

  constructor(bytesMax: number) {
    this.generationBytesMax = bytesMax / 2;
  }

  /** A copy. Null: known to be absent. Undefined: not known. */
  get(key: string): Uint8Array | null | undefined {
    let text = this.young.get(key);
    if (text === undefined) {
      text = this.old.get(key);
      if (text === undefined) return undefined;
      this.setText(key, text);
    }
    return text === null ? null : fromLatin1(text);
  }

  clear(): void {
    this.young = new Map();
    this.old = new Map();
    this.youngBytes = 0;
  }

  set(key: string, value: Uint8Array | null): void {
    this.setText(key, value && toLatin1(value));
  }

  private setText(key: string, text: string | null): void {
    this.young.set(key, text);
    this.youngBytes += ENTRY_BYTES + key.length + (text?.length ?? 0);
    if (this.youngBytes <= this.generationBytesMax) return;
    this.old = this.young;
    this.young = new Map();
    this.youngBytes = 0;
  }
}
