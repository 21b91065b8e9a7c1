// Ids as callers hand them in: of peers, blocks and transactions.

import { CodedError } from "../errors.js";

/**
 * The id, if it is one: of another form it would be known to nobody, and answered as if it were not
 * there. Throws ID_INVALID. `what` is what it is the id of, for the sentence.
 */
export function checkedId(what: string, id: unknown): string {
  if (typeof id === "string" && /^[0-9a-f]{64}$/.test(id)) return id;
  const shown = JSON.stringify(typeof id === "string" ? id.slice(0, 100) : typeof id);
  const sentence = `The ${what} ${shown} is not valid: it must be 64 lower-case hex characters.`;
  throw new CodedError("ID_INVALID", sentence);
}
