// The way of transactions that are here: in batches to the pool, the valid ones to the mempool, in
// order of arrival. Part of the transaction handler.

import { packBytes, packedItem } from "../../bytes/packed.js";
import { blamesNobody } from "../../chain/faults.js";
import { NO_DEADLINE } from "../../runtime/actor.js";
import type { Breach } from "../../types/breach.js";
import type { Fault, HashHex } from "../../types/chain.js";
import type { MempoolTransaction, PeerId } from "../../ports.js";
import { isHeard } from "../events/heard.js";
import type { AddAnswer, AddedTransaction } from "../integration/mempool-integration.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type {
  Rank,
  SubmitOutcome,
  TransactionCandidate as Candidate,
  TransactionHandlerContext as Ctx,
  TransactionHandlerMessage,
  TransactionHandlerState as State,
} from "./transaction-handler-state.js";

/**
 * Batches in the pool at which one more of a rank may join them: enough to keep two threads busy, few
 * enough to batch well. A place is left for what was submitted here, and strangers have one.
 */
const BATCHES_MAX: Readonly<Record<Rank, number>> = { own: 3, known: 2, stranger: 1 };
const RANKS: readonly Rank[] = ["own", "known", "stranger"];

/** Gives what waits to the pool, as far as it goes, the first ranks first. */
export function checkWaiting(state: State, context: Ctx): void {
  const { transactionBatchMax } = context.env.config.gossip;
  const { queues, batches } = state;
  for (;;) {
    const rank = RANKS.find((one) => queues[one].length > 0 && batches.size < BATCHES_MAX[one]);
    if (rank === undefined) return;
    const candidates = queues[rank].splice(0, transactionBatchMax);
    const tag = state.nextTag++;
    const heldBytes = candidates.reduce((sum, candidate) => sum + heldBytesOf(candidate), 0);
    batches.set(tag, { rank, candidates, heldBytes, state: "checking", verdict: undefined });
    const packed = packBytes(candidates.map(({ bytes }) => bytes));
    context.pipe(context.env.workers.validateTransactions(packed), (outcome) => ({
      type: "Checked",
      tag,
      verdict: outcome.ok ? outcome.value : undefined,
    }));
  }
}

/** It is out of this node's hands, or in its mempool. */
export function end({ peerReply, replyTo }: Candidate, outcome: SubmitOutcome): void {
  peerReply?.tell("Done");
  replyTo?.tell(outcome);
}

/** What came by itself holds the credit of its lane instead. */
export function heldBytesOf({ bytes, peerReply }: Candidate): number {
  return peerReply === undefined ? bytes.length : 0;
}

export function checked(
  state: State,
  { tag, verdict }: Extract<TransactionHandlerMessage, { type: "Checked" }>,
  context: Ctx,
): void {
  const batch = state.batches.get(tag);
  if (batch === undefined) return;
  batch.state = "checked";
  batch.verdict = verdict;
  for (const [first, { state: phase }] of state.batches) {
    if (phase === "checking") return;
    if (phase === "checked") judge(state, first, context);
  }
}

/** Takes the valid ones of a batch to the mempool, and tells the others' submitters. */
function judge(state: State, tag: number, context: Ctx): void {
  const { rank, candidates, verdict, heldBytes } = state.batches.get(tag)!;
  if (verdict === undefined) {
    for (const { key, rank: of } of candidates) {
      if (key !== undefined && isOfPeer(of)) state.budget.judged(key, of, "unjudged");
    }
    giveUp(state, tag, candidates, "busy");
    return;
  }
  const faults = new Map(verdict.faults.map(({ index, fault }) => [index, fault]));
  const valid: Candidate[] = [];
  const transactions: AddedTransaction[] = [];
  for (const [index, candidate] of candidates.entries()) {
    const fault = faults.get(index);
    judgedOf(state, candidate, fault);
    if (fault === undefined) {
      valid.push(candidate);
      if (isHeard(state, "TransactionValidated")) {
        const event = { type: "TransactionValidated", id: candidate.id } as const;
        state.events.tell({ type: "Publish", event });
      }
      // A copy: a view would keep the whole batch in memory for as long as one of it waits.
      const bytes = packedItem(verdict.transactions, index).slice();
      transactions.push({ id: candidate.id, bytes, own: candidate.replyTo !== undefined });
      continue;
    }
    const { id, peerId } = candidate;
    const { rule, detail } = fault;
    end(candidate, { ok: false, id, rule, detail });
    reject(state, id, fault, peerId);
    if (blamesNobody(rule)) {
      state.known.forget(id);
      continue;
    }
    state.known.invalid(id);
    blame(state, candidate, fault);
  }
  if (valid.length === 0) {
    close(state, tag);
    return;
  }
  state.batches.set(tag, {
    rank,
    candidates: valid,
    heldBytes,
    state: "adding",
    verdict: undefined,
  });
  context.ask<SystemRouterMessage, readonly AddAnswer[]>(
    state.system,
    (replyTo) => ({ to: "mempool", message: { type: "AddTransactions", transactions, replyTo } }),
    NO_DEADLINE,
    (outcome) => ({ type: "Added", tag, outcome }),
  );
}

