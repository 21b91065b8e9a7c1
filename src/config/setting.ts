// What a setting is: its default, unit, bounds and one text for its user. The tables in settings/
// are made of these; the defaults, the schema, the refusals and docs/configuration.md follow.

export type Unit =
  | "bytes"
  | "MiB"
  | "ms"
  | "a second"
  | "points"
  | "percent"
  | "blocks"
  | "headers"
  | "transactions"
  | "peers"
  | "";

export interface NumberSetting {
  readonly kind: "number";
  readonly default: number;
  readonly unit: Unit;
  readonly min: number;
  readonly max: number;
  /** Absent: whole numbers only. */
  readonly fractions?: true;
  readonly text: string;
}

export interface FlagSetting {
  readonly kind: "flag";
  readonly default: boolean;
  readonly text: string;
}

/** What a text must be, and how a refusal says it. */
export interface TextRule {
  readonly holds: (text: string) => boolean;
  readonly must: string;
}

export interface TextSetting<T extends string | null = string> {
  readonly kind: "text";
  readonly default: T;
  readonly rule: TextRule;
  readonly text: string;
}

export interface ListSetting {
  readonly kind: "list";
  readonly default: readonly string[];
  readonly lengthMax: number;
  /** A text stands for a list of one, null for none: what could be said before it was a list. */
  readonly orOne?: true;
  /** Of each item. */
  readonly rule: TextRule;
  readonly text: string;
}

export type Setting = NumberSetting | FlagSetting | TextSetting<string | null> | ListSetting;

/** Settings by name, in sections. */
export interface Settings {
  readonly [name: string]: Setting | Settings;
}

/** The configuration that a table describes. */
export type ValuesOf<T> = {
  readonly [K in keyof T]: T[K] extends { readonly kind: string; readonly default: infer V }
    ? V
    : ValuesOf<T[K]>;
};

export function isSetting(entry: Setting | Settings): entry is Setting {
  return typeof entry.kind === "string";
}

/** Of a number: the least and the most. */
export type Bounds = readonly [min: number, max: number];

/** Of caches and tables: one that takes memory for all its entries at once must not take it all. */
export const ENTRIES: Bounds = [1, 2 ** 20];

export function number(value: number, unit: Unit, [min, max]: Bounds, text: string): NumberSetting {
  return { kind: "number", default: value, unit, min, max, text };
}

export const bytes = (value: number, bounds: Bounds, text: string): NumberSetting =>
  number(value, "bytes", bounds, text);

export const ms = (value: number, bounds: Bounds, text: string): NumberSetting =>
  number(value, "ms", bounds, text);

/** So many of what the name says. */
export const count = (value: number, bounds: Bounds, text: string): NumberSetting =>
  number(value, "", bounds, text);

/** What the wire tells in four bytes: a rate, and what may come at once after a pause. */
const UINT32: Bounds = [1, 2 ** 32 - 1];

export const rate = (value: number, text: string): NumberSetting =>
  number(value, "a second", UINT32, text);
export const burst = (value: number, text: string): NumberSetting => count(value, UINT32, text);
export const burstBytes = (value: number, text: string): NumberSetting =>
  bytes(value, UINT32, text);

export function flag(value: boolean, text: string): FlagSetting {
  return { kind: "flag", default: value, text };
}

export function text<T extends string | null>(
  value: T,
  rule: TextRule,
  description: string,
): TextSetting<T extends string ? string : string | null> {
  type Value = T extends string ? string : string | null;
  return { kind: "text", default: value as unknown as Value, rule, text: description };
}

export function list(lengthMax: number, rule: TextRule, description: string): ListSetting {
  return { kind: "list", default: [], lengthMax, rule, text: description };
}

export function listOrOne(
  lengthMax: number,
  rule: TextRule,
  description: string,
): ListSetting & { readonly orOne: true } {
  return { ...list(lengthMax, rule, description), orOne: true };
}

/** A text that the handshake carries: a longer one, or another one, could not be sent at all. */
export function told(bytesMin: number, bytesMax: number): TextRule {
  const length = bytesMin === 0 ? "at most" : `${bytesMin} to`;
  return {
    holds: (value) => {
      const length = new TextEncoder().encode(value).length;
      // Half of a surrogate pair (Cs, as JSON can say it) has no UTF-8.
      return length >= bytesMin && length <= bytesMax && !/[\p{Cc}\p{Cs}]/u.test(value);
    },
    must: `must be ${length} ${bytesMax} bytes of UTF-8 without control characters`,
  };
}

export const FILLED: TextRule = {
  holds: (value) => value.length >= 1 && value.length <= 4_096,
  must: "must have 1 to 4096 characters",
};

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
