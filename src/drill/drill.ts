// What a drill is: a threat in a sentence, an attack, and what must become of it.

import type { Field } from "./field.js";

export interface Drill {
  readonly name: string;
  /** What a peer does, and what it would be for. */
  readonly threat: string;
  readonly expects: Expectation;
  readonly attack: (field: Field) => Promise<void>;
  /** What is waited for takes so long, also in short form. */
  readonly secondsMin?: number;
  /** It is about places: a newcomer must be let in. */
  readonly newcomer?: true;
}

export type Expectation =
  /** Each of its connections is ended by one of these rules, or by a limit on connections. */
  | { readonly gone: readonly string[]; readonly withinMs?: number }
  /** It breaks no rule that ends it for sure: what it costs is bounded, as this says. */
  | { readonly bounded: string };

/** What ends connections before an attack begins: too many, too fast, known for worse. */
export const LIMITS: readonly string[] = [
  "pending-limit",
  "address-rate",
  "handshake-timeout",
  "TooManyConnections",
  "Banned",
];

/** A connection that broke a rule is closed within this time, unless the drill says another. */
export const GONE_MS_MAX = 2_000;
