// The tables of the data directory: their names, and how the text form of their keys becomes
// bytes. Used by both key-value engines and by the stores on top of them.

/** `hex` keys are two characters a byte, `latin1` keys one character (0-255) a byte. */
interface TableSpec {
  readonly name: string;
  readonly keys: "hex" | "latin1";
}

/** An index into TABLE_SPECS: what a packed write names its table by, so the order never changes. */
export const Table = {
  /** Single records: schema, genesis, owner, head, index tip. */
  meta: 0,
  /** hash -> header summary. */
  headers: 1,
  /** height, hash -> encoded block. */
  blocks: 2,
  /** height -> hash of the canonical block. */
  canonical: 3,
  /** height, hash of every block that is not canonical -> nothing. */
  forks: 4,
  /** height, hash -> undo data. */
  undo: 5,
  /** consensus key -> value. */
  state: 6,
  /** leading bytes of a transaction id -> height, index. */
  transactions: 7,
  /** peer id -> what is kept of it, as JSON. */
  peers: 8,
} as const;

export type Table = (typeof Table)[keyof typeof Table];

export const TABLE_SPECS: readonly TableSpec[] = [
  { name: "meta", keys: "latin1" },
  { name: "headers", keys: "hex" },
  { name: "blocks", keys: "hex" },
  { name: "canonical", keys: "hex" },
  { name: "forks", keys: "hex" },
  { name: "undo", keys: "hex" },
  { name: "state", keys: "latin1" },
  { name: "transactions", keys: "latin1" },
  // Named for what it held in schema 1: that release tells a newer schema by its number, and takes a
  // directory with a table that it does not know for something else's.
  { name: "bans", keys: "hex" },
];

/** The longest key of any table, far below LMDB's own limit. */
export const KEY_BYTES_MAX = 255;

const HEIGHT_HEX_DIGITS = 12;

/** Six bytes, big-endian, so that keys sort by height and neighbours lie side by side on disk. */
export function heightKey(height: number): string {
  return height.toString(16).padStart(HEIGHT_HEX_DIGITS, "0");
}

/** The part of a `height, hash` key after the height. */
export function hashOfKey(key: string): string {
  return key.slice(HEIGHT_HEX_DIGITS);
}

export function heightOfKey(key: string): number {
  return parseInt(key.slice(0, HEIGHT_HEX_DIGITS), 16);
}
