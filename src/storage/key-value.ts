// The engine under the stores: ordered tables of bytes whose writes are visible at once and
// durable later. Implemented on LMDB and in memory; the stores do not know which one they have.

import type { Table } from "./tables.js";

/** The values passed in belong to the engine from then on. */
export interface Writes {
  put(table: Table, key: string, value: Uint8Array): void;
  delete(table: Table, key: string): void;
}

export interface StagedWrites extends Writes {
  /** As `durable`, of these writes and all before. Called once, in a turn when nothing refuses. */
  commit(): Promise<void>;
}

/**
 * What is put and deleted in one turn of the event loop becomes durable together or not at all,
 * in the order of the turns. Keys are text as TABLE_SPECS says; the values that it returns belong
 * to the caller. Every method throws CLOSED after `close`.
 */
export interface KeyValue extends Writes {
  /** Writes that may take many turns to gather: seen and durable as one, from `commit` on. */
  stage(): StagedWrites;
  get(table: Table, key: string): Uint8Array | undefined;
  has(table: Table, key: string): boolean;
  /**
   * The values of the leading keys as far as they exist and fit into `bytesMax` together, the first
   * one always; each in a buffer of its own. Read by another thread, which waits for a disk where
   * the event loop must not. Optional: where nothing waits for a disk `get` does it. Rejects like
   * the others throw.
   */
  read?(table: Table, keys: readonly string[], bytesMax: number): Promise<Uint8Array[]>;
  /** Some keys below `before` (all, when it is absent), at most `limit`, in no order. */
  keys(table: Table, limit: number, before?: string): string[];
  /** Why nothing can be written any more: STORE_FAILED or CLOSED. */
  refusal(): Error | undefined;
  /** Resolves when all that was written so far is durable; rejects with STORE_FAILED. */
  durable(): Promise<void>;
  /** Makes durable what was written, then lets go of everything. Idempotent. */
  close(): Promise<void>;
}

/** Closes an engine when the last of its users has closed. */
export class SharedKeyValue {
  readonly engine: KeyValue;
  private users = 0;

  constructor(engine: KeyValue) {
    this.engine = engine;
  }

  /** Registers a user; what it returns is the user's own idempotent close. */
  use(): () => Promise<void> {
    this.users += 1;
    let closing: Promise<void> | undefined;
    return () => (closing ??= --this.users === 0 ? this.engine.close() : this.settled());
  }

  /** A failure was told to those whose writes it hit: closing does not repeat it. */
  private settled(): Promise<void> {
    return this.engine.durable().catch(() => undefined);
  }
}
