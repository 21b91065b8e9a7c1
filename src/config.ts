// NetworkConfig: what a user may say of the settings in config/settings/, checked and completed
// before anything starts.

import { z } from "zod";
import { DEFAULTS, deepFreeze } from "./config/defaults.js";
import { reservedPeersBytes, trustedPlaces } from "./config/memory-plan.js";
import { brokenRelation } from "./config/relations.js";
import { isSetting, type NumberSetting, type Setting, type Settings } from "./config/setting.js";
import { SETTINGS, type NetworkConfig } from "./config/settings.js";
import { CodedError } from "./errors.js";

export { DEFAULTS } from "./config/defaults.js";
export type { NetworkConfig } from "./config/settings.js";

type PartialDeep<T> = T extends readonly unknown[] | string | number | boolean | null
  ? T
  : { readonly [K in keyof T]?: PartialDeep<T[K]> | undefined };

/** What a user writes: any part of the configuration. */
export type NetworkConfigInput = Omit<PartialDeep<NetworkConfig>, "bindAddr"> & {
  readonly bindAddr?: readonly string[] | string | null | undefined;
};

/** Of a key that is no setting; the longest that is one has half of it. */
const KEY_CHARS_MAX = 64;

/** The schema of NetworkConfigInput, read off the settings so that neither restates the other. */
export const networkConfigSchema = schemaOf(SETTINGS);

/**
 * Completes and checks a configuration. Throws CONFIG_INVALID with one sentence that names the
 * field or the relation that does not hold.
 */
export function resolveConfig(input: NetworkConfigInput = {}): NetworkConfig {
  return related(completed(parsed(input)));
}

/** What connections may carry, of which any part may be changed while a network runs. */
export type LimitsInput = NonNullable<NetworkConfigInput["limits"]>;

/** The limits after some changes. Throws CONFIG_INVALID as `resolveConfig` does. */
export function changeLimits(config: NetworkConfig, changes: LimitsInput): NetworkConfig["limits"] {
  const { limits } = parsed({ limits: changes });
  return related(merge(config, { limits }) as NetworkConfig).limits;
}

function parsed(input: NetworkConfigInput): NetworkConfigInput {
  const result = networkConfigSchema.safeParse(input);
  if (result.success) return result.data as NetworkConfigInput;
  const issue = result.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? "" : ` ${issue.path.join(".")}:`;
  throw invalid(`the configuration is invalid:${where} ${issue?.message ?? "unknown"}`);
}

function related(config: NetworkConfig): NetworkConfig {
  const broken = brokenRelation(config);
  if (broken !== undefined) throw invalid(broken);
  return deepFreeze(config);
}

/**
 * A budget that nobody set has room for trusted and static peers: they are beside the slots. In one that is
 * set there are as many places for those to come as it has room for.
 */
function completed(input: NetworkConfigInput): NetworkConfig {
  const config = merge(DEFAULTS, input) as NetworkConfig;
  if (input.memoryBudgetBytes === undefined) {
    return { ...config, memoryBudgetBytes: config.memoryBudgetBytes + reservedPeersBytes(config) };
  }
  return input.trustedMax === undefined ? { ...config, trustedMax: trustedPlaces(config) } : config;
}

function schemaOf(entry: Setting | Settings): z.ZodType {
  if (isSetting(entry)) return schemaOfSetting(entry).optional();
  const shape = Object.entries(entry).map(([key, inner]) => [key, schemaOf(inner)] as const);
  return z.strictObject(Object.fromEntries(shape), { error: refusalOfSection }).optional();
}

/** In our own words: zod's name types and keys that nobody wrote. */
function refusalOfSection(issue: { readonly code?: string; readonly keys?: unknown }): string {
  if (issue.code !== "unrecognized_keys") return "must be an object of settings";
  const [first = ""] = issue.keys as readonly string[];
  return `there is no setting ${JSON.stringify(first.slice(0, KEY_CHARS_MAX))}`;
}

function schemaOfSetting(setting: Setting): z.ZodType {
  switch (setting.kind) {
    case "number":
      return z
        .number(mustOf(setting))
        .refine(
          (value) =>
            value >= setting.min &&
            value <= setting.max &&
            (setting.fractions === true || Number.isInteger(value)),
          mustOf(setting),
        );
    case "flag":
      return z.boolean("must be true or false");
    case "text": {
      const schema = z.string(setting.rule.must).refine(setting.rule.holds, setting.rule.must);
      return setting.default === null ? schema.nullable() : schema;
    }
    case "list": {
      const { rule, lengthMax, orOne = false } = setting;
      const must = `must be ${orOne ? "a text or " : ""}a list of at most ${lengthMax} texts`;
      const item = z.string(rule.must).refine(rule.holds, rule.must);
      const list = z.array(item, must).max(lengthMax, must);
      return orOne ? z.preprocess(listOf, list) : list;
    }
  }
}

function listOf(value: unknown): unknown {
  if (value === null) return [];
  return typeof value === "string" ? [value] : value;
}

function mustOf({ min, max, unit, fractions }: NumberSetting): string {
  const what = fractions === true ? "a number" : "a whole number";
  const of = unit === "" ? "" : unit === "a second" ? ` ${unit}` : ` of ${unit}`;
  return `must be ${what}${of} from ${min} to ${max}`;
}

function invalid(sentence: string): CodedError {
  return new CodedError("CONFIG_INVALID", sentence);
}

function merge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (base === null || typeof base !== "object" || Array.isArray(base)) return over;
  const merged: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(base)) {
    merged[key] = merge(value, (over as Record<string, unknown>)[key]);
  }
  return merged;
}
