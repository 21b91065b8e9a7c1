// The key-value engine on LMDB. Small reads happen here; writes collect in a layer over LMDB and go, a
// group at a time, to the writer thread, which commits each group in one synced transaction. So
// the event loop neither waits for a disk nor walks a B-tree to write. Used by lmdb-environment.

import type { Worker } from "node:worker_threads";
import type { Database, RootDatabase } from "lmdb";
import { CodedError, invariant } from "../errors.js";
import type { Clock, Timer } from "../ports.js";
import type { KeyValue, StagedWrites } from "./key-value.js";
import { damaged, LmdbReader, saysDamaged } from "./lmdb-reader.js";
import type { WriterCommand, WriterReport } from "./lmdb-writer.js";
import { LatelyWritten } from "./lately-written.js";
import { RecentValues } from "./recent-values.js";
import { Table, TABLE_SPECS } from "./tables.js";
import { LATE_VALUE_BYTES_MAX, packedBytes, packWrites, WritePacker } from "./write-batch.js";

/** Beyond this a group is sealed: the writer is given no more at once. */
const GROUP_BYTES_MAX = 8 * 1024 * 1024;
/** The same for what is packed at once, about 2 ms of the event loop. */
const LATE_WRITES_MAX = 8_192;

/**
 * Between two groups when writes keep coming: a larger group touches each page and syncs once. At
 * 220 blocks a second it saves 40% of the CPU time of a commit, most of it in the writer.
 */
const GROUP_PAUSE_MS = 50;

/** Room for some 50,000 senders' nonces. */
const STATE_CACHE_BYTES = 8 * 1024 * 1024;

/** Writes of whole turns that become durable together. */
interface Layer {
  readonly tables: readonly Map<string, Uint8Array | null>[];
  /** What was packed already: all that was staged, long values otherwise. */
  readonly packer: WritePacker;
  bytes: number;
  /** Of what is packed when its turn to be written comes, at most; none of what was staged. */
  lateBytesMax: number;
  lateWrites: number;
  readonly durable: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

interface Reading {
  resolve(values: Uint8Array[]): void;
  reject(error: Error): void;
}

interface LmdbParts {
  readonly directory: string;
  readonly root: RootDatabase;
  readonly tables: readonly Database<Buffer, string>[];
  readonly writer: Worker;
  /** For the pause between groups; absent: they follow each other at once. */
  readonly clock: Pick<Clock, "setTimer"> | undefined;
  /** Releases the directory's lock. */
  readonly afterClose: () => unknown;
}

export class LmdbKeyValue implements KeyValue {
  private readonly parts: LmdbParts;
  private readonly stored: LmdbReader;
  /** Oldest first: the one being written, sealed ones, and last the one that collects. */
  private readonly layers: Layer[] = [];
  private readonly recentState = new RecentValues(STATE_CACHE_BYTES);
  private readonly latelyWritten = new LatelyWritten();
  private collecting: Layer | undefined;
  private writing = false;
  private pause: Timer | undefined;
  private turnEnds = false;
  private failure: CodedError | undefined;
  private onFailure!: (error: CodedError) => void;
  /** Resolves to why, once nothing can be written any more. */
  readonly failed = new Promise<CodedError>((resolve) => (this.onFailure = resolve));
  private groupsSent = 0;
  /** What the writer thread is to read, in the order of the questions. */
  private readonly readings: Reading[] = [];
  private writerRuns = true;
  private closing: Promise<void> | undefined;
  private closed = false;
  /** Resolves when the writer thread runs; rejects with STORE_FAILED when it cannot. */
  readonly started: Promise<void>;
  private readonly writerEnded: Promise<void>;

  constructor(parts: LmdbParts) {
    this.parts = parts;
    // Writing to what is damaged would damage more.
    this.stored = new LmdbReader(parts.directory, parts.tables, (error) => void this.fail(error));
    const { writer } = parts;
    this.started = new Promise((resolve, reject) => {
      writer.on("message", (report: WriterReport) => {
        if (report.type === "ready") resolve();
        else if (report.type === "committed") this.onCommitted();
        else if (report.type === "read") this.onRead(report.values);
        else if (report.type === "failed") this.fail(this.unwritable(report.detail));
        else this.readings.shift()!.reject(this.fail(damaged(parts.directory, report.detail)));
      });
      writer.on("error", (error) => reject(this.fail(this.unwritable(error.message))));
      writer.on("exit", () => {
        const error = this.closing
          ? closedError(parts.directory)
          : this.fail(this.unwritable("the writer thread ended"));
        this.endReadings(error);
        if (this.closing) resolve();
        else reject(error);
      });
    });
    this.started.catch(() => undefined);
    this.writerEnded = new Promise((resolve) => writer.once("exit", () => resolve()));
    writer.unref();
  }

