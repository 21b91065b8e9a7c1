// The keys of the long values that a writer committed last: their pages are still in memory, so that
// reading them waits for no disk. Bounded in bytes of values and in number; the oldest go first.

const BYTES_MAX = 16 * 1024 * 1024;
const COUNT_MAX = 256;

export class LatelyWritten {
  /** How long each value is; in order of writing. */
  private readonly lengths = new Map<string, number>();
  private bytes = 0;

  has(key: string): boolean {
    return this.lengths.has(key);
  }

  /** `value`: null when it was deleted. */
  add(key: string, value: Uint8Array | null): void {
    this.drop(key);
    if (value === null || value.length > BYTES_MAX) return;
    this.lengths.set(key, value.length);
    this.bytes += value.length;
    for (const oldest of this.lengths.keys()) {
      if (this.bytes <= BYTES_MAX && this.lengths.size <= COUNT_MAX) return;
      this.drop(oldest);
    }
  }

  private drop(key: string): void {
    this.bytes -= this.lengths.get(key) ?? 0;
    this.lengths.delete(key);
  }
}
