// What attacks have in common: peers that do one thing, once or for as long as they may.

import { setTimeout as delay } from "node:timers/promises";
import type { Message } from "../../protocol/index.js";
import type { Drill } from "../drill.js";
import type { Field, PeerOptions } from "../field.js";
import type { RawPeer } from "../wire/raw-peer.js";

export type Blow = (peer: RawPeer, field: Field) => unknown;

interface Crew {
  /** Peers at a time. */
  readonly peers?: number;
  readonly options?: (field: Field) => PeerOptions;
}

const PEERS = 4;
const WAITING_BYTES_MAX = 64 * 1_024;
const CREDIT_WAIT_MS = 5;

/** Peers past TLS that do this in place of their handshake, and wait to be ended. */
export function strangers(blow: Blow, { peers = PEERS, options }: Crew = {}): Drill["attack"] {
  return (field) =>
    field.repeat(peers, async () => {
      const peer = await field.peer(options?.(field));
      field.strike(peer.socket);
      blow(peer, field);
      await field.ended(peer.socket);
    });
}

/** Peers past their handshake that do this once, and wait to be ended. */
export function members(blow: Blow, { peers = PEERS, options }: Crew = {}): Drill["attack"] {
  return (field) =>
    field.repeat(peers, async () => {
      const peer = await field.join(options?.(field));
      field.strike(peer.socket);
      blow(peer, field);
      await field.ended(peer.socket);
    });
}

/** Peers past their handshake that do this again and again, as fast as the node takes it. */
export function pests(blow: Blow, { peers = PEERS, options }: Crew = {}): Drill["attack"] {
  return (field) =>
    field.repeat(peers, async () => {
      const peer = await field.join(options?.(field));
      while (!peer.ended && !field.isOver) {
        await blow(peer, field);
        await field.drained(peer.socket);
        await field.turn();
        // What is sent beyond the credit would break a rule that the attack is not about.
        while (peer.waitingBytes > WAITING_BYTES_MAX && !peer.ended && !field.isOver) {
          await delay(CREDIT_WAIT_MS);
        }
      }
    });
}

/** Peers that say this of each message that needs an answer. */
export function liars(
  answer: (peer: RawPeer, message: Message, requestId: number, field: Field) => void,
  { peers = PEERS, options, begin }: Crew & { readonly begin?: Blow } = {},
): Drill["attack"] {
  return (field) =>
    field.repeat(peers, async () => {
      const peer = await field.join(options?.(field));
      begin?.(peer, field);
      let at = 0;
      while (!peer.ended && !field.isOver) {
        await Promise.race([peer.until(() => peer.ended || peer.received.length > at), field.over]);
        for (; at < peer.received.length && !peer.ended; at++) {
          answer(peer, peer.received[at]!, peer.requestIds[at]!, field);
        }
        await field.turn();
      }
    });
}

/** Counts so many up, for what has to be another one each time. */
export function counter(): () => number {
  let count = 0;
  return () => count++;
}
