// The trace of a run: every delivery is folded into one hash, which two runs of one seed share and
// two seeds do not. Messages are hashed by what they say, never by which object says it: the same
// run in another process has the same hash. The world feeds it; tests and people compare it.

import { isPlain, isRef, nameOf, StructuralHash } from "./structural-hash.js";

/** One message or signal that reached an actor. */
export interface Delivery {
  /** Virtual time. */
  readonly atMs: number;
  /** Begins with the name of the node: `/n3/network/registry`. */
  readonly path: string;
  readonly message: unknown;
  /** 16 hex digits. */
  readonly messageHash: string;
}

export class Trace {
  /** Deliveries so far. */
  count = 0;
  readonly #run = new StructuralHash();
  readonly #message = new StructuralHash();

  /** Folds one delivery in. `describe` is called with it; absent, nothing is allocated. */
  add(atMs: number, path: string, message: unknown, describe?: (delivery: Delivery) => void): void {
    const hash = this.#message;
    hash.reset();
    hash.value(message);
    this.#run.number(atMs);
    this.#run.string(path);
    this.#run.absorb(hash);
    this.count++;
    describe?.({ atMs, path, message, messageHash: hash.digest() });
  }

  /** Of all deliveries so far, in order; 16 hex digits. */
  get hash(): string {
    return this.#run.digest();
  }
}

/** One line for people: time, actor, message and the hash that finds it again. */
export function formatDelivery({ atMs, path, message, messageHash }: Delivery): string {
  return `${atMs.toFixed(3).padStart(12)} ${path} ${brief(message, 0)} #${messageHash}`;
}

const LIST_MAX = 4;
const TEXT_MAX = 24;

function brief(value: unknown, depth: number): string {
  if (typeof value === "string") {
    return value.length > TEXT_MAX ? `${value.slice(0, 12)}…` : value;
  }
  if (typeof value === "number") return Number.isInteger(value) ? `${value}` : value.toFixed(3);
  if (typeof value === "function") return `${value.name || "function"}()`;
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `<${value.byteLength} B>`;
  if (isRef(value)) return `@${value.path}`;
  if (Array.isArray(value)) {
    const shown = value.slice(0, LIST_MAX).map((item) => brief(item, depth + 1));
    return `[${shown.join(", ")}${value.length > LIST_MAX ? `, … ${value.length} in all` : ""}]`;
  }
  if (value instanceof Map || value instanceof Set) return `${value.size} entries`;
  if (!isPlain(value)) return nameOf(value);
  const { type, kind, ...fields } = value as Record<string, unknown>;
  const shown = Object.entries(fields).map(([key, field]) => `${key}: ${brief(field, depth + 1)}`);
  const name = [type, kind].filter((part) => typeof part === "string").join(" ");
  return `${name}{${depth < 3 ? shown.join(", ") : "…"}}`;
}
