// The coded errors of the whole project: an operational failure carries a code and one plain
// sentence. A peer's misbehaviour is never an error but a value (a Fault or a Violation); a
// programmer's mistake is an assertion.

export type ErrorCode =
  | "ADDRESS_IN_USE"
  | "ADDRESS_INVALID"
  | "ARGUMENT_INVALID"
  | "CLOSED"
  | "CONFIG_INVALID"
  | "CRASHED"
  | "DATA_CORRUPT"
  | "DATA_LOCKED"
  | "DATA_UNREADABLE"
  | "DIAL_FAILED"
  | "ID_INVALID"
  | "KEY_INVALID"
  | "NAME_UNRESOLVED"
  | "NODE_FAILED"
  | "NODE_UNREACHABLE"
  | "QUEUE_FULL"
  | "REFUSED"
  | "RULES_UNLOADABLE"
  | "STOPPED"
  | "STORE_FAILED"
  | "TIMEOUT"
  | "WORKER_LOST";

export class CodedError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "CodedError";
    this.code = code;
  }
}

export function isCoded(error: unknown, code?: ErrorCode): error is CodedError {
  return error instanceof CodedError && (code === undefined || error.code === code);
}

/** What to log of a caught value, which may be anything: an object without a prototype has no text. */
export function errorText(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return "what was thrown has no text";
  }
}

/**
 * Of what a caller's function answered, which may be a promise whatever its type says: unheeded, one
 * that rejects would end the process. True: it is a promise.
 */
export function whenRejected(answer: unknown, onRejected: (error: unknown) => void): boolean {
  const isObject = typeof answer === "object" && answer !== null;
  if (!isObject || typeof (answer as { then?: unknown }).then !== "function") return false;
  Promise.resolve(answer).catch(onRejected);
  return true;
}

/** The answer of a caller's function for which nobody waits: a promise is a TypeError. */
export function atOnce<T>(answer: T): T {
  if (whenRejected(answer, () => undefined)) throw new TypeError("it answered a promise");
  return answer;
}

/** Throws when a programmer's assumption does not hold. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant: ${message}`);
}

/** The last line of a total `switch`: a new variant without a branch does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
