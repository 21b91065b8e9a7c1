// The default rules with a trap in shared memory: a test arms it, and the next thread that reads a
// transaction ends, throws, loops, exhausts its heap, or waits until the test lets it go.

import { isMainThread } from "node:worker_threads";
import { createPowRules } from "../../src/chain/rules.js";
import type { ChainParams } from "../../src/chain/params.js";
import type { ChainRules, RulesModule } from "../../src/types/chain.js";

const MODES = ["off", "exit", "throw", "heap", "wait", "uncaught", "loop"] as const;
export type TrapMode = (typeof MODES)[number];

interface TrapOptions {
  readonly params: ChainParams;
  readonly memory: SharedArrayBuffer;
}

const MODE = 0;
const SKIP = 1;
const CAUGHT = 2;
const STARTS_FAIL = 3;

export class Trap {
  readonly module: RulesModule;
  readonly #words: Int32Array;

  constructor(params: ChainParams) {
    const memory = new SharedArrayBuffer(16);
    this.#words = new Int32Array(memory);
    const options: TrapOptions = { params, memory };
    this.module = { moduleUrl: import.meta.url, exportName: "createTrapRules", options };
  }

  /** Catches the thread that reads transaction number `skip` from now; "wait" catches all. */
  arm(mode: TrapMode, skip = 0): void {
    Atomics.store(this.#words, CAUGHT, 0);
    Atomics.store(this.#words, SKIP, skip);
    Atomics.store(this.#words, MODE, MODES.indexOf(mode));
  }

  /** Lets every waiting thread go on. */
  release(): void {
    Atomics.store(this.#words, MODE, 0);
    Atomics.notify(this.#words, MODE);
  }

  /** From now on, no thread that loads the rules lives. */
  failStarts(fail: boolean): void {
    Atomics.store(this.#words, STARTS_FAIL, fail ? 1 : 0);
  }

  /** How many threads were caught since `arm`. */
  get caught(): number {
    return Atomics.load(this.#words, CAUGHT);
  }
}

export function createTrapRules(options: TrapOptions): ChainRules {
  const rules = createPowRules(options.params) as ChainRules;
  const words = new Int32Array(options.memory);
  if (!isMainThread && Atomics.load(words, STARTS_FAIL) === 1) process.exit(1);
  return {
    ...rules,
    readTransaction(bytes) {
      const mode = MODES[Atomics.load(words, MODE)];
      if (mode === "wait") {
        Atomics.add(words, CAUGHT, 1);
        Atomics.wait(words, MODE, MODES.indexOf("wait"));
      } else if (mode !== "off" && Atomics.sub(words, SKIP, 1) === 0) {
        Atomics.store(words, MODE, 0);
        Atomics.add(words, CAUGHT, 1);
        spring(mode);
      }
      return rules.readTransaction(bytes);
    },
  };
}

/** Rules that throw at every block. */
export function createThrowingRules(params: ChainParams): ChainRules {
  const splitBlock = (): never => {
    throw new Error("these rules split nothing");
  };
  return { ...(createPowRules(params) as ChainRules), splitBlock };
}

/** Rules that never come back in a thread. */
export function createLoopingRules(params: ChainParams): ChainRules {
  for (let i = 0; !isMainThread; i++);
  return createPowRules(params);
}

/** Rules that only the main thread can load. */
export function createMainOnlyRules(params: ChainParams): ChainRules {
  if (!isMainThread) throw new Error("not in a thread");
  return createPowRules(params);
}

function spring(mode: TrapMode | undefined): void {
  if (mode === "exit") process.exit(1);
  if (mode === "throw") throw new Error("the trap was sprung");
  for (let i = 0; mode === "loop"; i++);
  // After the task, when no one is there to catch it.
  if (mode === "uncaught") setTimeout(fail);
  const hoard: unknown[] = [];
  while (mode === "heap") hoard.push(new Array(1_000).fill(hoard.length));
}

function fail(): never {
  throw new Error("nobody catches this");
}
