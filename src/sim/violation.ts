// What a run ends with when a check fails.

export interface Violation {
  /** Virtual time. */
  readonly atMs: number;
  /** One sentence, with the node's name. */
  readonly what: string;
}

/** A check failed. The message holds seed, virtual time, what is wrong and how to see it again. */
export class SimulationFailed extends Error {
  readonly seed: number | string;
  readonly violations: readonly Violation[];

  constructor(seed: number | string, violations: readonly Violation[], replay?: string) {
    const lines = violations.map(({ atMs, what }) => `at ${(atMs / 1_000).toFixed(3)} s: ${what}`);
    const again = replay === undefined ? [] : [`replay: ${replay}`];
    super([`seed ${seed} failed`, ...lines, ...again].join("\n"));
    this.name = "SimulationFailed";
    this.seed = seed;
    this.violations = violations;
  }
}

/** What a failed check threw, with where it did so. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
