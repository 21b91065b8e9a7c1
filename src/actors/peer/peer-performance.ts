// How a peer does on its connection: counts and moving averages, and the score of 0 to 1 that they and
// what is known of it else make, by which it is chosen. Pure. A PeerHandler measures, the registry
// puts it together; docs/operations.md says what each figure is for.

import type { SessionFigures } from "../../protocol/session/session-types.js";
import type { GossipFigures } from "./gossip-times.js";
import type { PeerDeeds } from "./peer-deeds.js";

/** Smoothing of the averages: RFC 6298's gain for a round-trip time. */
const GAIN = 1 / 8;
/** The delays at which half of a latency component is lost. */
const PING_HALF_MS = 200;
const RESPONSE_HALF_MS = 1_000;
const NEWS_HALF_MS = 500;
/** An offence weighs as so many useful blocks or transactions. */
const OFFENCE_WEIGHT = 10;

/** What its connection measured, as a copy; milliseconds and counts. Averages are undefined until measured. */
export interface Measured {
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
  /** News of it that was dropped because more came of all peers than is dealt with. */
  readonly droppedBusy: number;
  /** Until its messages were handed on to whoever handles them, and until they were dealt with then. */
  readonly queuedMs: number | undefined;
  readonly handledMs: number | undefined;
  readonly successes: number;
  readonly failures: number;
  readonly timeouts: number;
}

/** All of it, as the registry has it. */
export interface PerformanceSnapshot extends Measured, GossipFigures {
  readonly score: number;
}

type Figures = Omit<SessionFigures, "historyBytesOut">;

const NOTHING: Figures = {
  messagesIn: 0,
  messagesOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  droppedOut: 0,
  droppedIn: 0,
};

/** Of a message through the node: monotonic milliseconds; `handedMs` is below 0 where it was not handed on. */
interface Passage {
  readonly arrivedMs: number;
  readonly handedMs: number;
  readonly isLost: boolean;
}

export class PeerPerformance {
  pingMs: number | undefined;
  pingMinMs: number | undefined;
  clockEpochMs: number | undefined;
  responseMs: number | undefined;
  droppedBusy = 0;
  // Numbers from the start: what was `undefined` once is boxed anew at each message. NaN: none yet.
  queuedMs = Number.NaN;
  handledMs = Number.NaN;
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

  /** A message of the peer was dealt with, or dropped. */
  dealt({ arrivedMs, handedMs, isLost }: Passage, nowMs: number): void {
    if (isLost) this.droppedBusy++;
    if (handedMs < 0) return;
    const queuedMs = handedMs - arrivedMs;
    const handledMs = Math.trunc(nowMs) - handedMs;
    if (Number.isNaN(this.queuedMs)) {
      this.queuedMs = queuedMs;
      this.handledMs = handledMs;
      return;
    }
    this.queuedMs += GAIN * (queuedMs - this.queuedMs);
    this.handledMs += GAIN * (handledMs - this.handledMs);
  }

  snapshot(figures: Readonly<Figures> = NOTHING): Measured {
    // Field by field: a spread gives each of them a shape of its own, 700 bytes.
    return {
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
      droppedBusy: this.droppedBusy,
      queuedMs: measuredOf(this.queuedMs),
      handledMs: measuredOf(this.handledMs),
      successes: this.successes,
      failures: this.failures,
      timeouts: this.timeouts,
    };
  }
}

function measuredOf(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

export function performanceOf(
  measured: Measured,
  gossip: GossipFigures,
  deeds: PeerDeeds,
): PerformanceSnapshot {
  // Field by field, as above: three spreads made 18 KB of garbage for each connection that began.
  return {
    pingMs: measured.pingMs,
    pingMinMs: measured.pingMinMs,
    clockEpochMs: measured.clockEpochMs,
    responseMs: measured.responseMs,
    messagesIn: measured.messagesIn,
    messagesOut: measured.messagesOut,
    bytesIn: measured.bytesIn,
    bytesOut: measured.bytesOut,
    droppedOut: measured.droppedOut,
    droppedIn: measured.droppedIn,
    droppedBusy: measured.droppedBusy,
    queuedMs: measured.queuedMs,
    handledMs: measured.handledMs,
    successes: measured.successes,
    failures: measured.failures,
    timeouts: measured.timeouts,
    blockDelayMs: gossip.blockDelayMs,
    transactionDelayMs: gossip.transactionDelayMs,
    duplicates: gossip.duplicates,
    score: scoreOf(measured, gossip, deeds),
  };
}

type Answers = Pick<Measured, "successes" | "failures" | "timeouts" | "pingMs" | "responseMs">;
type Delays = Pick<GossipFigures, "blockDelayMs" | "transactionDelayMs">;
type Deeds = Pick<PeerDeeds, "usefulBlocks" | "usefulTransactions" | "invalid" | "violations">;

/**
 * 0-1: four tenths for answered requests, two each for the ping and for the speed of answers, one for
 * how soon its news comes and one for how much of it is sound. What is not measured counts half, so
 * that a new peer is tried.
 */
export function scoreOf(measured: Answers, gossip: Delays, deeds: Deeds): number {
  const { successes } = measured;
  const asked = successes + measured.failures + measured.timeouts;
  const answered = (successes + 1) / (asked + 2);
  const blocks = halving(gossip.blockDelayMs, NEWS_HALF_MS);
  const transactions = halving(gossip.transactionDelayMs, NEWS_HALF_MS);
  const useful = deeds.usefulBlocks + deeds.usefulTransactions + 1;
  const sound = useful / (useful + OFFENCE_WEIGHT * (deeds.invalid + deeds.violations));
  return (
    0.4 * answered +
    0.2 * halving(measured.pingMs, PING_HALF_MS) +
    0.2 * halving(measured.responseMs, RESPONSE_HALF_MS) +
    0.05 * blocks +
    0.05 * transactions +
    0.1 * sound
  );
}

function halving(value: number | undefined, halfAt: number): number {
  return value === undefined ? 0.5 : halfAt / (halfAt + value);
}
