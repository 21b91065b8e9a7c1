// Random faults on a world, drawn from its seed: which kinds, how often, for how long. `stop` mends
// everything, and from then on the world must converge.

import { FAULT_KINDS, type FaultKind, type FaultName } from "./fault-kinds.js";
import { drawFrom, type Range } from "./range.js";
import type { World } from "./world.js";

export interface FaultTimes {
  /** Virtual time between two faults of this kind in the whole world, drawn anew each time. */
  readonly everyMs: Range;
  /** How long it lasts; default: the kind's own. */
  readonly forMs?: Range;
}

/** A kind that is left out never happens. */
export type FaultOptions = { readonly [Name in FaultName]?: FaultTimes };

export interface Faults {
  /** Faults so far. */
  readonly count: number;
  /** By kind. */
  readonly counts: Readonly<Record<FaultName, number>>;
  /** Ends the faults, mends what they broke, and starts every node that is down. */
  stop(): void;
}

export type FaultPreset = keyof typeof FAULT_PRESETS;

/** What operators live with, and what they hope never to see. */
export const FAULT_PRESETS = {
  none: {},
  mild: {
    crash: { everyMs: [30_000, 120_000] },
    leave: { everyMs: [30_000, 120_000] },
    join: { everyMs: [5_000, 30_000] },
    cut: { everyMs: [5_000, 60_000] },
    clogLink: { everyMs: [5_000, 60_000], forMs: [100, 5_000] },
    slowDisk: { everyMs: [20_000, 120_000] },
    stall: { everyMs: [20_000, 120_000], forMs: [100, 3_000] },
  },
  wild: {
    crash: { everyMs: [1_000, 30_000] },
    powerLoss: { everyMs: [1_000, 30_000] },
    leave: { everyMs: [1_000, 30_000] },
    join: { everyMs: [1_000, 10_000] },
    cut: { everyMs: [500, 10_000] },
    partition: { everyMs: [5_000, 60_000], forMs: [1_000, 20_000] },
    oneWay: { everyMs: [5_000, 60_000], forMs: [1_000, 20_000] },
    clogLink: { everyMs: [500, 10_000] },
    clogNode: { everyMs: [2_000, 30_000] },
    swizzle: { everyMs: [20_000, 120_000] },
    slowDisk: { everyMs: [2_000, 30_000] },
    failDisk: { everyMs: [5_000, 60_000] },
    crashActor: { everyMs: [500, 10_000] },
    stall: { everyMs: [5_000, 60_000] },
    sleep: { everyMs: [10_000, 60_000] },
    clockJump: { everyMs: [5_000, 60_000] },
    loseTasks: { everyMs: [5_000, 60_000] },
  },
} as const satisfies Record<string, FaultOptions>;

/** Everything at once, and each type of actor of each node crashes once a minute. */
export const CRASHES: FaultOptions = {
  ...FAULT_PRESETS.wild,
  crashActors: { everyMs: [60_000, 60_000], forMs: [60_000, 60_000] },
};

/** Begins at once. At least one node stays up. */
export function startFaults(world: World, options: FaultOptions): Faults {
  const names = Object.keys(FAULT_KINDS) as FaultName[];
  const counts = Object.fromEntries(names.map((name) => [name, 0])) as Record<FaultName, number>;
  const mends = new Set<() => void>();
  let on = true;

  const begin = (name: FaultName, { everyMs, forMs }: FaultTimes): void => {
    const kind: FaultKind = FAULT_KINDS[name];
    // Each kind has its own chance: one more or less changes no other.
    const random = world.random.fork(`faults ${name}`);
    const lasting = forMs ?? kind.forMs ?? [0, 0];
    const strike = (): void => {
      const lastsMs = drawFrom(lasting, random);
      counts[name]++;
      const mend = kind.act({ world, random, forMs: lastsMs, on: () => on });
      if (mend === undefined) return;
      mends.add(mend);
      world.after(lastsMs, () => {
        if (mends.delete(mend)) mend();
      });
    };
    const wait = (): void =>
      world.after(drawFrom(everyMs, random), () => {
        if (!on) return;
        strike();
        wait();
      });
    wait();
  };
  for (const name of names) {
    const times = options[name];
    if (times !== undefined) begin(name, times);
  }

  return {
    get count() {
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    counts,
    stop() {
      on = false;
      for (const mend of mends) mend();
      mends.clear();
      for (const node of world.nodes) node.revive();
    },
  };
}
