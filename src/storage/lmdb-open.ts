// How both threads open the one LMDB environment of a data directory: the options must agree.

import { open, type Database, type RootDatabase, type RootDatabaseOptions } from "lmdb";
import { TABLE_SPECS } from "./tables.js";

export interface EnvironmentOptions {
  readonly directory: string;
  readonly mapSizeBytes: number;
  readonly readOnly?: boolean;
}

/** lmdb takes a `keyEncoder`, which its types do not know. */
interface KeyEncoder {
  writeKey(key: string, target: Buffer, start: number): number;
  readKey(source: Buffer, start: number, end: number): string;
}

/** Throws lmdb's error when the directory or its files cannot be used. */
export function openEnvironment(options: EnvironmentOptions): RootDatabase {
  const environment: RootDatabaseOptions & { path: string } = {
    path: options.directory,
    noSubdir: false,
    // One large reservation of addresses: a growing map would be remapped under a reading thread.
    mapSize: options.mapSizeBytes,
    readOnly: options.readOnly ?? false,
    maxDbs: TABLE_SPECS.length + 1,
    // Plain LMDB commits: synced when they return, and an error of the disk is an error here.
    overlappingSync: false,
    encoding: "binary",
    keyEncoding: "binary",
  };
  return open(environment);
}

/** For writing: keys are bytes. */
export function openTables(root: RootDatabase): Database<Buffer, Buffer>[] {
  return TABLE_SPECS.map(({ name }) =>
    root.openDB<Buffer, Buffer>(name, { encoding: "binary", keyEncoding: "binary" }),
  );
}

/** For reading: keys are the text that TABLE_SPECS names, encoded straight into lmdb's buffer. */
export function openTextTables(root: RootDatabase): Database<Buffer, string>[] {
  return TABLE_SPECS.map(({ name, keys }) => {
    const keyEncoder: KeyEncoder = {
      writeKey: (key, target, start) => start + target.write(key, start, keys),
      readKey: (source, start, end) => source.toString(keys, start, end),
    };
    const options = { encoding: "binary" as const, keyEncoder };
    return root.openDB<Buffer, string>(name, options);
  });
}
