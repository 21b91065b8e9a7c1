// Walks the pages of an LMDB file by reading it, before LMDB maps it. LMDB believes what is on a
// page: a damaged one, or one beyond the end of the file, ends the process by a signal or a failed
// assertion that nothing can catch. Reading cannot: what is wrong is a Damage here. Branches come
// before leaves, small tables before large ones, and the values that have pages of their own last,
// so that a bounded walk sees what most depends on.

import type { FileHandle } from "node:fs/promises";
import { Damage, PageReader, type OverflowRun, type Snapshot, type Tree } from "./lmdb-layout.js";

/** Pages that lie close together are read at once, with what lies between them. */
const READ_PAGES_MAX = 64;
const GAP_PAGES_MAX = 8;

export interface WalkOptions {
  /** The walk ends early after so many pages; infinity: it sees every page. */
  readonly pagesMax: number;
  /** Read the values that have pages of their own too, not only where they begin. */
  readonly values: boolean;
}

/** Throws Damage, or the error of a disk that cannot be read. */
export async function walkPages(
  file: FileHandle,
  snapshot: Snapshot,
  options: WalkOptions,
): Promise<void> {
  await new Walk(file, snapshot, options).run();
}

/** The pages of one level of a tree. */
interface Level {
  readonly tree: Tree;
  readonly pages: readonly number[];
}

class Walk {
  private readonly file: FileHandle;
  private readonly snapshot: Snapshot;
  private readonly reader: PageReader;
  private readonly values: boolean;
  private pagesLeft: number;
  /** One bit a page: each is used once, or is free. */
  private readonly used: Uint8Array;
  private readonly runs: OverflowRun[] = [];

  constructor(file: FileHandle, snapshot: Snapshot, { pagesMax, values }: WalkOptions) {
    this.file = file;
    this.snapshot = snapshot;
    this.reader = new PageReader(snapshot);
    this.values = values;
    this.pagesLeft = pagesMax;
    this.used = new Uint8Array(Math.ceil(snapshot.pageCount / 8));
  }

  async run(): Promise<void> {
    const tables: Tree[] = [];
    const lists: Buffer[] = [];
    const { free, main } = this.snapshot;
    await this.leaves(await this.branches(main), (value, key, isTree) => {
      const table = this.reader.table(value, key, isTree);
      if (table !== undefined) tables.push(table);
    });
    await this.leaves(await this.branches(free), (value) => void lists.push(Buffer.from(value)));
    for (const run of this.runs.splice(0)) lists.push(await this.readList(run));
    const leaves: Level[] = [];
    for (const table of tables) leaves.push(await this.branches(table));
    leaves.sort((a, b) => a.pages.length - b.pages.length);
    for (const level of leaves) await this.leaves(level, () => undefined);
    this.runs.sort((a, b) => a.page - b.page);
    await this.overflow();
    for (const list of lists) {
      for (const run of this.reader.freePages(list)) this.take(run, "is free and in use");
    }
  }

  /** Goes down a tree to its leaves. */
  private async branches(tree: Tree): Promise<Level> {
    let pages = tree.depth === 0 ? [] : [tree.root];
    for (let depth = 1; depth <= tree.depth; depth++) {
      for (const page of pages) this.take({ page, pages: 1 }, "is used twice");
      if (depth === tree.depth) break;
      const below: number[] = [];
      await this.read(pages, (page, number) => {
        for (const child of this.reader.children(page, number)) below.push(child);
      });
      pages = below;
    }
    return { tree, pages };
  }

  private async leaves(
    { tree, pages }: Level,
    onValue: (value: Buffer, key: Buffer, isTree: boolean) => void,
  ): Promise<void> {
    await this.read(pages, (page, number) => {
      this.reader.records(page, number, onValue, (run) => {
        this.take(run, `of a value ${tree.name} is used twice`);
        this.runs.push(run);
      });
    });
  }

  private async overflow(): Promise<void> {
    const firsts = new Map(this.runs.map((run) => [run.page, run]));
    const pages = this.values
      ? this.runs.flatMap((run) => Array.from({ length: run.pages }, (_, i) => run.page + i))
      : [...firsts.keys()];
    await this.read(pages, (page, number) => {
      const run = firsts.get(number);
      if (run !== undefined) this.reader.checkRun(page, run);
    });
  }

  /** A list of free pages that is longer than a page. */
  private async readList(run: OverflowRun): Promise<Buffer> {
    const { pageBytes } = this.snapshot;
    const list = Buffer.allocUnsafe(run.pages * pageBytes);
    await this.fill(list, run.page);
    this.reader.checkRun(list.subarray(0, pageBytes), run);
    return list.subarray(24);
  }

  /** Calls `onPage` for each of these pages, those of the lowest number first. */
  private async read(
    numbers: readonly number[],
    onPage: (page: Buffer, number: number) => void,
  ): Promise<void> {
    const sorted = Uint32Array.from(numbers).sort();
    const { pageBytes } = this.snapshot;
    const buffer = Buffer.allocUnsafe(READ_PAGES_MAX * pageBytes);
    for (let from = 0; from < sorted.length && this.pagesLeft > 0;) {
      const to = endOfRead(sorted, from);
      const first = sorted[from]!;
      const pages = sorted[to - 1]! - first + 1;
      this.pagesLeft -= pages;
      await this.fill(buffer.subarray(0, pages * pageBytes), first);
      for (let i = from; i < to; i++) {
        const number = sorted[i]!;
        const at = (number - first) * pageBytes;
        onPage(buffer.subarray(at, at + pageBytes), number);
      }
      from = to;
    }
  }

  private async fill(target: Buffer, page: number): Promise<void> {
    const position = page * this.snapshot.pageBytes;
    const { bytesRead } = await this.file.read(target, 0, target.length, position);
    if (bytesRead < target.length) throw new Damage("data.mdb has lost its end");
  }

  /** Throws when another record, or the list of free pages, has one of these pages too. */
  private take(run: OverflowRun, what: string): void {
    for (let page = run.page; page < run.page + run.pages; page++) {
      const bit = 1 << (page & 7);
      if ((this.used[page >> 3]! & bit) !== 0) {
        throw new Damage(`page ${page} of data.mdb ${what}`);
      }
      this.used[page >> 3]! |= bit;
    }
  }
}

/** Where the pages end that are read together with that at `from`. */
function endOfRead(sorted: Uint32Array, from: number): number {
  for (let to = from + 1; to < sorted.length; to++) {
    const isNear = sorted[to]! - sorted[to - 1]! <= GAP_PAGES_MAX;
    if (!isNear || sorted[to]! - sorted[from]! >= READ_PAGES_MAX) return to;
  }
  return sorted.length;
}
