// Which types of events anybody hears. The bus says it, and whoever would publish one for each
// transaction looks first: what nobody hears costs that look. Shared by the actors of one thread.

import { GATED_TYPES } from "./event-table.js";
import type { NetworkEventType } from "./event-types.js";

export class HeardTypes {
  #types: ReadonlySet<NetworkEventType> = new Set();

  has(type: NetworkEventType): boolean {
    return this.#types.has(type);
  }

  /** Those of these that are gated. */
  set(types: Iterable<NetworkEventType>): void {
    this.#types = new Set([...types].filter((type) => GATED_TYPES.has(type)));
  }
}

/** Without the table, in an actor that is embedded alone, everything is published. */
export function isHeard(
  { heard }: { readonly heard?: HeardTypes | undefined },
  type: NetworkEventType,
): boolean {
  return heard === undefined || heard.has(type);
}
