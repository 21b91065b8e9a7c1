// What one connection achieved: counts, moving averages and the 0-1 score that orders the peers
// which sync asks. Pure; owned by a PeerHandler.

/** Smoothing of the averages: RFC 6298's gain for a round-trip time. */
const GAIN = 1 / 8;
/** The delays at which half of a latency component is lost. */
const PING_HALF_MS = 200;
const RESPONSE_HALF_MS = 1_000;

/** A copy of the figures; milliseconds and counts. Averages are undefined until measured. */
export interface PerformanceSnapshot {
  readonly score: number;
  readonly pingMs: number | undefined;
  /** The peer's wall clock at our monotonic zero, as it told by `time/1`. */
  readonly clockEpochMs: number | undefined;
  readonly responseMs: number | undefined;
  readonly propagationMs: number | undefined;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly successes: number;
  readonly failures: number;
  readonly timeouts: number;
  readonly invalid: number;
  readonly duplicates: number;
  readonly violations: number;
}

export class PeerPerformance {
  pingMs: number | undefined;
  clockEpochMs: number | undefined;
  responseMs: number | undefined;
  propagationMs: number | undefined;
  messagesIn = 0;
  messagesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  successes = 0;
  failures = 0;
  timeouts = 0;
  invalid = 0;
  duplicates = 0;
  violations = 0;

  pong(elapsedMs: number): void {
    this.pingMs = smooth(this.pingMs, elapsedMs);
  }

  response(elapsedMs: number): void {
    this.successes++;
    this.responseMs = smooth(this.responseMs, elapsedMs);
  }

  propagated(elapsedMs: number): void {
    this.propagationMs = smooth(this.propagationMs, elapsedMs);
  }

  /**
   * 0-1: four tenths for answered requests, three for the ping, two for the speed of answers, one
   * for valid content. An unmeasured peer stands in the middle, so that it is tried.
   */
  score(): number {
    const asked = this.successes + this.failures + this.timeouts;
    const answered = (this.successes + 1) / (asked + 2);
    const wrong = this.invalid + 10 * this.violations;
    const valid = 1 / (1 + wrong);
    return (
      0.4 * answered +
      0.3 * halving(this.pingMs, PING_HALF_MS) +
      0.2 * halving(this.responseMs, RESPONSE_HALF_MS) +
      0.1 * valid
    );
  }

  snapshot(): PerformanceSnapshot {
    // Field by field: a spread gives each of them a shape of its own, 700 bytes.
    return {
      score: this.score(),
      pingMs: this.pingMs,
      clockEpochMs: this.clockEpochMs,
      responseMs: this.responseMs,
      propagationMs: this.propagationMs,
      messagesIn: this.messagesIn,
      messagesOut: this.messagesOut,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      successes: this.successes,
      failures: this.failures,
      timeouts: this.timeouts,
      invalid: this.invalid,
      duplicates: this.duplicates,
      violations: this.violations,
    };
  }
}

function smooth(average: number | undefined, sample: number): number {
  return average === undefined ? sample : average + GAIN * (sample - average);
}

function halving(value: number | undefined, halfAt: number): number {
  return value === undefined ? 0.5 : halfAt / (halfAt + value);
}
