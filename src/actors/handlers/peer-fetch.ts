// PeerFetch: carries out what a Fetcher plans. Sends the requests to peer handlers, forgets those
// that stop, and looks again every now and then. Owned by a handler, which gives it each
// announcement and answer, and calls `proceed` after each batch of messages.

import type { Context } from "../../runtime/actor.js";
import type { HashHex } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";
import type { Message } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import { askPeer, type RequestOutcome } from "../peer/ask-peer.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import type { FetchLimits } from "./fetch-announcer.js";
import { Fetcher, type PlannedRequest } from "./fetcher.js";
import { LateIds, type LateLimits } from "./late-ids.js";

export type PeerFetchMessage =
  | RequestOutcome
  /** Some of what is wanted may be asked of others now. */
  | { readonly type: "FetchDue" }
  /** A peer handler stopped, after all that it told. */
  | { readonly type: "PeerStopped"; readonly path: string };

type FetchContext = Context<PeerFetchMessage, Pick<NodeEnv, "clock" | "throttle">>;

/** Who announced, and by which of its connections. */
type Announcing = Pick<Incoming, "peerId" | "from">;

/** `tag`: of its outcome. */
type RequestOf = (request: PlannedRequest<HashHex, Announcing>) => Message;

export interface PeerFetchOptions {
  readonly limits: FetchLimits;
  readonly late: LateLimits;
  /** Of two that one actor has: their requests and timers are told apart by it. */
  readonly series?: 0 | 1;
  readonly requestOf: RequestOf;
}

/** Finer than the least time for which anybody is waited for. */
const INTERVAL_MS = 50;
/** The same for what is likely to be pushed. */
const LATE_INTERVAL_MS = 10;

export class PeerFetch {
  readonly #options: PeerFetchOptions;
  readonly #fetcher: Fetcher<HashHex, Announcing>;
  readonly #late: LateIds<Announcing>;
  readonly #series: 0 | 1;
  /** Who announced what was not pushed in time, since `takeMissed`. */
  readonly #missed = new Set<PeerId>();
  #timing = false;

  constructor(options: PeerFetchOptions) {
    this.#options = options;
    this.#fetcher = new Fetcher(options.limits);
    this.#late = new LateIds(options.late);
    this.#series = options.series ?? 0;
  }

  get wants(): Pick<Fetcher<HashHex, unknown>, "has" | "hold" | "letGo" | "arrived"> {
    return this.#fetcher;
  }

  /** The most that unanswered requests may bring. */
  get leasedBytes(): number {
    return this.#fetcher.leasedBytes;
  }

  /** Of all announcers. */
  get offerCount(): number {
    return this.#fetcher.offerCount + this.#late.size;
  }

  /** Remembers who has what is not in hand. */
  announced({ peerId, from }: Announcing, ids: readonly HashHex[], context: FetchContext): void {
    if (ids.length === 0) return;
    const nowMs = context.env.clock.monotonicMs();
    const isNew = this.#fetcher.announced(from.path, { peerId, from }, ids, nowMs);
    // It may stop with a request in its mailbox.
    if (isNew) context.watch(from);
  }

  /** The same, but a push may bring it, which is waited for. */
  heard(announcing: Announcing, ids: readonly HashHex[], context: FetchContext): void {
    const { from, peerId } = announcing;
    const nowMs = context.env.clock.monotonicMs();
    const due = ids.filter((id) => !this.#late.heard(id, from.path, announcing, nowMs));
    if (due.length > 0) this.#missed.add(peerId);
    if (due.length < ids.length) context.watch(from);
    this.announced(announcing, due, context);
  }

  /**
   * A body came; `isPush`: nobody was asked for it. Answers who told of it meanwhile: they may be asked
   * for it, unless it is said that it arrived.
   */
  came(id: HashHex, isPush: boolean, context: FetchContext): readonly PeerId[] {
    const tellers = this.#late.arrived(id, isPush, context.env.clock.monotonicMs());
    for (const teller of tellers) this.announced(teller, [id], context);
    return tellers.map(({ peerId }) => peerId);
  }

  /** Whom this node had to ask for what others should have pushed. */
  takeMissed(): readonly PeerId[] {
    if (this.#missed.size === 0) return [];
    const missed = [...this.#missed];
    this.#missed.clear();
    return missed;
  }

  /** The outcome of a request of this tag is for this one. */
  owns(tag: number): boolean {
    return tag % 2 === this.#series;
  }

  /** An answer with these ids; which of them were asked for, if it was. */
  answered(
    tag: number,
    ids: readonly HashHex[],
    { env }: FetchContext,
  ): ReadonlySet<HashHex> | undefined {
    return this.#fetcher.answered(tag >> 1, ids, env.clock.monotonicMs());
  }

  failed({ tag, reason }: RequestOutcome & { ok: false }, { env }: FetchContext): void {
    const busy = reason === "Busy" || reason === "RateLimited";
    this.#fetcher.failed(tag >> 1, env.clock.monotonicMs(), busy);
  }

  stopped(path: string): void {
    this.#fetcher.gone(path);
    this.#late.gone(path);
  }

  /** FetchDue came. */
  due(): void {
    this.#timing = false;
  }

  /** Asks for what may be asked for. `heldBytes`: of bodies that came and are still held. */
  proceed(context: FetchContext, heldBytes = 0): void {
    if (this.#isIdle) return;
    const { clock, throttle } = context.env;
    const nowMs = clock.monotonicMs();
    for (const { id, tellers } of this.#late.takeDue(nowMs)) {
      for (const teller of tellers) {
        this.#missed.add(teller.peerId);
        this.announced(teller, [id], context);
      }
    }
    const isHeld = ({ from }: Announcing): boolean => throttle.download.isHeld(from.path);
    for (const planned of this.#fetcher.plan(nowMs, heldBytes, isHeld)) {
      const { peerId, from: handler } = planned.to;
      const tag = 2 * planned.tag + this.#series;
      const message = this.#options.requestOf({ ...planned, tag });
      askPeer({ peerId, handler, message, tag }, context);
    }
    if (this.#timing || this.#isIdle) return;
    this.#timing = true;
    const delayMs = this.#late.size > 0 ? LATE_INTERVAL_MS : INTERVAL_MS;
    context.startTimer(`fetch ${this.#series}`, delayMs, { type: "FetchDue" });
  }

  get #isIdle(): boolean {
    return this.#late.size === 0 && this.#fetcher.idle;
  }

  invariants(): void {
    this.#fetcher.invariants();
    this.#late.invariants();
  }

  atRest(): void {
    this.#fetcher.atRest();
  }
}
