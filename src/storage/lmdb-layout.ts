// How an LMDB file is laid out, as far as it is looked at here: meta pages, trees, the nodes of a
// page. After liblmdb's MDB_meta, MDB_db, MDB_page and MDB_node, 64-bit, data version 2,
// little-endian. Everything that a page claims is checked against the page and the file.

import { TABLE_SPECS } from "./tables.js";

/** What a page or a file says that cannot be; its message is the end of a sentence. */
export class Damage extends Error {}

export interface Tree {
  readonly name: string;
  /** Levels, leaves included; 0: the tree is empty. */
  readonly depth: number;
  readonly root: number;
}

/** What one committed transaction left: the newest of the two meta pages. */
export interface Snapshot {
  readonly txnId: bigint;
  readonly pageBytes: number;
  /** Pages of the file that it counts; the last ones may be free and never have been written. */
  readonly pageCount: number;
  readonly free: Tree;
  readonly main: Tree;
}

/** A value that has pages of its own: `pages` of them from `page` on. */
export interface OverflowRun {
  readonly page: number;
  readonly pages: number;
}

export const META_BYTES = 160;
const PAGE_SIZE_MIN = 4_096;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_SIZE_MAX = 65_536;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/** No Damage: of another program's file nobody must be told to delete it. */
const NOT_LMDB = "data.mdb is damaged, or is not an LMDB file";
const OURS: ReadonlySet<string> = new Set(TABLE_SPECS.map(({ name }) => name));

const HEADER_BYTES = 24;
const NODE_BYTES = 8;
const TREE_BYTES = 48;
const RUN_BYTES = 24;
const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;
const META = 0x08;
/** The flags that tell the kinds of pages apart; the others are of transactions under way. */
const KINDS = 0x7f;
const BIG_DATA = 0x01;
const SUB_DATA = 0x02;

/** The newer of two meta pages, the second of which lies one page after the first. */
export function readSnapshot(metas: readonly [Buffer, Buffer]): Snapshot {
  const [first, second] = metas;
  for (const meta of metas) checkMeta(meta);
  const newer = first.readBigUInt64LE(152) > second.readBigUInt64LE(152) ? first : second;
  const pageCount = Number(newer.readBigUInt64LE(144)) + 1;
  return {
    txnId: newer.readBigUInt64LE(152),
    pageBytes: pageBytesOf(newer),
    pageCount,
    free: readTree("of free pages", newer.subarray(48), pageCount),
    main: readTree("of tables", newer.subarray(96), pageCount),
  };
}

export function pageBytesOf(meta: Buffer): number {
  const bytes = meta.readUInt32LE(48);
  const known = bytes >= PAGE_SIZE_MIN && bytes <= PAGE_SIZE_MAX && (bytes & (bytes - 1)) === 0;
  if (!known) throw new Error(NOT_LMDB);
  return bytes;
}

function checkMeta(meta: Buffer): void {
  const isMeta = (meta.readUInt16LE(18) & META) !== 0;
  if (!isMeta || meta.readUInt32LE(24) !== MAGIC) {
    throw new Error(NOT_LMDB);
  }
  const version = meta.readUInt32LE(28) & 0xffff;
  if (version !== DATA_VERSION) throw new Error(`data.mdb has the LMDB data version ${version}`);
}

function readTree(name: string, record: Buffer, pageCount: number): Tree {
  const depth = record.readUInt16LE(6);
  const root = record.readBigUInt64LE(40);
  if (root === NO_PAGE) return { name, depth: 0, root: 0 };
  // The root of a tree this deep would have more pages than a file can.
  if (depth === 0 || depth > 32) throw new Damage(`the table ${name} is ${depth} pages deep`);
  if (root < 2n || root >= BigInt(pageCount)) throw new Damage(`the table ${name} has no root`);
  return { name, depth, root: Number(root) };
}

