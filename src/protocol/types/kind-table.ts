// The kinds of one connection: the chain's, and once both have shaken hands those of the services
// that both sides brought. Owned by a session, whose parts share it.

import type { OwnProtocol } from "../../types/own-protocol.js";
import { ownRules, type OwnKind, type OwnRule } from "../kinds/own.js";
import {
  KINDS,
  REQUEST_KINDS,
  ruleOf,
  type KindRule,
  type WireKind,
  type WireMessage,
} from "./message.js";

export class KindTable {
  #own: ReadonlyMap<WireKind, OwnRule> = new Map();
  #requestKinds: readonly WireKind[] = REQUEST_KINDS;

  get own(): Iterable<OwnRule> {
    return this.#own.values();
  }

  /** Those of more urgent lanes first. */
  get requestKinds(): readonly WireKind[] {
    return this.#requestKinds;
  }

  /** Both sides brought these. */
  adopt(protocols: readonly OwnProtocol[]): void {
    const rules = ownRules(protocols);
    this.#own = new Map(rules.map((rule) => [rule.kind, rule]));
    const requests = rules.filter(({ role }) => role === "request");
    this.#requestKinds = [...REQUEST_KINDS, ...requests.map(({ kind }) => kind)];
  }

  /** Whether this connection has messages of this kind. */
  has(kind: WireKind): boolean {
    return kind in KINDS || this.#own.has(kind);
  }

  rule(kind: WireKind): KindRule<WireMessage> {
    // Asked several times a message, and most connections have none of services' own.
    if (this.#own.size === 0) return ruleOf(kind);
    return (this.#own.get(kind) as KindRule<WireMessage> | undefined) ?? ruleOf(kind);
  }

  /** Undefined when it is not a service's. */
  ownRule(kind: string): OwnRule | undefined {
    return this.#own.get(kind as OwnKind);
  }
}
