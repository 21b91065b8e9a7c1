// Makes the values that checks answer with.

import type { Checked, RuleName } from "./types.js";

export function fault(rule: RuleName, detail: string): Checked<never> {
  return { ok: false, fault: { rule, detail } };
}

export function valid<T>(value: T): Checked<T> {
  return { ok: true, value };
}
