// Random faults on a world: nodes crash and come back, links break, the network splits and heals.
// Drawn from the world's seed; `stop` mends everything, and from then on the world must converge.

import type { Random } from "../ports.js";
import { drawFrom, type Range } from "./options.js";
import type { SimNode } from "./sim-node.js";
import type { World } from "./world.js";

export interface FaultOptions {
  /** Virtual time between two faults of a kind, drawn anew each time; absent: never. */
  readonly crashEveryMs?: Range;
  readonly cutEveryMs?: Range;
  readonly partitionEveryMs?: Range;
  /** How long a crashed node stays down. */
  readonly downMs?: Range;
  /** How long a partition lasts. */
  readonly partitionMs?: Range;
}

export interface Faults {
  /** Faults so far. */
  readonly count: number;
  /** Ends the faults, heals the network and starts every node that is down. */
  stop(): void;
}

const DOWN_MS: Range = [0, 20_000];
const PARTITION_MS: Range = [1_000, 60_000];

/** Begins at once. At most one partition at a time, and never are all nodes down. */
export function startFaults(world: World, options: FaultOptions): Faults {
  const random = world.random.fork("faults");
  let count = 0;
  let on = true;
  const repeat = (everyMs: Range | undefined, fault: () => void): void => {
    if (everyMs === undefined) return;
    world.after(drawFrom(everyMs, random), () => {
      if (!on) return;
      count++;
      fault();
      repeat(everyMs, fault);
    });
  };
  const restart = (node: SimNode): void => {
    if (!node.up) node.start();
  };
  repeat(options.crashEveryMs, () => {
    const up = world.nodes.filter((node) => node.up);
    if (up.length < 2) return;
    const node = pick(up, random);
    node.crash();
    world.after(drawFrom(options.downMs ?? DOWN_MS, random), () => restart(node));
  });
  repeat(options.cutEveryMs, () => {
    const [a, b] = [pick(world.nodes, random), pick(world.nodes, random)];
    if (a !== b) world.cut(a.name, b.name);
  });
  let partitions = 0;
  repeat(options.partitionEveryMs, () => {
    const partition = ++partitions;
    const one = world.nodes.filter(() => random.float() < 0.5).map(({ name }) => name);
    world.partition([one]);
    world.after(drawFrom(options.partitionMs ?? PARTITION_MS, random), () => {
      if (on && partition === partitions) world.heal();
    });
  });
  return {
    get count() {
      return count;
    },
    stop() {
      on = false;
      world.heal();
      for (const node of world.nodes) restart(node);
    },
  };
}

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.uint32() % list.length] as T;
}

export type FaultPreset = keyof typeof FAULT_PRESETS;

/** What operators live with, and what they hope never to see. */
export const FAULT_PRESETS = {
  mild: { crashEveryMs: [20_000, 120_000], cutEveryMs: [5_000, 60_000] },
  wild: {
    crashEveryMs: [1_000, 20_000],
    cutEveryMs: [500, 10_000],
    partitionEveryMs: [2_000, 30_000],
  },
} as const satisfies Record<string, FaultOptions>;
