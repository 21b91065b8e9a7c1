// The way of a PeerHandler's large messages through the pool, one job at a time.

import { isCoded } from "../../errors.js";
import { packBytes, packedItem } from "../../bytes/packed.js";
import type { DecodeFramesVerdict } from "../../ports.js";
import { ruleOf } from "../../protocol/types/message.js";
import type { PeerHandlerContext, PeerHandlerState } from "./peer-handler-state.js";

const RETRY_MS = 20;

/** Sends what was collected to the pool. */
export function decodeCollected(state: PeerHandlerState, context: PeerHandlerContext): void {
  if (state.decodeNext.length === 0 || state.decodeRunning.length > 0) return;
  if (state.decodeResting) return;
  state.decodeRunning = state.decodeNext.splice(0);
  const kinds = Uint8Array.from(state.decodeRunning, ({ kind }) => ruleOf(kind).code);
  const payloads = packBytes(state.decodeRunning.map(({ payload }) => payload));
  context.pipe(context.env.workers.decodeFrames({ kinds, payloads }), (outcome) => {
    if (outcome.ok) return { type: "Decoded", verdict: outcome.value };
    if (isCoded(outcome.error)) return { type: "Decoded", verdict: undefined };
    throw outcome.error;
  });
}

/** Gives the session what the pool found. */
export function decoded(
  state: PeerHandlerState,
  verdict: DecodeFramesVerdict | undefined,
  context: PeerHandlerContext,
): void {
  const { session, nowMs } = state;
  const running = state.decodeRunning;
  state.decodeRunning = [];
  if (session.phase === "closing") return;
  if (verdict === undefined) {
    // The pool is full or lost the job: the credit stays out meanwhile, so the lane slows down.
    state.decodeNext.unshift(...running);
    state.decodeResting = true;
    context.startTimer("decode", RETRY_MS, { type: "DecodeDue" });
    return;
  }
  for (const [index, received] of running.entries()) {
    const frame = verdict.frames[index]!;
    const payload = packedItem(verdict.payloads, index);
    session.decoded(received, frame.ok ? { ...frame, payload } : frame, nowMs);
  }
}
