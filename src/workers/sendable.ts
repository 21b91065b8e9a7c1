// Makes a task fit to cross into a thread: the packed bytes move, the small rest is cloned.

import * as workerThreads from "node:worker_threads";
import type { Packed } from "../ports.js";
import type { PoolTask } from "./jobs.js";

export interface Sendable {
  readonly task: PoolTask;
  readonly transfer: readonly ArrayBuffer[];
}

export function sendable(task: PoolTask): Sendable {
  switch (task.kind) {
    case "validateBlocks":
    case "validateUnsigned": {
      const blocks = movable(task.job.blocks);
      const job = { ...task.job, blocks, parentHeader: compact(task.job.parentHeader) };
      return { task: { kind: task.kind, job }, transfer: [blocks.buffer] };
    }
    case "validateHeaders": {
      const headers = movable(task.job.headers);
      const job = { ...task.job, headers, parentHeader: compact(task.job.parentHeader) };
      return { task: { kind: task.kind, job }, transfer: [headers.buffer] };
    }
    case "validateTransactions":
    case "validateSignatures": {
      const job = movable(task.job);
      return { task: { kind: task.kind, job }, transfer: [job.buffer] };
    }
    case "decodeFrames": {
      const payloads = movable(task.job.payloads);
      const job = { kinds: compact(task.job.kinds), payloads };
      return { task: { kind: task.kind, job }, transfer: [payloads.buffer] };
    }
    case "seal": {
      const job = { ...task.job, header: compact(task.job.header) };
      return { task: { kind: task.kind, job }, transfer: [] };
    }
  }
}

/**
 * The same bytes in a buffer that can move. A Buffer's shared pool cannot: Node 20 copies it
 * silently, 22 throws; and a buffer longer than what is packed in it belongs to others as well.
 */
function movable(packed: Packed): Packed {
  const used = packed.ends.at(-1) ?? 0;
  const { buffer } = packed;
  const keep = buffer.byteLength === used && !isUntransferable(buffer);
  return { buffer: keep ? buffer : buffer.slice(0, used), ends: compact(packed.ends) };
}

/** Cloning a view clones the whole buffer below it, so a view becomes a buffer of its own. */
function compact<T extends Uint8Array | Uint32Array>(view: T): T {
  return view.byteLength === view.buffer.byteLength ? view : (view.slice() as T);
}

// Since Node 21; before, an untransferable buffer is copied, which is slower but right.
const { isMarkedAsUntransferable } = workerThreads as {
  isMarkedAsUntransferable?: (object: object) => boolean;
};

function isUntransferable(buffer: ArrayBuffer): boolean {
  return isMarkedAsUntransferable?.(buffer) === true;
}
