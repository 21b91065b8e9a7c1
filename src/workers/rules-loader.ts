// Loads chain rules by module URL, on the main side and in every pool thread.

import type { ChainRules, RulesModule } from "../types/chain.js";
import { CodedError, errorText } from "../errors.js";

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
    new CodedError("RULES_UNLOADABLE", `${rulesIn(module)} ${what}`, { cause });
  let exported: unknown;
  try {
    const namespace = (await import(moduleUrl)) as Record<string, unknown>;
    exported = namespace[exportName];
  } catch (cause) {
    throw refuse(`cannot be imported: ${errorText(cause)}${typescriptHint(moduleUrl)}`, cause);
  }
  if (typeof exported !== "function") throw refuse("are not an exported function");
  let rules: unknown;
  try {
    rules = (exported as (options: unknown) => unknown)(options);
  } catch (cause) {
    throw refuse(`refuse their options: ${errorText(cause)}`, cause);
  }
  if (rules === null || typeof rules !== "object") throw refuse("return no rules");
  for (const method of METHODS) {
    if (typeof (rules as Record<string, unknown>)[method] !== "function") {
      throw refuse(`have no method ${method}`);
    }
  }
  return rules as ChainRules;
}

/** A TypeScript runner serves the main thread alone, on Node 20 at least. */
function typescriptHint(moduleUrl: string): string {
  if (!/\.[cm]?tsx?$/.test(moduleUrl)) return "";
  return "; threads of the pool load what Node.js loads: name a compiled module, or set pool.inline";
}

/** Throws RULES_UNLOADABLE when it cannot go to another thread as it is. */
export function checkCloneable(module: RulesModule): void {
  try {
    structuredClone(module);
  } catch (cause) {
    const sentence = `${rulesIn(module)} have options that cannot be cloned: ${errorText(cause)}`;
    throw new CodedError("RULES_UNLOADABLE", sentence, { cause });
  }
}

/** How a sentence begins that is about them. */
export function rulesIn({ moduleUrl, exportName }: RulesModule): string {
  return `the chain rules "${exportName}" of ${moduleUrl}`;
}
