// Throttle: what a node's connections may carry in a second, both ways, and what of old blocks it
// serves in a day. The connections share one, which is an object beside the actors as the ledger of
// memory is: who waits for a turn is told by a function that tells its actor. Limits change while it
// runs.

import type { NetworkConfig } from "../../config.js";
import type { Clock, PeerId, Timer } from "../../ports.js";
import { FairRate } from "./fair-rate.js";
import { HistoryBudget, type HistoryReport } from "./history-budget.js";
import { Meter } from "./meter.js";

export type Limits = NetworkConfig["limits"];
type Settings = Pick<NetworkConfig, "limits" | "trustedPeers">;

export interface DirectionReport {
  /** 0: no limit. */
  readonly bytesPerSecond: number;
  /** Of each peer; 0: no limit. */
  readonly peerBytesPerSecond: number;
  /** What all connections carried in the last whole second. */
  readonly usedBytesPerSecond: number;
  /** Peers whose bytes wait for a turn. */
  readonly heldPeers: number;
}

/** What a node may carry, and what of it is used now. Structured-cloneable. */
export interface LimitsReport {
  readonly upload: DirectionReport;
  readonly download: DirectionReport;
  readonly history: HistoryReport;
}

/** A timer is not more exact. */
const TIMER_MS_MIN = 1;

export class Direction extends FairRate {
  readonly meter = new Meter();
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    super(() => this.#arm());
    this.#clock = clock;
  }

  #arm(): void {
    const nowMs = this.#clock.monotonicMs();
    const waitMs = Math.max(TIMER_MS_MIN, this.waitMs(nowMs));
    const dueMs = nowMs + waitMs;
    if (this.#timer !== undefined && dueMs >= this.#dueMs && waitMs < Number.POSITIVE_INFINITY) {
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dueMs = dueMs;
    // Nobody waits, and a timer would hold up the end of the process.
    if (waitMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.setTimer(waitMs, () => {
      this.#timer = undefined;
      this.turn(this.#clock.monotonicMs());
      this.#arm();
    });
  }
}

export class Throttle {
  readonly upload: Direction;
  readonly download: Direction;
  readonly history: HistoryBudget;
  /** Whom the configuration or the operator trusts now: what strangers share is not counted for them. */
  trusted: ReadonlySet<PeerId>;
  readonly #clock: Clock;
  #limits: Limits;

  constructor({ limits, trustedPeers }: Settings, clock: Clock) {
    this.#clock = clock;
    this.trusted = new Set(trustedPeers);
    this.#limits = limits;
    this.upload = new Direction(clock);
    this.download = new Direction(clock);
    this.history = new HistoryBudget(limits.historyBytesPerDay);
    this.limits = limits;
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** They hold at once. */
  set limits(limits: Limits) {
    const nowMs = this.#clock.monotonicMs();
    this.#limits = limits;
    this.upload.setRates(
      {
        bytesPerSecond: limits.uploadBytesPerSec,
        peerBytesPerSecond: limits.peerUploadBytesPerSec,
      },
      nowMs,
    );
    this.download.setRates(
      {
        bytesPerSecond: limits.downloadBytesPerSec,
        peerBytesPerSecond: limits.peerDownloadBytesPerSec,
      },
      nowMs,
    );
    this.history.bytesPerDay = limits.historyBytesPerDay;
  }

  report(): LimitsReport {
    const nowMs = this.#clock.monotonicMs();
    const { upload, download, history } = this;
    const { uploadBytesPerSec, downloadBytesPerSec } = this.#limits;
    const { peerUploadBytesPerSec, peerDownloadBytesPerSec } = this.#limits;
    return {
      upload: reportOf(upload, uploadBytesPerSec, peerUploadBytesPerSec, nowMs),
      download: reportOf(download, downloadBytesPerSec, peerDownloadBytesPerSec, nowMs),
      history: history.report(nowMs),
    };
  }
}

function reportOf(
  direction: Direction,
  bytesPerSecond: number,
  peerBytesPerSecond: number,
  nowMs: number,
): DirectionReport {
  const { heldCount: heldPeers, meter } = direction;
  const usedBytesPerSecond = meter.bytesPerSecond(nowMs);
  return { bytesPerSecond, peerBytesPerSecond, usedBytesPerSecond, heldPeers };
}
