// PeerFetch: carries out what a Fetcher plans. Sends the requests to peer handlers, forgets those
// that stop, and looks again every now and then. Owned by a handler, which gives it each
// announcement and answer, and calls `proceed` after each batch of messages.

import type { Context } from "../../runtime/actor.js";
import type { HashHex } from "../../types/chain.js";
import type { Message } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import { askPeer, type RequestOutcome } from "../peer/ask-peer.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import type { FetchLimits } from "./fetch-announcer.js";
import { Fetcher, type PlannedRequest } from "./fetcher.js";

export type PeerFetchMessage =
  | RequestOutcome
  /** Some of what is wanted may be asked of others now. */
  | { readonly type: "FetchDue" }
  /** A peer handler stopped, after all that it told. */
  | { readonly type: "PeerStopped"; readonly path: string };

type FetchContext = Context<PeerFetchMessage, Pick<NodeEnv, "clock" | "throttle">>;

/** Who announced, and by which of its connections. */
type Announcing = Pick<Incoming, "peerId" | "from">;

type RequestOf = (request: PlannedRequest<HashHex, Announcing>) => Message;

/** Finer than the least time for which anybody is waited for. */
const INTERVAL_MS = 50;

export class PeerFetch {
  readonly #fetcher: Fetcher<HashHex, Announcing>;
  readonly #requestOf: RequestOf;
  #timing = false;

  constructor(limits: FetchLimits, requestOf: RequestOf) {
    this.#fetcher = new Fetcher(limits);
    this.#requestOf = requestOf;
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
    return this.#fetcher.offerCount;
  }

  /** Remembers who has what is not in hand. */
  announced({ peerId, from }: Announcing, ids: readonly HashHex[], context: FetchContext): void {
    if (ids.length === 0) return;
    const nowMs = context.env.clock.monotonicMs();
    const isNew = this.#fetcher.announced(from.path, { peerId, from }, ids, nowMs);
    // It may stop with a request in its mailbox.
    if (isNew) context.watch(from);
  }

  /** An answer with these ids; which of them were asked for, if it was. */
  answered(
    tag: number,
    ids: readonly HashHex[],
    { env }: FetchContext,
  ): ReadonlySet<HashHex> | undefined {
    return this.#fetcher.answered(tag, ids, env.clock.monotonicMs());
  }

  failed({ tag, reason }: RequestOutcome & { ok: false }, { env }: FetchContext): void {
    const busy = reason === "Busy" || reason === "RateLimited";
    this.#fetcher.failed(tag, env.clock.monotonicMs(), busy);
  }

  stopped(path: string): void {
    this.#fetcher.gone(path);
  }

  /** FetchDue came. */
  due(): void {
    this.#timing = false;
  }

  /** Asks for what may be asked for. `heldBytes`: of bodies that came and are still held. */
  proceed(context: FetchContext, heldBytes = 0): void {
    if (this.#fetcher.idle) return;
    const { clock, throttle } = context.env;
    const nowMs = clock.monotonicMs();
    const isHeld = ({ from }: Announcing): boolean => throttle.download.isHeld(from.path);
    for (const request of this.#fetcher.plan(nowMs, heldBytes, isHeld)) {
      const { peerId, from: handler } = request.to;
      const message = this.#requestOf(request);
      askPeer({ peerId, handler, message, tag: request.tag }, context);
    }
    if (this.#timing || this.#fetcher.idle) return;
    this.#timing = true;
    context.startTimer("fetch", INTERVAL_MS, { type: "FetchDue" });
  }

  invariants(): void {
    this.#fetcher.invariants();
  }

  atRest(): void {
    this.#fetcher.atRest();
  }
}
