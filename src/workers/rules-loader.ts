// Loads chain rules by module URL, on the main side and in every pool thread.

import type { ChainRules, RulesModule } from "../chain/types.js";
import { CodedError } from "../errors.js";

const METHODS: readonly (keyof ChainRules)[] = [
  "splitBlock",
  "readHeader",
  "checkHeader",
  "readTransaction",
  "checkSignature",
  "checkBody",
  "sealHeader",
];

/** Rejects with RULES_UNLOADABLE and a sentence that names the module and what is wrong. */
export async function loadRules(module: RulesModule): Promise<ChainRules> {
  const { moduleUrl, exportName, options } = module;
  const refuse = (what: string, cause?: unknown): CodedError =>
    new CodedError("RULES_UNLOADABLE", `the chain rules "${exportName}" of ${moduleUrl} ${what}`, {
      cause,
    });
  const reason = (cause: unknown): string =>
    cause instanceof Error ? cause.message : String(cause);
  let exported: unknown;
  try {
    const namespace = (await import(moduleUrl)) as Record<string, unknown>;
    exported = namespace[exportName];
  } catch (cause) {
    throw refuse(`cannot be imported: ${reason(cause)}`, cause);
  }
  if (typeof exported !== "function") throw refuse("are not an exported function");
  let rules: unknown;
  try {
    rules = (exported as (options: unknown) => unknown)(options);
  } catch (cause) {
    throw refuse(`refuse their options: ${reason(cause)}`, cause);
  }
  if (rules === null || typeof rules !== "object") throw refuse("return no rules");
  for (const method of METHODS) {
    if (typeof (rules as Record<string, unknown>)[method] !== "function") {
      throw refuse(`have no method ${method}`);
    }
  }
  return rules as ChainRules;
}
