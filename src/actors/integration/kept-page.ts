// How waiting transactions lie in a page of the store: a version, then for each whether it was submitted
// here, since when it waits, its length and its bytes. What a store answers may be anything: reading
// ends where it is no page of ours. Pure.

/** A transaction as it is kept over a restart. */
export interface KeptTransaction {
  readonly bytes: Uint8Array;
  /** It was submitted to this node. */
  readonly own: boolean;
  /** Since when it waits, milliseconds since 1970 UTC. */
  readonly sinceWallMs: number;
}

const VERSION = 1;
const OWN = 1;
const TIME_AT = 1;
const TIME_BYTES = 6;
const LENGTH_AT = TIME_AT + TIME_BYTES;
const HEAD_BYTES = LENGTH_AT + 4;

/** What a transaction takes of a page. */
export function keptBytes(transaction: Uint8Array): number {
  return HEAD_BYTES + transaction.length;
}

export function encodeKeptPage(transactions: readonly KeptTransaction[]): Uint8Array<ArrayBuffer> {
  const length = transactions.reduce((sum, { bytes }) => sum + keptBytes(bytes), 1);
  const page = Buffer.allocUnsafeSlow(length);
  let at = page.writeUInt8(VERSION, 0);
  for (const { bytes, own, sinceWallMs } of transactions) {
    page.writeUInt8(own ? OWN : 0, at);
    page.writeUIntBE(Math.max(0, Math.floor(sinceWallMs)), at + TIME_AT, TIME_BYTES);
    page.writeUInt32BE(bytes.length, at + LENGTH_AT);
    page.set(bytes, at + HEAD_BYTES);
    at += keptBytes(bytes);
  }
  return page;
}

/** Views of the page; those that come before anything that is wrong with it. */
export function decodeKeptPage(bytes: Uint8Array): readonly KeptTransaction[] {
  const page = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const kept: KeptTransaction[] = [];
  if (page[0] !== VERSION) return kept;
  let at = 1;
  while (at + HEAD_BYTES < page.length) {
    const length = page.readUInt32BE(at + LENGTH_AT);
    const from = at + HEAD_BYTES;
    if (length === 0 || from + length > page.length) break;
    const sinceWallMs = page.readUIntBE(at + TIME_AT, TIME_BYTES);
    kept.push({ bytes: bytes.subarray(from, from + length), own: page[at] === OWN, sinceWallMs });
    at = from + length;
  }
  return kept;
}
