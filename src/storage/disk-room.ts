// Room for an LMDB environment, on the disk and among the addresses of the process. Looked at before
// lmdb is, which ends the process without a word when there is none.

import { readFileSync, statfsSync } from "node:fs";

/** For new files, the lock, and a first commit. */
const START_BYTES_MIN = 1024 * 1024;
/** A disk with less than this is full: a commit takes some pages more than it writes. */
const FULL_BYTES = 256 * 1024;
/** What a process takes besides the map: its code, and the heaps and stacks of its threads. */
const OTHER_ADDRESSES_BYTES = 12 * 2 ** 30;

/** Throws an error that says what there is too little of, and what to do. */
export function checkRoom(directory: string, mapSizeBytes: number): void {
  const freeBytes = freeBytesOf(directory);
  if (freeBytes < START_BYTES_MIN) throw new Error(diskIsFull(freeBytes));
  checkAddresses(mapSizeBytes);
}

/** Throws when this process may not map so much: LMDB would end it without a word. */
export function checkAddresses(mapSizeBytes: number): void {
  const needed = mapSizeBytes + OTHER_ADDRESSES_BYTES;
  const limit = addressesMax();
  if (limit >= needed) return;
  throw new Error(
    `this process may use ${gib(limit)} GiB of addresses and its map needs ${gib(needed)}, which ` +
      "take no memory: raise the limit (ulimit -v unlimited)",
  );
}

/** What an error of a write was about: LMDB calls a disk that is full an I/O error. */
export function describeWriteFault(directory: string, message: string): string {
  let freeBytes = Number.POSITIVE_INFINITY;
  try {
    freeBytes = freeBytesOf(directory);
  } catch {
    // Then the message has to do.
  }
  return freeBytes < FULL_BYTES ? diskIsFull(freeBytes) : message;
}

function diskIsFull(freeBytes: number): string {
  const free = Math.floor(freeBytes / 1_024);
  return (
    `the disk is full (${free} KiB are free); what was acknowledged is kept: ` +
    "make room and start again"
  );
}

function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** Bytes; infinite where there is no limit or none can be read. */
function addressesMax(): number {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  const soft = /^Max address space\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

function gib(bytes: number): number {
  return Math.floor(bytes / 2 ** 30);
}
