// The key-value engine in memory, with the durability of a disk when it is given a clock: writes
// become durable when a timer fires, and a simulated crash loses those that were not. No native
// async but promises resolved from timers, so a simulation stays reproducible.

import { CodedError, invariant } from "../errors.js";
import type { Clock, Random, Timer } from "../ports.js";
import type { KeyValue, StagedWrites } from "./key-value.js";
import { TABLE_SPECS, type Table } from "./tables.js";

/** Absent: every write is durable at once. */
export interface CommitDelay {
  readonly clock: Clock;
  /** From a write to its durability; asked once for each commit. */
  readonly commitDelayMs: () => number;
  /** A number that rises with each turn of an actor; absent: an instant is one turn. */
  readonly turn?: () => number;
}

type Tables = readonly Map<string, Uint8Array>[];

interface Overwritten {
  readonly table: Table;
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** Writes of one turn: durable as one, and a crash keeps all of them or none. */
interface Unit {
  readonly atMs: number;
  readonly turn: number;
  /** What stood there before, in the order of the writes: undone backwards by a crash. */
  readonly before: Overwritten[];
  readonly durable: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

export function emptyTables(): Tables {
  return TABLE_SPECS.map(() => new Map<string, Uint8Array>());
}

export class MemoryKeyValue implements KeyValue {
  private readonly tables: Tables;
  private readonly delay: CommitDelay | undefined;
  /** Oldest first. */
  private units: Unit[] = [];
  /** So many of them are on their way to the disk; those that come meanwhile are the next group. */
  private flushing = 0;
  private timer: Timer | undefined;
  private failure: CodedError | undefined;
  private closing: Promise<void> | undefined;

  constructor(delay: CommitDelay | undefined, tables: Tables) {
    this.delay = delay;
    this.tables = tables;
  }

  get(table: Table, key: string): Uint8Array | undefined {
    const value = this.open(table).get(key);
    return value && new Uint8Array(value);
  }

  has(table: Table, key: string): boolean {
    return this.open(table).has(key);
  }

  keys(table: Table, limit: number, before?: string): string[] {
    const found: string[] = [];
    for (const key of this.open(table).keys()) {
      if (found.length >= limit) break;
      if (before === undefined || key < before) found.push(key);
    }
    return found;
  }

  put(table: Table, key: string, value: Uint8Array): void {
    this.record(table, key);
    this.tables[table]!.set(key, value);
  }

  delete(table: Table, key: string): void {
    this.record(table, key);
    this.tables[table]!.delete(key);
  }

  stage(): StagedWrites {
    const staged: [Table, string, Uint8Array | undefined][] = [];
    return {
      put: (table, key, value) => void staged.push([table, key, value]),
      delete: (table, key) => void staged.push([table, key, undefined]),
      commit: () => {
        for (const [table, key, value] of staged) {
          if (value === undefined) this.delete(table, key);
          else this.put(table, key, value);
        }
        return this.durable();
      },
    };
  }

  refusal(): Error | undefined {
    return this.closing ? closedError() : this.failure;
  }

  durable(): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    return this.units.at(-1)?.durable ?? Promise.resolve();
  }

  close(): Promise<void> {
    return (this.closing ??= this.durable().catch(() => undefined));
  }

  /**
   * What a machine that lost its power now would find: the durable writes, and of the others, in
   * their order, as many as `random` says. This engine's commits never settle any more.
   */
  crash(random: Random): MemoryKeyValue {
    this.timer?.cancel();
    this.closing ??= new Promise(() => undefined);
    const kept = Math.floor(random.float() * (this.units.length + 1));
    const tables = this.tables.map((table) => new Map(table));
    for (const { before } of this.units.slice(kept).reverse()) {
      for (const { table, key, value } of before.reverse()) {
        if (value === undefined) tables[table]!.delete(key);
        else tables[table]!.set(key, value);
      }
    }
    return new MemoryKeyValue(this.delay, tables);
  }

  /** Fails like a full disk: what is not yet durable is rejected, and all that comes. */
  fail(): void {
    this.failure ??= new CodedError("STORE_FAILED", "The memory store was told to fail.");
    this.timer?.cancel();
    for (const unit of this.units) unit.reject(this.failure);
  }

  private open(table: Table): Map<string, Uint8Array> {
    if (this.closing) throw closedError();
    return this.tables[table]!;
  }

  private record(table: Table, key: string): void {
    invariant(!this.refusal(), "a refusing engine takes no writes");
    if (!this.delay) return;
    const atMs = this.delay.clock.monotonicMs();
    const turn = this.delay.turn?.() ?? 0;
    let unit = this.units.at(-1);
    if (unit?.atMs !== atMs || unit.turn !== turn) {
      unit = openUnit(atMs, turn);
      this.units.push(unit);
      if (this.flushing === 0) this.flush(this.delay);
    }
    unit.before.push({ table, key, value: this.tables[table]!.get(key) });
  }

  private flush(delay: CommitDelay): void {
    this.flushing = this.units.length;
    this.timer = delay.clock.setTimer(delay.commitDelayMs(), () => {
      for (const unit of this.units.splice(0, this.flushing)) unit.resolve();
      this.flushing = 0;
      if (this.units.length > 0) this.flush(delay);
    });
  }
}

function openUnit(atMs: number, turn: number): Unit {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const durable = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  durable.catch(() => undefined);
  return { atMs, turn, before: [], durable, resolve, reject };
}

function closedError(): CodedError {
  return new CodedError("CLOSED", "The stores are closed.");
}