/** One page of a tree: what it holds, checked against its own bounds. */
export class PageReader {
  private readonly snapshot: Snapshot;

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
  }

  /** The pages below a branch page. */
  children(page: Buffer, number: number): number[] {
    return this.nodes(page, number, BRANCH).map((at) => {
      const child =
        page.readUInt16LE(at) +
        page.readUInt16LE(at + 2) * 2 ** 16 +
        page.readUInt16LE(at + 4) * 2 ** 32;
      if (child < 2 || child >= this.snapshot.pageCount) throw wrong(number, "leads nowhere");
      return child;
    });
  }

  /** Calls one of the two for each record of a leaf page. */
  records(
    page: Buffer,
    number: number,
    onValue: (value: Buffer, key: Buffer, isTree: boolean) => void,
    onRun: (run: OverflowRun, valueBytes: number) => void,
  ): void {
    for (const at of this.nodes(page, number, LEAF)) {
      const valueBytes = page.readUInt32LE(at);
      const flags = page.readUInt16LE(at + 4);
      const keyAt = at + NODE_BYTES;
      const valueAt = keyAt + page.readUInt16LE(at + 6);
      if (flags === BIG_DATA) {
        if (valueAt + RUN_BYTES > page.length) throw wrong(number, "ends within a record");
        onRun(this.run(page, valueAt, valueBytes, number), valueBytes);
      } else if (flags === 0 || flags === SUB_DATA) {
        if (valueAt + valueBytes > page.length) throw wrong(number, "ends within a record");
        const value = page.subarray(valueAt, valueAt + valueBytes);
        onValue(value, page.subarray(keyAt, valueAt), flags === SUB_DATA);
      } else {
        throw wrong(number, "holds a record of no known kind");
      }
    }
  }

  /** The first page of a value that has pages of its own. */
  checkRun(page: Buffer, run: OverflowRun): void {
    this.checkHeader(page, run.page, OVERFLOW);
    if (page.readUInt32LE(20) !== run.pages) throw wrong(run.page, "is of another length");
  }

  /** A record of the tree of tables; undefined: it is none of ours. */
  table(value: Buffer, key: Buffer, isTree: boolean): Tree | undefined {
    const name = key.toString("latin1").replace(/\0$/, "");
    if (!OURS.has(name)) return undefined;
    if (!isTree || value.length !== TREE_BYTES) throw new Damage(`${name} is not a table`);
    // The tables here have plain keys and single values.
    if (value.readUInt16LE(4) !== 0) throw new Damage(`the table ${name} is of another kind`);
    return readTree(name, value, this.snapshot.pageCount);
  }

  /**
   * The free pages that a record lists: their count, then pages, each run of pages as its negated
   * length and its first page; zero is an entry that was used up.
   */
  *freePages(list: Buffer): Generator<OverflowRun, void, void> {
    const count = list.length < 8 ? -1n : list.readBigUInt64LE(0);
    if (count < 0n || count >= BigInt(Math.floor(list.length / 8))) throw new Damage(FREE_LIST);
    const end = 8 + Number(count) * 8;
    for (let at = 8; at < end; at += 8) {
      let entry = list.readBigInt64LE(at);
      let pages = 1n;
      if (entry < 0n) {
        pages = -entry;
        at += 8;
        if (at >= end) throw new Damage(FREE_LIST);
        entry = list.readBigInt64LE(at);
      }
      if (entry === 0n) continue;
      if (entry < 2n || entry + pages > BigInt(this.snapshot.pageCount))
        throw new Damage(FREE_LIST);
      yield { page: Number(entry), pages: Number(pages) };
    }
  }

  /** Where the nodes of a page begin. */
  private nodes(page: Buffer, number: number, kind: number): number[] {
    this.checkHeader(page, number, kind);
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    const room = page.length - HEADER_BYTES;
    if (lower === 0 || lower % 2 !== 0 || lower > upper || upper > room) {
      throw wrong(number, "contradicts itself");
    }
    const nodes: number[] = [];
    for (let at = HEADER_BYTES; at < HEADER_BYTES + lower; at += 2) {
      const offset = page.readUInt16LE(at);
      if (offset < upper || offset % 2 !== 0 || offset + NODE_BYTES > room) {
        throw wrong(number, "contradicts itself");
      }
      const node = HEADER_BYTES + offset;
      if (node + NODE_BYTES + page.readUInt16LE(node + 6) > page.length) {
        throw wrong(number, "ends within a key");
      }
      nodes.push(node);
    }
    return nodes;
  }

  /** A page of a later transaction than the snapshot would be taken for one under way. */
  private checkHeader(page: Buffer, number: number, kind: number): void {
    const isHere = page.readBigUInt64LE(0) === BigInt(number);
    const isKind = (page.readUInt16LE(18) & KINDS) === kind;
    if (!isHere || !isKind || page.readBigUInt64LE(8) > this.snapshot.txnId) {
      throw wrong(number, "is not what was written there");
    }
  }

  private run(page: Buffer, at: number, valueBytes: number, number: number): OverflowRun {
    const first = page.readBigUInt64LE(at);
    const pages = page.readBigUInt64LE(at + 16);
    const due = Math.floor((HEADER_BYTES - 1 + valueBytes) / page.length) + 1;
    const fits = first >= 2n && first + pages <= BigInt(this.snapshot.pageCount);
    if (!fits || pages !== BigInt(due)) throw wrong(number, "holds a value that lies nowhere");
    return { page: Number(first), pages: due };
  }
}

const FREE_LIST = "the list of free pages is damaged";

function wrong(page: number, what: string): Damage {
  return new Damage(`page ${page} of data.mdb ${what}`);
}
