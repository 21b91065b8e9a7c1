// The largest of the values of the last half to whole minute: a maximum since the start would tell of
// a bad moment for ever, and hide every later one that is not worse.

const WINDOW_MS = 30_000;

export class WindowMax {
  private current = 0;
  private before = 0;
  private sinceMs = Number.NEGATIVE_INFINITY;

  add(value: number, nowMs: number): void {
    if (nowMs - this.sinceMs >= WINDOW_MS) this.turn(nowMs);
    if (value > this.current) this.current = value;
  }

  read(nowMs: number): number {
    if (nowMs - this.sinceMs >= WINDOW_MS) this.turn(nowMs);
    return Math.max(this.current, this.before);
  }

  private turn(nowMs: number): void {
    this.before = nowMs - this.sinceMs < 2 * WINDOW_MS ? this.current : 0;
    this.current = 0;
    this.sinceMs = nowMs;
  }
}
