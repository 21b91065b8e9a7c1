// The kinds of one connection: the chain's, and once both have shaken hands those of the services
// that both sides brought. Owned by a session, whose parts share it.

import { invariant } from "../../errors.js";
import type { OwnProtocol } from "../../types/own-protocol.js";
import { ownRules, type OwnRule } from "../kinds/own.js";
import {
  MESSAGE_KINDS,
  REQUEST_KINDS,
  ruleOf,
  type KindRule,
  type WireKind,
  type WireMessage,
} from "./message.js";

type Rules = ReadonlyMap<WireKind, KindRule<WireMessage>>;

const OF_CHAIN: Rules = new Map(
  MESSAGE_KINDS.map((kind): [WireKind, KindRule<WireMessage>] => [kind, ruleOf(kind as WireKind)]),
);

const NONE: ReadonlyMap<WireKind, OwnRule> = new Map();

export class KindTable {
  #rules = OF_CHAIN;
  #own = NONE;
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
    this.#rules = new Map([...OF_CHAIN, ...(this.#own as ReadonlyMap<WireKind, never>)]);
    const requests = rules.filter(({ role }) => role === "request");
    this.#requestKinds = [...REQUEST_KINDS, ...requests.map(({ kind }) => kind)];
  }

  /** Undefined: this connection has no messages of this kind. */
  find(kind: WireKind): KindRule<WireMessage> | undefined {
    return this.#rules.get(kind);
  }

  rule(kind: WireKind): KindRule<WireMessage> {
    const rule = this.#rules.get(kind);
    if (rule === undefined) invariant(false, `${kind} is a kind of this connection`);
    return rule;
  }
}
