// The commits of the chain: written, told to who follows the chain, and acknowledged when they are
// durable. Keeps the floor below which nothing can be undone any more, and has the store prune by it.
// Owned by the consensus integration.

import { CodedError, errorText, isCoded } from "../../errors.js";
import type { ActorRef, Context } from "../../runtime/actor.js";
import type { Fault, HashHex, HeaderSummary } from "../../types/chain.js";
import type { ChainCommit, StagedCommit } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import { nextTurn } from "../next-turn.js";
import { reorganisedBy, type ChainChanged } from "./chain-events.js";
import type { SideBranches } from "./side-branches.js";

/** The fate of one Connect, told when it is durable. */
export type ConnectOutcome = { readonly type: "ConnectOutcome"; readonly tag: number } & (
  | {
      readonly ok: true;
      readonly head: HeaderSummary;
      /** The last block is valid and not in the chain: stored beside it, or too light to be kept. */
      readonly aside?: "kept" | "let-go";
    }
  /** `hash` names the block that broke the rule; the ones before it were connected. */
  | { readonly ok: false; readonly reason: "fault"; readonly hash: HashHex; readonly fault: Fault }
  | { readonly ok: false; readonly reason: "orphan"; readonly missing: HashHex }
  | { readonly ok: false; readonly reason: "too-deep" | "busy" | "store-failed" }
);

export type OutcomeBody = ConnectOutcome extends infer O
  ? O extends ConnectOutcome
    ? Omit<O, "type" | "tag">
    : never
  : never;

/** Who is told the fate of what. */
export interface Requester {
  readonly tag: number;
  readonly replyTo: ActorRef<ConnectOutcome>;
}

interface Answer {
  readonly replyTo: ActorRef<ConnectOutcome>;
  readonly outcome: ConnectOutcome;
}

export interface PendingCommit {
  /** What is answered when it is durable. */
  readonly answers: Answer[];
  readonly change: ChainChanged | undefined;
}

/** The store takes no more commits, and followers have heard of a chain that it does not hold. */
export interface StoreFailed {
  readonly type: "StoreFailed";
  /** STORE_FAILED. */
  readonly error: CodedError;
}

export type CommitMessage =
  | { readonly type: "Committed"; readonly commit: PendingCommit; readonly error?: unknown }
  | { readonly type: "Pruned"; readonly error?: unknown }
  | { readonly type: "PublishOn" };

/**
 * Changes of the chain whose events are still to be published, oldest first. Who watches the events
 * outlives a crash of this actor, and so does this list.
 */
export interface Untold {
  readonly changes: ChainChanged[];
  /** So many of them are durable. */
  durable: number;
  /** So many events of the first one are published. */
  published: number;
}

export function nothingUntold(): Untold {
  return { changes: [], durable: 0, published: 0 };
}

export interface CommitArgs {
  readonly events: ActorRef<EventBusMessage>;
  readonly untold: Untold;
  /** Is to end the node: nothing that a restart of actors could mend. */
  readonly onStoreFailed: ActorRef<StoreFailed>;
}

export type CommitEnv = Pick<NodeEnv, "config" | "log" | "store">;

type Ctx = Context<CommitMessage, CommitEnv>;

/** Events published in one turn. */
const PUBLISHED_PER_TURN = 512;

export class ChainCommits {
  readonly subscribers = new Map<string, ActorRef<ChainChanged>>();
  readonly #args: CommitArgs;
  readonly #side: SideBranches;
  /** The newest commit that is not durable yet. */
  #last: PendingCommit | undefined;
  #floor: number;
  #prunedHeight = 0;

  constructor(args: CommitArgs, side: SideBranches, context: Ctx) {
    const { store, config } = context.env;
    this.#args = args;
    this.#side = side;
    this.#floor = Math.max(0, store.head().height - config.chain.reorgDepthMax);
    const change = args.untold.changes.at(-1);
    // What an earlier start of this actor committed is durable when this is.
    if (change !== undefined) this.#write({ blocks: [], undo: [], state: [] }, change, [], context);
  }

  /**
   * The lowest block that a branch may leave the chain at. It never falls, also where the head does:
   * what is above it, and only that, is kept by the store.
   */
  get floor(): number {
    return this.#floor;
  }

  /** So much is known now of what the store can undo: an older version pruned by another rule. */
  raiseFloor(height: number): void {
    this.#floor = Math.max(this.#floor, height);
  }

