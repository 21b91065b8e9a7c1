// Whose fault slowness is. Reports of it are held for a moment, in which it shows whether many peers
// failed together; then they are charged, or nobody is: what this process, its pool or its line cannot
// do is no peer's fault. Pure; owned by the reputation actor.

import type { NetworkConfig } from "../../config.js";
import type { PeerId } from "../../ports.js";
import type { Deed } from "./reputation-events.js";

export interface SlowReport extends Deed {
  readonly peerId: PeerId;
}

export interface Judged {
  /** To be charged. */
  readonly charged: readonly SlowReport[];
  /** Why it is our own fault; then nobody is charged. */
  readonly excuse: string | undefined;
  /** Reports that cost nobody anything, since this was said last. Undefined: nothing is to be said. */
  readonly excused: number | undefined;
}

/** Reports that are held; more in so short a time are of a storm, and cost nobody anything. */
const HELD_MAX = 256;
/** Fewer peers than this may fail together by chance. */
const TOGETHER_MIN = 3;
/** How often the log says that this node is at fault. */
const SAID_EVERY_MS = 60_000;

export class Slowness {
  readonly #settings: Pick<NetworkConfig["reputation"], "selfBlameLoopDelayMs">;
  #held: SlowReport[] = [];
  #excuse: string | undefined;
  #excused = 0;
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(settings: Pick<NetworkConfig["reputation"], "selfBlameLoopDelayMs">) {
    this.#settings = settings;
  }

  /** True: it is the first, and `judge` is to be called in a moment. */
  hold(report: SlowReport, own: OwnState): boolean {
    this.#excuse ??= this.#excuseOf(own);
    if (this.#held.length < HELD_MAX) this.#held.push(report);
    else this.#excused++;
    return this.#held.length === 1;
  }

  /** Of what was held; nothing is any more. `readyPeers`: 0 if nobody counts them. */
  judge(own: OwnState, readyPeers: number, nowMs: number): Judged {
    const held = this.#held;
    const excuse = this.#excuse ?? this.#excuseOf(own) ?? together(held, readyPeers);
    this.#held = [];
    this.#excuse = undefined;
    if (excuse === undefined) return { charged: held, excuse, excused: undefined };
    this.#excused += held.length;
    if (nowMs - this.#saidMs < SAID_EVERY_MS) return { charged: [], excuse, excused: undefined };
    const excused = this.#excused;
    this.#excused = 0;
    this.#saidMs = nowMs;
    return { charged: [], excuse, excused };
  }

  #excuseOf({ loopDelayMs, pool }: OwnState): string | undefined {
    if (loopDelayMs > this.#settings.selfBlameLoopDelayMs) {
      return `this process was held up for ${Math.round(loopDelayMs)} ms`;
    }
    if (pool === undefined || pool.queued === 0 || 2 * pool.queued < pool.queueMax)
      return undefined;
    return `${pool.queued} tasks wait for the pool`;
  }
}

/** How this node is doing itself. */
export interface OwnState {
  readonly loopDelayMs: number;
  readonly pool: { readonly queued: number; readonly queueMax: number } | undefined;
}

function together(held: readonly SlowReport[], readyPeers: number): string | undefined {
  const failed = new Set(held.map(({ peerId }) => peerId)).size;
  const many = Math.max(TOGETHER_MIN, readyPeers / 2);
  if (readyPeers === 0 || failed < many) return undefined;
  return `${failed} of ${readyPeers} peers failed together`;
}
