// Messages made of numbers, hashes and texts: small and rare, so cbor-x reads and writes them after
// the structural scan and before an exact check of every member. The check runs on what is sent,
// too: a message that this node could not read never leaves it.

import { decodeCbor, encodeCbor } from "../../bytes/cbor.js";
import type { CborLimits, CborValue } from "../../bytes/cbor.js";
import { fromHex, toHex } from "../../bytes/hex.js";
import type { HashHex } from "../../types/chain.js";
import { invariant } from "../../errors.js";
import type { AnyMessage } from "./any-message.js";

/** A member: its form in CBOR, and what it must be. */
export interface Field<T> {
  write(value: T): CborValue;
  /** Undefined when it is of another type or beyond its limit. */
  read(value: unknown): T | undefined;
}

type FieldsFor<T> = { readonly [K in keyof T]-?: Field<T[K]> };

/** A payload of members, in the order of its fields. */
export interface Fields<M extends AnyMessage> {
  readonly form: "fields";
  encode(message: M): Uint8Array<ArrayBuffer>;
  /** The message, or a phrase that says what is wrong. */
  decode(payload: Uint8Array): M | string;
}

/** The deepest is Handshake: message, list of quotas, quota. */
const LIMITS: CborLimits = { depthMax: 3, itemsMax: 160 };
const HASH_BYTES = 32;

export const UINT8_MAX = 2 ** 8 - 1;
export const UINT16_MAX = 2 ** 16 - 1;
export const UINT32_MAX = 2 ** 32 - 1;

/** A message of kind `kind` with these members. */
export function fields<M extends AnyMessage>(
  kind: M["kind"],
  members: FieldsFor<Omit<M, "kind">>,
  limits = LIMITS,
): Fields<M> {
  const list = tuple<Omit<M, "kind">>(members);
  return {
    form: "fields",
    encode: (message) => {
      const written = list.write(message);
      invariant(list.read(written) !== undefined, `a ${kind} within its limits`);
      return encodeCbor(written);
    },
    decode: (payload) => {
      const decoded = decodeCbor(payload, limits);
      if (!decoded.ok) return decoded.detail;
      const read = list.read(decoded.value);
      return read === undefined ? "not the members it should hold" : ({ kind, ...read } as M);
    },
  };
}

/** A list of named members; refused when one is missing, spare or wrong. */
export function tuple<T extends object>(members: FieldsFor<T>): Field<T> {
  const entries = Object.entries(members) as [keyof T & string, Field<unknown>][];
  return {
    write: (value) => entries.map(([name, field]) => field.write(value[name])),
    read: (value) => {
      if (!isList(value, entries.length) || value.length !== entries.length) return undefined;
      const read: Partial<Record<keyof T, unknown>> = {};
      for (const [index, [name, field]] of entries.entries()) {
        const member = field.read(value[index]);
        if (member === undefined) return undefined;
        read[name] = member;
      }
      return read as T;
    },
  };
}

export function uint(min: number, max: number): Field<number> {
  return {
    write: (value) => value,
    read: (value) => (isUint(value, min, max) ? value : undefined),
  };
}

/** Integers from 2^53 upward come as bigints; the codec refuses those from 2^64 upward. */
export const uint64: Field<bigint> = {
  write: (value) => value,
  read: (value) => {
    if (typeof value === "bigint") return value >= 0n && value < 2n ** 64n ? value : undefined;
    return isUint(value, 0, Number.MAX_SAFE_INTEGER) ? BigInt(value) : undefined;
  },
};

/** Hex here, 32 bytes on the wire. */
export const hash: Field<HashHex> = {
  write: fromHex,
  read: (value) =>
    value instanceof Uint8Array && value.length === HASH_BYTES ? toHex(value) : undefined,
};

/** A view of the payload. */
export function bytes(bytesMin: number, bytesMax: number): Field<Uint8Array> {
  return {
    write: (value) => value,
    read: (value) => {
      if (!(value instanceof Uint8Array)) return undefined;
      const { buffer, byteOffset, length } = value;
      if (length < bytesMin || length > bytesMax) return undefined;
      return new Uint8Array(buffer, byteOffset, length);
    },
  };
}

/** Control characters are refused: these texts end in logs and on terminals. */
export function text(bytesMax: number): Field<string> {
  return {
    write: (value) => value,
    read: (value) => {
      if (typeof value !== "string" || value.length > bytesMax) return undefined;
      return Buffer.byteLength(value) <= bytesMax && !/\p{Cc}/u.test(value) ? value : undefined;
    },
  };
}

/** One of these names, by its place among them. */
export function oneOf<const N extends string>(names: readonly N[], from = 0): Field<N> {
  return {
    write: (value) => names.indexOf(value),
    read: (value) => (isUint(value, from, names.length - 1) ? names[value] : undefined),
  };
}

export function list<T>(
  item: Field<T>,
  { min = 0, max }: { readonly min?: number; readonly max: number },
): Field<readonly T[]> {
  return {
    write: (values) => values.map((value) => item.write(value)),
    read: (values) => {
      if (!isList(values, max) || values.length < min) return undefined;
      const read = values.map((value) => item.read(value));
      return read.includes(undefined) ? undefined : (read as T[]);
    },
  };
}

/** A list that is refused unless each of its members has a greater key than the one before. */
export function ascending<T>(
  field: Field<readonly T[]>,
  keyOf: (member: T) => number,
): Field<readonly T[]> {
  return {
    write: (value) => field.write(value),
    read: (value) => {
      const read = field.read(value);
      const inOrder = read?.every((each, i) => i === 0 || keyOf(read[i - 1]!) < keyOf(each));
      return inOrder === true ? read : undefined;
    },
  };
}

function isUint(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

function isList(value: unknown, itemsMax: number): value is readonly unknown[] {
  return Array.isArray(value) && value.length <= itemsMax;
}
