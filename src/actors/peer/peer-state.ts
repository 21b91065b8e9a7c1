// The life of one connection as the registry sees it. Each transition is one function; a transition
// that the state does not allow answers undefined, which the caller treats as stale news.

import type { HandshakeInfo } from "../../protocol/types/node-info.js";

export type PeerState =
  | { readonly phase: "handshaking"; readonly sinceMs: number }
  | { readonly phase: "ready"; readonly sinceMs: number; readonly info: HandshakeInfo }
  | { readonly phase: "closing"; readonly sinceMs: number; readonly wasReady: boolean };

/** A raw connection was authenticated by its transport: → Handshaking. */
export function connected(nowMs: number): PeerState {
  return { phase: "handshaking", sinceMs: nowMs };
}

/** Handshaking → Ready. */
export function becameReady(
  state: PeerState,
  info: HandshakeInfo,
  nowMs: number,
): PeerState | undefined {
  return state.phase === "handshaking" ? { phase: "ready", sinceMs: nowMs, info } : undefined;
}

/** Handshaking | Ready → Closing. */
export function beganClosing(state: PeerState, nowMs: number): PeerState | undefined {
  if (state.phase === "closing") return undefined;
  return { phase: "closing", sinceMs: nowMs, wasReady: state.phase === "ready" };
}

export function wasReady(state: PeerState): boolean {
  return state.phase === "ready" || (state.phase === "closing" && state.wasReady);
}
