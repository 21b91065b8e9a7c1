// Which code an input reached: V8's own block coverage, through the inspector. It stands in for
// jazzer.js, whose binary needs a newer C library than stable Linux distributions have.

import { Session, type Profiler } from "node:inspector";

/** Code of the project under test, compiled. */
const OURS = /\/dist\/src\/.*\.js$/;

export class Coverage {
  readonly #session = new Session();
  /** By script, a byte for each of its characters: 1 once it was reached. */
  readonly #reached = new Map<string, Uint8Array>();

  constructor() {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /**
   * How many characters of code were reached since the last call that never were before; `isKept`: from
   * now on they count as reached.
   */
  takeNew(isKept: boolean): number {
    let found = 0;
    // Without a callback argument of another thread the inspector answers at once.
    this.#session.post("Profiler.takePreciseCoverage", (error, taken) => {
      if (error !== null) throw error;
      for (const script of taken.result)
        if (OURS.test(script.url)) found += this.#add(script, isKept);
    });
    return found;
  }

  stop(): void {
    this.#session.post("Profiler.stopPreciseCoverage");
    this.#session.disconnect();
  }

  #add({ url, functions }: Profiler.ScriptCoverage, isKept: boolean): number {
    const end = Math.max(...functions.map(({ ranges }) => ranges[0]!.endOffset));
    const now = new Uint8Array(end);
    // Outer ranges come before those within them, which say otherwise.
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        now.fill(count > 0 ? 1 : 0, startOffset, endOffset);
      }
    }
    const before = this.#reached.get(url);
    const had = before !== undefined && before.length >= end ? before : grown(before, end);
    let found = 0;
    for (let at = 0; at < end; at++) {
      if (now[at] === 0 || had[at] === 1) continue;
      if (isKept) had[at] = 1;
      found++;
    }
    this.#reached.set(url, had);
    return found;
  }
}

function grown(bytes: Uint8Array | undefined, length: number): Uint8Array {
  const larger = new Uint8Array(length);
  if (bytes !== undefined) larger.set(bytes);
  return larger;
}
