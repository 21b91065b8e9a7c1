// Reads of the tables of an LMDB environment: what comes out belongs to the caller, and what LMDB
// finds to be damaged is a coded error. Used by the LMDB engine, and alone for a directory that is
// only read.

import type { Database } from "lmdb";
import { CodedError } from "../errors.js";
import type { KeyValue } from "./key-value.js";
import { TABLE_SPECS, type Table } from "./tables.js";

export class LmdbReader {
  private readonly directory: string;
  private readonly tables: readonly Database<Buffer, string>[];
  private readonly onDamage: (error: CodedError) => void;

  /** `onDamage` hears of each error before the caller that met it. */
  constructor(
    directory: string,
    tables: readonly Database<Buffer, string>[],
    onDamage: (error: CodedError) => void = () => undefined,
  ) {
    this.directory = directory;
    this.tables = tables;
    this.onDamage = onDamage;
  }

  /** Throws DATA_CORRUPT, like the others. */
  get(table: Table, key: string): Uint8Array | undefined {
    try {
      const bytes = this.tables[table]!.getBinaryFast(key);
      // LMDB's buffer is reused by the next read and longer than the value. Never `slice` a Buffer:
      // it is a view, not a copy.
      return bytes && new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length).slice();
    } catch (error) {
      throw this.damage(error);
    }
  }

  has(table: Table, key: string): boolean {
    try {
      return this.tables[table]!.doesExist(key);
    } catch (error) {
      throw this.damage(error);
    }
  }

  *keys(table: Table, before?: string): Generator<string, void, void> {
    const start = TABLE_SPECS[table]!.keys === "hex" ? "00" : "\0";
    const end = before === undefined ? {} : { end: before };
    try {
      yield* this.tables[table]!.getKeys({ start, ...end });
    } catch (error) {
      throw this.damage(error);
    }
  }

  private damage(cause: unknown): CodedError {
    const error = damaged(this.directory, (cause as Error).message, cause);
    this.onDamage(error);
    return error;
  }
}

/** A directory that nobody writes to. */
export function readOnlyEngine(
  directory: string,
  tables: readonly Database<Buffer, string>[],
  close: () => Promise<void>,
): KeyValue {
  const reader = new LmdbReader(directory, tables);
  const sentence = `The data directory ${directory} was opened for reading only.`;
  const refusal = new CodedError("STORE_FAILED", sentence);
  const refuse = (): never => {
    throw refusal;
  };
  return {
    get: (table, key) => reader.get(table, key),
    has: (table, key) => reader.has(table, key),
    keys: (table, limit, before) => [...reader.keys(table, before)].slice(0, limit),
    put: refuse,
    stage: refuse,
    delete: refuse,
    refusal: () => refusal,
    durable: () => Promise.resolve(),
    close,
  };
}

/** Whether an error of LMDB, by its message, tells of a damaged file. */
export function saysDamaged(message: string): boolean {
  return /MDB_(BAD_TXN|CORRUPTED|CURSOR_FULL|INVALID|PAGE_FULL|PAGE_NOTFOUND)/.test(message);
}

/** `what` is the end of a sentence. */
export function damaged(directory: string, what: string, cause?: unknown): CodedError {
  return new CodedError(
    "DATA_CORRUPT",
    `The data directory ${directory} is damaged: ${what}. Put a copy in its place, or keep its ` +
      "node.key and node.cert and delete the rest: the node then downloads its chain again.",
    { cause },
  );
}