  get(table: Table, key: string): Uint8Array | undefined {
    if (table !== Table.state) return this.value(table, key);
    const recent = this.recentState.get(key);
    if (recent !== undefined && !this.closed) return recent ?? undefined;
    const value = this.value(table, key);
    this.recentState.set(key, value ?? null);
    return value;
  }

  has(table: Table, key: string): boolean {
    const layered = this.layered(table, key);
    if (layered !== undefined) return layered !== null;
    return this.reader().has(table, key);
  }

  /**
   * What is not written yet, or was a moment ago, is copied here: what everybody asks for is new, and
   * must not wait behind a commit. The rest is the writer thread's to read.
   */
  async read(table: Table, keys: readonly string[], bytesMax: number): Promise<Uint8Array[]> {
    const found: Uint8Array[] = [];
    let bytes = 0;
    while (found.length < keys.length && bytes < bytesMax) {
      const rest = keys.slice(found.length);
      const end = rest.findIndex((key) => this.isAtHand(table, key));
      const values =
        end === 0
          ? this.copied(table, rest[0]!)
          : await this.ask({ table, keys: end < 0 ? rest : rest.slice(0, end), bytesMax });
      for (const value of values) {
        bytes += value.length;
        if (found.length > 0 && bytes > bytesMax) return found;
        found.push(value);
      }
      if (values.length < (end < 0 ? rest.length : Math.max(1, end))) return found;
    }
    return found;
  }

  keys(table: Table, limit: number, before?: string): string[] {
    const found: string[] = [];
    for (const key of this.reader().keys(table, before)) {
      if (this.layered(table, key) !== undefined) continue;
      if (found.push(key) >= limit) return found;
    }
    const staged = new Set(this.layers.flatMap((layer) => [...layer.tables[table]!.keys()]));
    for (const key of staged) {
      if (found.length >= limit) break;
      if ((before === undefined || key < before) && this.layered(table, key)) found.push(key);
    }
    return found;
  }

  put(table: Table, key: string, value: Uint8Array): void {
    this.write(table, key, value);
  }

  delete(table: Table, key: string): void {
    this.write(table, key, null);
  }

  stage(): StagedWrites {
    const layer = newLayer();
    const stage = (table: Table, key: string, value: Uint8Array | null): void => {
      layer.tables[table]!.set(key, value);
      layer.packer.add(table, key, value);
    };
    return {
      put: stage,
      delete: (table, key) => stage(table, key, null),
      commit: () => this.take(layer),
    };
  }

  refusal(): Error | undefined {
    return this.closing ? closedError(this.parts.directory) : this.failure;
  }

  durable(): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    return this.layers.at(-1)?.durable ?? Promise.resolve();
  }

  /** The number of the group that the writer has in hand, from 1; 0 when it has none. */
  groupInHand(): number {
    return this.writing && !this.failure ? this.groupsSent : 0;
  }

  close(): Promise<void> {
    return (this.closing ??= this.shutDown());
  }

  private async shutDown(): Promise<void> {
    const { root, writer, afterClose } = this.parts;
    // A failure was told to those whose commits it hit; closing goes on all the same.
    await this.durable().catch(() => undefined);
    this.closed = true;
    writer.ref();
    if (this.failure) void writer.terminate();
    else writer.postMessage(null);
    await this.writerEnded;
    await root.close();
    await afterClose();
  }

  private reader(): LmdbReader {
    if (this.closed) throw closedError(this.parts.directory);
    return this.stored;
  }

  private value(table: Table, key: string): Uint8Array | undefined {
    const layered = this.layered(table, key);
    if (layered !== undefined) return layered === null ? undefined : new Uint8Array(layered);
    return this.reader().get(table, key);
  }

