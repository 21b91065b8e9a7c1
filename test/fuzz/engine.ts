// Runs a target over inputs: those of its corpus, those grown by their structure, and changes of
// both. In its first part it keeps each input that reaches new code, from which the rest is made.

import fc from "fast-check";
import { Coverage } from "./coverage.js";
import { Draws, mutated } from "./mutator.js";
import type { Target } from "./targets.js";

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  readonly corpus: readonly Uint8Array[];
  /** Looks for inputs that reach new code, which takes most of the time of a short run. */
  readonly isGuided: boolean;
  /** Called with each input before it runs: what hung is known by it. */
  readonly onInput?: (input: Uint8Array) => void;
}

export interface FuzzResult {
  readonly inputs: number;
  /** Those that reached code which none before them did. */
  readonly found: readonly Uint8Array[];
  readonly failure?: { readonly input: Uint8Array; readonly error: unknown };
}

/** Structured inputs to begin with. */
const GROWN = 500;
/** In each batch under coverage, and the part of all inputs that is watched. */
const BATCH = 200;
const GUIDED_PART = 0.05;
const GUIDED_MAX = 100_000;
/** Fresh structure among changes, once in so many inputs. */
const FRESH_EVERY = 4_096;
const FRESH = 64;

export function fuzz(target: Target, options: FuzzOptions): FuzzResult {
  const { inputs, seed, corpus, isGuided, onInput } = options;
  const draws = new Draws(seed);
  const pool = [...corpus, ...fc.sample(target.grown, { numRuns: GROWN, seed })];
  let count = 0;
  let failure: FuzzResult["failure"];
  const run = (input: Uint8Array): void => {
    if (failure !== undefined) return;
    count++;
    onInput?.(input);
    try {
      target.run(input);
    } catch (error) {
      failure = { input, error };
    }
  };
  const draw = (): Uint8Array => mutated(draws.of(pool), pool, target.bytesMax, draws);

  const found: Uint8Array[] = [];
  if (isGuided) {
    const coverage = new Coverage();
    const learn = (batch: readonly Uint8Array[]): void => {
      for (const input of batch) run(input);
      if (coverage.takeNew(false) === 0) return;
      for (const input of batch) {
        run(input);
        if (coverage.takeNew(true) > 0) found.push(input);
      }
    };
    for (let at = 0; at < pool.length; at += BATCH) learn(pool.slice(at, at + BATCH));
    const guided = Math.min(GUIDED_MAX, inputs * GUIDED_PART);
    while (count < guided && failure === undefined) {
      const before = found.length;
      learn(Array.from({ length: BATCH }, draw));
      pool.push(...found.slice(before));
    }
    coverage.stop();
  } else for (const input of pool) run(input);

  while (count < inputs && failure === undefined) {
    if (count % FRESH_EVERY === 0) {
      const fresh = fc.sample(target.grown, { numRuns: FRESH, seed: draws.next() | 0 });
      for (const input of fresh) run(input);
      pool.splice(draws.below(pool.length), 1, draws.of(fresh));
    }
    run(draw());
  }
  return { inputs: count, found, ...(failure && { failure }) };
}
