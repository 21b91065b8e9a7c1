// PeerFetch: carries out what a Fetcher plans. Sends the requests to peer handlers, forgets those
// that stop, and looks again every now and then. Owned by a handler, which gives it each
// announcement and answer, and calls `proceed` after each batch of messages.

import type { ActorRef, Context } from "../../runtime/actor.js";
import type { HashHex } from "../../types/chain.js";
import type { Message } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import type { PeerHandlerMessage, RequestOutcome } from "../peer/peer-handler-messages.js";
import type { FetchLimits } from "./fetch-announcer.js";
import { Fetcher } from "./fetcher.js";

export type PeerFetchMessage =
  | RequestOutcome
  /** Some of what is wanted may be asked of others now. */
  | { readonly type: "FetchDue" }
  /** A peer handler stopped, after all that it told. */
  | { readonly type: "PeerStopped"; readonly path: string };

type FetchContext = Context<PeerFetchMessage, Pick<NodeEnv, "clock">>;

/** Finer than the least time for which anybody is waited for. */
const INTERVAL_MS = 50;

export class PeerFetch {
  readonly #fetcher: Fetcher<HashHex, ActorRef<PeerHandlerMessage>>;
  readonly #requestOf: (ids: readonly HashHex[]) => Message;
  #timing = false;

  constructor(
    limits: FetchLimits,
    firstTag: number,
    requestOf: (ids: readonly HashHex[]) => Message,
  ) {
    this.#fetcher = new Fetcher(limits, firstTag);
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
  announced(
    from: ActorRef<PeerHandlerMessage>,
    ids: readonly HashHex[],
    context: FetchContext,
  ): void {
    if (ids.length === 0) return;
    const isNew = this.#fetcher.announced(from.path, from, ids, context.env.clock.monotonicMs());
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
    const nowMs = context.env.clock.monotonicMs();
    for (const { tag, to, ids } of this.#fetcher.plan(nowMs, heldBytes)) {
      const message = this.#requestOf(ids);
      const sent = to.tell({ type: "Request", message, tag, replyTo: context.self });
      if (!sent) this.#fetcher.failed(tag, nowMs, true);
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