  /** Undefined: no layer knows the key. Null: it was deleted. */
  private layered(table: Table, key: string): Uint8Array | null | undefined {
    for (let i = this.layers.length - 1; i >= 0; i--) {
      const value = this.layers[i]!.tables[table]!.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  private write(table: Table, key: string, value: Uint8Array | null): void {
    invariant(!this.closing && !this.failure, "a refusing engine takes no writes");
    const layer = (this.collecting ??= this.openLayer());
    layer.tables[table]!.set(key, value);
    if (table === Table.state) this.recentState.set(key, value);
    const bytes = packedBytes(key, value);
    layer.bytes += bytes;
    if (value !== null && value.length > LATE_VALUE_BYTES_MAX) {
      layer.packer.add(table, key, value);
    } else {
      layer.lateBytesMax += bytes;
      layer.lateWrites += 1;
    }
    if (this.turnEnds) return;
    this.turnEnds = true;
    queueMicrotask(() => this.endTurn());
  }

  private endTurn(): void {
    this.turnEnds = false;
    const { bytes = 0, lateWrites = 0 } = this.collecting ?? {};
    const isFull = bytes > GROUP_BYTES_MAX || lateWrites > LATE_WRITES_MAX;
    if (isFull) this.collecting = undefined;
    if (!this.writing && (isFull || !this.pause)) this.writeOldest();
  }

  private openLayer(): Layer {
    const layer = newLayer();
    this.layers.push(layer);
    return layer;
  }

  /** A staged layer becomes a group of its own, after all that was written before. */
  private take(layer: Layer): Promise<void> {
    invariant(!this.closing && !this.failure, "a refusing engine takes no writes");
    this.collecting = undefined;
    this.layers.push(layer);
    // Many of its keys may be there, with what they were before.
    this.recentState.clear();
    if (!this.writing) this.writeOldest();
    return layer.durable;
  }

  private writeOldest(): void {
    const layer = this.layers[0];
    if (!layer || this.failure) return;
    if (layer === this.collecting) this.collecting = undefined;
    this.pause?.cancel();
    this.pause = undefined;
    this.writing = true;
    this.groupsSent += 1;
    const group = layer.packer.take();
    // Behind the long values: a short one of the same key, or its end, was written later.
    if (layer.lateWrites > 0) group.push(packWrites(layer.tables, layer.lateBytesMax));
    // A process with writes under way stays alive until they are durable.
    this.parts.writer.ref();
    const buffers = group.map(({ buffer }) => buffer);
    this.parts.writer.postMessage(group satisfies WriterCommand, buffers);
  }

  private ask(question: WriterCommand): Promise<Uint8Array[]> {
    if (this.closed) return Promise.reject(closedError(this.parts.directory));
    if (!this.writerRuns) return Promise.reject(this.failure!);
    return new Promise((resolve, reject) => {
      this.readings.push({ resolve, reject });
      this.parts.writer.ref();
      this.parts.writer.postMessage(question);
    });
  }

  private isAtHand(table: Table, key: string): boolean {
    const isLate = table === Table.blocks && this.latelyWritten.has(key);
    return isLate || this.layered(table, key) !== undefined;
  }

  private copied(table: Table, key: string): Uint8Array[] {
    const value = this.value(table, key);
    return value ? [value] : [];
  }

  /** The thread has ended: nobody answers any more. */
  private endReadings(error: CodedError): void {
    this.writerRuns = false;
    for (const reading of this.readings.splice(0)) reading.reject(error);
  }

  private onRead(values: Uint8Array[]): void {
    this.readings.shift()!.resolve(values);
    this.rest();
  }

  /** A process that waits for the writer stays alive, and no other. */
  private rest(): void {
    if (this.layers.length === 0 && this.readings.length === 0) this.parts.writer.unref();
  }

  private onCommitted(): void {
    const { clock, root } = this.parts;
    this.writing = false;
    // Reads must see the new snapshot before the layer that hid it goes.
    root.resetReadTxn();
    const written = this.layers.shift()!;
    for (const [key, value] of written.tables[Table.blocks]!) this.latelyWritten.add(key, value);
    written.resolve();
    const next = this.layers[0];
    if (!next) this.rest();
    else if (!clock || this.closing || next !== this.collecting) this.writeOldest();
    else this.pause = clock.setTimer(GROUP_PAUSE_MS, () => this.writeOldest());
  }

  /** Nothing is written any more; answers why, which is the first failure. */
  private fail(error: CodedError): CodedError {
    if (this.failure) return this.failure;
    this.pause?.cancel();
    this.failure = error;
    for (const layer of this.layers) layer.reject(error);
    this.onFailure(error);
    return error;
  }

  /** Ends the writing with STORE_FAILED, for this reason. */
  failWriting(detail: string): void {
    this.fail(this.unwritable(detail));
  }

  private unwritable(detail: string): CodedError {
    const { directory } = this.parts;
    if (saysDamaged(detail)) return damaged(directory, detail);
    return new CodedError("STORE_FAILED", `Writing to ${directory} failed: ${detail}.`);
  }
}

function newLayer(): Layer {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const durable = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // Whoever committed holds this promise; a layer that nobody waits for must not end the process.
  durable.catch(() => undefined);
  const tables = TABLE_SPECS.map(() => new Map<string, Uint8Array | null>());
  const packer = new WritePacker();
  return {
    tables,
    packer,
    bytes: 0,
    lateBytesMax: 0,
    lateWrites: 0,
    durable,
    resolve,
    reject,
  };
}

function closedError(directory: string): CodedError {
  return new CodedError("CLOSED", `The stores in ${directory} are closed.`);
}
