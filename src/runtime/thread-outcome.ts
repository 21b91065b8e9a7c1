// How an answer comes back from another thread: a value, or an error as data. Cloning alone, and
// comlink's own way, would lose an error's class, its code and its causes.

import { CodedError, isCoded } from "../errors.js";

export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: CarriedError };

/** An error as it can be cloned. */
export interface CarriedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
  readonly coded: boolean;
  readonly cause: CarriedError | undefined;
}

/** Deeper causes are left out; a chain of causes may be a circle. */
const CAUSES_MAX = 8;

export async function outcomeOf<T>(run: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    return { ok: false, error: carry(error) };
  }
}

export function valueOf<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw revive(outcome.error);
}

export function carry(thrown: unknown, causesMax = CAUSES_MAX): CarriedError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack, cause } = error;
  const code = (error as NodeJS.ErrnoException).code;
  const deeper = cause === undefined || causesMax === 0 ? undefined : carry(cause, causesMax - 1);
  return { name, message, stack, code, coded: isCoded(error), cause: deeper };
}

export function revive({ name, message, stack, code, coded, cause }: CarriedError): Error {
  const options = cause === undefined ? {} : { cause: revive(cause) };
  const error = coded
    ? new CodedError(code as CodedError["code"], message, options)
    : Object.assign(new Error(message, options), { name }, code === undefined ? {} : { code });
  if (stack !== undefined) error.stack = stack;
  return error;
}
