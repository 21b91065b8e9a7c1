// A readable timeline of a run: what one node was delivered and logged, or every station of one
// message. For people who replay a seed; `vibecoin-node sim --trace` prints it.

import { toHex } from "../bytes/hex.js";
import type { WorldOptions } from "./options.js";
import { formatDelivery } from "./trace.js";

/** A shorter text is mentioned everywhere by chance. */
export const TRACE_TEXT_MIN = 8;
/** Deeper than any message of the node. */
const DEPTH_MAX = 8;

/**
 * `about` is a node (`n3`), a message's hash as a timeline prints it (`#` and 16 hex digits), or a
 * text that messages mention: a block's hash, a transaction's or peer's id, as hex, 8 digits of it
 * or more. `write` takes a line without its end. Give what comes back to the world.
 */
export function createTimeline(
  about: string,
  write: (line: string) => void,
): Pick<WorldOptions, "onDelivery" | "onLog"> {
  const path = `/${about}/`;
  const hash = about.startsWith("#") ? about.slice(1) : undefined;
  return {
    onDelivery(delivery) {
      const { message, messageHash } = delivery;
      if (hash !== undefined) {
        if (hash !== messageHash) return;
      } else if (!delivery.path.startsWith(path) && !mentions(message, about, 0)) return;
      write(formatDelivery(delivery));
    },
    onLog({ atMs, node, level, event, fields }) {
      if (node !== about && !mentions(fields, about, 0)) return;
      const told = Object.entries(fields).map(([key, value]) => ` ${key}=${String(value)}`);
      write(`${atMs.toFixed(3).padStart(12)} /${node} ${level}: ${event}${told.join("")}`);
    },
  };
}

const BYTES_MAX = 64;

function mentions(value: unknown, text: string, depth: number): boolean {
  if (text.length < TRACE_TEXT_MIN || depth > DEPTH_MAX) return false;
  if (typeof value === "string") return value.includes(text);
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof Uint8Array) {
    return value.length <= BYTES_MAX && toHex(value).includes(text);
  }
  if (ArrayBuffer.isView(value)) return false;
  if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
    for (const item of value) if (mentions(item, text, depth + 1)) return true;
    return false;
  }
  const prototype = Object.getPrototypeOf(value) as unknown;
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).some((field) => mentions(field, text, depth + 1));
}
