// What one connection achieved: counts, moving averages and the 0-1 score that orders the peers
// which sync asks. Pure; owned by a PeerHandler.

import type { SessionFigures } from "../../protocol/session/session-types.js";

/** Smoothing of the averages: RFC 6298's gain for a round-trip time. */
const GAIN = 1 / 8;
/** The delays at which half of a latency component is lost. */
const PING_HALF_MS = 200;
const RESPONSE_HALF_MS = 1_000;

/** A copy of the figures; milliseconds and counts. Averages are undefined until measured. */
export interface PerformanceSnapshot {
  readonly score: number;
  readonly pingMs: number | undefined;
  /** The shortest round trip so far: what a stranger cannot make shorter than its line is. */
  readonly pingMinMs: number | undefined;
  /** The peer's wall clock at our monotonic zero, as it told by `time/1`. */
  readonly clockEpochMs: number | undefined;
  readonly responseMs: number | undefined;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** News that the peer was not sent, because too much waited for it. */
  readonly droppedOut: number;
  /** One-way messages that came above what it may send. */
  readonly droppedIn: number;
  readonly successes: number;
  readonly failures: number;
  readonly timeouts: number;
}

const NOTHING: SessionFigures = {
  messagesIn: 0,
  messagesOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  droppedOut: 0,
  droppedIn: 0,
};

export class PeerPerformance {
  pingMs: number | undefined;
  pingMinMs: number | undefined;
  clockEpochMs: number | undefined;
  responseMs: number | undefined;
  successes = 0;
  failures = 0;
  timeouts = 0;

  /** `smoothedMs`: of all round trips so far, as the session has it. */
  pinged(elapsedMs: number, smoothedMs: number | undefined): void {
    this.pingMs = smoothedMs;
    this.pingMinMs = Math.min(elapsedMs, this.pingMinMs ?? elapsedMs);
  }

  answered(elapsedMs: number): void {
    this.successes++;
    this.responseMs =
      this.responseMs === undefined
        ? elapsedMs
        : this.responseMs + GAIN * (elapsedMs - this.responseMs);
  }

  /**
   * 0-1: half of it for answered requests, three tenths for the ping, two for the speed of answers.
   * An unmeasured peer stands in the middle, so that it is tried.
   */
  score(): number {
    const asked = this.successes + this.failures + this.timeouts;
    const answered = (this.successes + 1) / (asked + 2);
    return (
      0.5 * answered +
      0.3 * halving(this.pingMs, PING_HALF_MS) +
      0.2 * halving(this.responseMs, RESPONSE_HALF_MS)
    );
  }

  snapshot(figures: Readonly<SessionFigures> = NOTHING): PerformanceSnapshot {
    // Field by field: a spread gives each of them a shape of its own, 700 bytes.
    return {
      score: this.score(),
      pingMs: this.pingMs,
      pingMinMs: this.pingMinMs,
      clockEpochMs: this.clockEpochMs,
      responseMs: this.responseMs,
      messagesIn: figures.messagesIn,
      messagesOut: figures.messagesOut,
      bytesIn: figures.bytesIn,
      bytesOut: figures.bytesOut,
      droppedOut: figures.droppedOut,
      droppedIn: figures.droppedIn,
      successes: this.successes,
      failures: this.failures,
      timeouts: this.timeouts,
    };
  }
}

function halving(value: number | undefined, halfAt: number): number {
  return value === undefined ? 0.5 : halfAt / (halfAt + value);
}