  /** Answers come in the order of the commands, so behind the commits that are under way. */
  answer(to: Requester, outcome: OutcomeBody): void {
    const ordered = answerOf(to, outcome);
    if (this.#last === undefined) ordered.replyTo.tell(ordered.outcome);
    else this.#last.answers.push(ordered);
  }

  /** Changes the store, and tells the followers of `change` at once. */
  commit(
    commit: ChainCommit | StagedCommit,
    told: {
      readonly answer?: [Requester, OutcomeBody];
      readonly change?: ChainChanged | undefined;
    },
    context: Ctx,
  ): void {
    const { store, config } = context.env;
    const { change } = told;
    const answers = told.answer === undefined ? [] : [answerOf(...told.answer)];
    const isStaged = "commit" in commit;
    if (change !== undefined) this.#args.untold.changes.push(change);
    this.#write(commit, change, answers, context);
    // Nobody hears of a head that the store refused.
    if (change === undefined || store.head().hash !== change.head.hash) return;
    this.#side.follow(change.disconnected, change.connected, isStaged ? [] : commit.blocks);
    for (const subscriber of this.subscribers.values()) subscriber.tell(change);
    this.raiseFloor(change.head.height - config.chain.reorgDepthMax);
    if (this.#floor - this.#prunedHeight < config.chain.pruneEveryBlocks) return;
    this.#prunedHeight = this.#floor;
    const floor = this.#floor;
    this.#side.pruned(floor);
    context.pipe(
      begun(() => store.prune(floor)),
      (outcome) => (outcome.ok ? { type: "Pruned" } : { type: "Pruned", error: outcome.error }),
    );
  }

  #write(
    commit: ChainCommit | StagedCommit,
    change: ChainChanged | undefined,
    answers: Answer[],
    context: Ctx,
  ): void {
    const pending: PendingCommit = { answers, change };
    this.#last = pending;
    const { store } = context.env;
    const write = begun(() => ("commit" in commit ? commit.commit() : store.commit(commit)));
    context.pipe(write, (outcome) =>
      outcome.ok
        ? { type: "Committed", commit: pending }
        : { type: "Committed", commit: pending, error: outcome.error },
    );
  }

  receive(message: CommitMessage, context: Ctx): void {
    switch (message.type) {
      case "Committed":
        if (this.#last === message.commit) this.#last = undefined;
        this.#committed(message.commit, message.error, context);
        return;
      case "Pruned":
        if (message.error === undefined) return;
        context.env.log.write("error", "pruning failed", { error: errorText(message.error) });
        return;
      case "PublishOn":
        this.#publish(context);
    }
  }

  /** The store rejected something: nothing that was told of it can be relied on. */
  failed(error: unknown, { env }: Ctx): void {
    env.log.write("error", "a commit failed", { error: errorText(error) });
    this.#args.onStoreFailed.tell({ type: "StoreFailed", error: storeFailed(error) });
  }

  /** Durable, or lost: only now anything is acknowledged. */
  #committed({ answers, change }: PendingCommit, error: unknown, context: Ctx): void {
    if (error !== undefined) {
      for (const { replyTo, outcome } of answers) {
        const { type, tag } = outcome;
        replyTo.tell({ type, tag, ok: false, reason: "store-failed" });
      }
      this.failed(error, context);
      return;
    }
    for (const { replyTo, outcome } of answers) replyTo.tell(outcome);
    if (change === undefined) return;
    const { untold } = this.#args;
    const publishes = untold.durable > 0;
    untold.durable = untold.changes.indexOf(change) + 1;
    if (!publishes) this.#publish(context);
  }

  /** In order, some a turn: a long reorganisation has thousands. */
  #publish(context: Ctx): void {
    const { events, untold } = this.#args;
    for (let left = PUBLISHED_PER_TURN; left > 0 && untold.durable > 0; left--) {
      const change = untold.changes[0]!;
      const { disconnected, connected } = change;
      const at = untold.published++;
      if (at === 0 && disconnected.length > 0) {
        events.tell({ type: "Publish", event: reorganisedBy(change) });
      }
      const gone = disconnected[at];
      const come = connected[at - disconnected.length];
      if (gone !== undefined) {
        const { hash, height } = gone;
        events.tell({ type: "Publish", event: { type: "BlockDisconnected", hash, height } });
      } else if (come !== undefined) {
        const { header, transactionCount } = come;
        const { hash, height } = header;
        const event = { type: "BlockConnected", hash, height, transactionCount } as const;
        events.tell({ type: "Publish", event });
      } else {
        untold.changes.shift();
        untold.durable--;
        untold.published = 0;
      }
    }
    if (untold.durable > 0) nextTurn(context, { type: "PublishOn" });
  }
}

function answerOf({ tag, replyTo }: Requester, outcome: OutcomeBody): Answer {
  return { replyTo, outcome: { type: "ConnectOutcome", tag, ...outcome } };
}

/** A caller's own store may throw where it should reject. */
function begun(write: () => Promise<void>): Promise<void> {
  return new Promise((resolve) => resolve(write()));
}

/** A caller's own store may reject with anything. */
function storeFailed(error: unknown): CodedError {
  if (isCoded(error, "STORE_FAILED")) return error;
  return new CodedError("STORE_FAILED", `A commit failed: ${errorText(error)}`, { cause: error });
}