/** Whoever has them may send them again. */
function giveUp(
  state: State,
  tag: number,
  candidates: readonly Candidate[],
  rule: "busy" | "failed",
): void {
  close(state, tag);
  for (const candidate of candidates) {
    const { id } = candidate;
    state.known.forget(id);
    end(candidate, { ok: false, id, rule, detail: "" });
    reject(state, id, { rule, detail: "" }, candidate.peerId);
  }
}

/** Whoever followed them hears that the handler has ended with them in hand. */
export function forsake(state: State): void {
  const { queues, batches } = state;
  const inBatches = [...batches.values()].flatMap(({ candidates }) => candidates);
  for (const { id, peerId } of [...RANKS.flatMap((rank) => queues[rank]), ...inBatches]) {
    reject(state, id, { rule: "failed", detail: "" }, peerId);
  }
}

function judgedOf({ budget }: State, { key, rank }: Candidate, fault: Fault | undefined): void {
  if (key === undefined || !isOfPeer(rank)) return;
  const isBad = fault !== undefined && !blamesNobody(fault.rule);
  budget.judged(key, rank, fault === undefined ? "good" : isBad ? "bad" : "unjudged");
}

function isOfPeer(rank: Rank | undefined): rank is Exclude<Rank, "own"> {
  return rank !== undefined && rank !== "own";
}

function close(state: State, tag: number): void {
  const batch = state.batches.get(tag);
  if (batch?.rank === "own") state.ownBytes -= batch.heldBytes;
  else state.heldBytes -= batch?.heldBytes ?? 0;
  state.batches.delete(tag);
}

export function blame(
  { reputation }: State,
  { id, peerId, peerReply }: Candidate,
  { rule, detail }: Partial<Breach> & Pick<Breach, "detail">,
): void {
  if (peerId === undefined) return;
  const broken = rule === undefined ? {} : { rule };
  const kind = peerReply === undefined ? "ResponseTransactions" : "NewTransaction";
  const evidence = { kind, about: id, ...broken, detail };
  reputation.tell({ type: "Report", peerId, event: "InvalidTransaction", ...evidence });
}

function reject(
  state: State,
  id: HashHex,
  { rule, detail }: Breach,
  peerId: PeerId | undefined,
): void {
  if (!isHeard(state, "TransactionRejected")) return;
  const from = peerId === undefined ? {} : { peerId };
  const event = { type: "TransactionRejected", id, rule, detail, ...from } as const;
  state.events.tell({ type: "Publish", event });
}

export function added(
  state: State,
  { tag, outcome }: Extract<TransactionHandlerMessage, { type: "Added" }>,
): void {
  const batch = state.batches.get(tag);
  if (batch === undefined) return;
  if (!outcome.ok) {
    giveUp(state, tag, batch.candidates, outcome.reason === "refused" ? "busy" : "failed");
    return;
  }
  close(state, tag);
  const accepted: MempoolTransaction[] = [];
  const prices: (bigint | undefined)[] = [];
  const again: HashHex[] = [];
  for (const [index, candidate] of batch.candidates.entries()) {
    const { id, peerId, replyTo } = candidate;
    const answer = outcome.value[index];
    if (answer?.ok === true) {
      accepted.push({ id, bytes: candidate.bytes });
      prices.push(answer.price);
      end(candidate, { ok: true, id });
      if (peerId === undefined) continue;
      const good = { event: "GoodTransaction", about: id, detail: "" } as const;
      state.reputation.tell({ type: "Report", peerId, ...good });
    } else {
      const rule = answer?.reason ?? "failed";
      end(candidate, { ok: false, id, rule, detail: "" });
      // It waits here, and its user waits for it: peers may have missed it.
      if (rule === "known" && replyTo !== undefined) again.push(id);
      // There may be room when it is announced again.
      if (rule === "full") state.known.forget(id);
      reject(state, id, { rule, detail: "" }, peerId);
    }
  }
  if (accepted.length > 0) {
    state.broadcaster.tell({ type: "RelayTransactions", transactions: accepted, prices });
  }
  if (again.length > 0) state.broadcaster.tell({ type: "ReturnedTransactions", ids: again });
}
