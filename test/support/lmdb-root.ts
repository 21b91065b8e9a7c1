// Where an LMDB file keeps the page without which nothing of it can be read.

const PAGE = 4_096;

/** The number of the root page of the tree of tables, by the newer of the two meta pages. */
export function rootPageOf(data: Buffer): number {
  const transaction = (meta: number): bigint => data.readBigUInt64LE(meta * PAGE + 152);
  const meta = transaction(0) > transaction(1) ? 0 : 1;
  return Number(data.readBigUInt64LE(meta * PAGE + 136));
}
