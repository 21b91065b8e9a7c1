// The coded errors of the whole project: an operational failure carries a code and one plain
// sentence. A peer's misbehaviour is never an error but a value (a Fault or a Violation); a
// programmer's mistake is an assertion.

export type ErrorCode =
  | "ADDRESS_IN_USE"
  | "ADDRESS_INVALID"
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
  | "QUEUE_FULL"
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

/** What to log of a caught value. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Throws when a programmer's assumption does not hold. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant: ${message}`);
}

/** The last line of a total `switch`: a new variant without a branch does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
