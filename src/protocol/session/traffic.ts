// What all connections of a node carried, by kind. The sessions of a node share one and count into
// it; the metrics read it. Pure.

import type { OwnProtocol } from "../../types/own-protocol.js";
import { OWN_CODE_MIN, ownRules } from "../kinds/own.js";
import type { KindRule } from "../kinds/kind.js";
import { KINDS, MESSAGE_KINDS } from "../types/message.js";

/** Messages and bytes of their payloads, since the start. */
export interface KindTraffic {
  readonly received: { readonly messages: number; readonly bytes: number };
  /** Put into the queue of a peer. */
  readonly sent: { readonly messages: number; readonly bytes: number };
  /** One-way messages and requests that were not dealt with, or not sent, by the reason. */
  readonly dropped: Readonly<Record<Drop, number>>;
  /** One-way messages that came and were not read. */
  readonly droppedIn: number;
  /** One-way messages that were not sent. */
  readonly droppedOut: number;
}

/** By the name of the kind; every kind that this node knows is there. */
export type Traffic = Readonly<Record<string, KindTraffic>>;

/**
 * `in-rate`: above what its peer may send; `in-group`: above what the peers of an address group may
 * send together; `refused`: a request above its quota; `out-rate`: above what the peer takes;
 * `out-queue`: a slow reader's queue had no room.
 */
export const DROPS = ["in-rate", "in-group", "refused", "out-rate", "out-queue"] as const;
export type Drop = (typeof DROPS)[number];

const [IN, BYTES_IN, OUT, BYTES_OUT, DROPPED] = [0, 1, 2, 3, 4];
const WIDTH = DROPPED + DROPS.length;

export class TrafficCounts {
  /** Rows by the code of a kind; from 0x80 on by the names of this node's own ones. */
  readonly #counts = new Float64Array(WIDTH * 0x100);
  readonly #own = new Map<string, number>();

  /** `protocols`: those that this node brought, which may have other codes on a connection. */
  constructor(protocols: readonly OwnProtocol[] = []) {
    for (const { kind, code } of ownRules(protocols)) this.#own.set(kind, WIDTH * code);
  }

  received(rule: KindRule, kind: string, bytes: number): void {
    const row = this.#rowOf(rule, kind);
    this.#counts[row + IN]!++;
    this.#counts[row + BYTES_IN]! += bytes;
  }

  sent(rule: KindRule, kind: string, bytes: number): void {
    const row = this.#rowOf(rule, kind);
    this.#counts[row + OUT]!++;
    this.#counts[row + BYTES_OUT]! += bytes;
  }

  dropped(rule: KindRule, kind: string, drop: Drop): void {
    this.#counts[this.#rowOf(rule, kind) + DROPPED + DROPS.indexOf(drop)]!++;
  }

  /** A copy. */
  byKind(): Traffic {
    const rows = MESSAGE_KINDS.map((kind) => [kind, WIDTH * KINDS[kind].code] as const);
    const all = [...rows, ...this.#own].map(([kind, row]) => [kind, this.#read(row)] as const);
    return Object.fromEntries(all);
  }

  #read(row: number): KindTraffic {
    const at = (column: number): number => this.#counts[row + column]!;
    const dropped = Object.fromEntries(
      DROPS.map((drop, index) => [drop, at(DROPPED + index)]),
    ) as Record<Drop, number>;
    return {
      received: { messages: at(IN), bytes: at(BYTES_IN) },
      sent: { messages: at(OUT), bytes: at(BYTES_OUT) },
      dropped,
      droppedIn: dropped["in-rate"] + dropped["in-group"],
      droppedOut: dropped["out-rate"] + dropped["out-queue"],
    };
  }

  #rowOf({ code }: KindRule, kind: string): number {
    return code < OWN_CODE_MIN ? WIDTH * code : this.#own.get(kind)!;
  }
}
