// Makes the values that checks answer with.

import type { Checked, RuleName } from "../types/chain.js";

const RULES: Readonly<Record<RuleName, true>> = {
  encoding: true,
  size: true,
  link: true,
  height: true,
  time: true,
  difficulty: true,
  "total-difficulty": true,
  "proof-of-work": true,
  future: true,
  root: true,
  signature: true,
  nonce: true,
  "state-root": true,
  custom: true,
  "consensus-failed": true,
};
/** Every one there is. */
export const RULE_NAMES = Object.keys(RULES) as readonly RuleName[];

/** `transaction`: the index of the one to blame. */
export function fault(rule: RuleName, detail: string, transaction?: number): Checked<never> {
  const place = transaction === undefined ? {} : { transaction };
  return { ok: false, fault: { rule, detail, ...place } };
}

/** The sender of what broke such a rule did nothing wrong: it is this node's clock or code. */
export function blamesNobody(rule: RuleName): boolean {
  return rule === "future" || rule === "consensus-failed";
}

export function valid<T>(value: T): Checked<T> {
  return { ok: true, value };
}
