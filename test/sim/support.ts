// What the simulator's tests share: the network of the first test, and how to replay a seed.

import { createWorld, startTraffic, type World, type WorldOptions } from "../../src/sim/index.js";

/** Seeds to run instead of a test's own: `SIM_SEED=7`. */
export const SEED_ASKED = process.env["SIM_SEED"];

/** The command that runs one test file on one seed. */
export function replayOf(file: string, seed: number | string): string {
  return `SIM_SEED=${seed} npm test -- test/sim/${file}`;
}

export interface Story {
  readonly world: World;
  /** Blocks that left the chain of some node, the most at one moment. */
  readonly reorgDepthMax: number;
}

/**
 * Five nodes and two producers. The network splits with a producer on either side, a node of the
 * majority crashes and comes back, the network heals and agrees.
 */
export async function splitAndCrash(options: Partial<WorldOptions> & Pick<WorldOptions, "seed">) {
  const world = createWorld({ nodes: 5, producers: 2, ...options });
  let disconnected = 0;
  let reorgDepthMax = 0;
  for (const { network } of world.nodes) {
    network.subscribe(["BlockDisconnected"], () => void disconnected++);
  }
  world.every(100, () => {
    reorgDepthMax = Math.max(reorgDepthMax, disconnected);
    disconnected = 0;
  });
  startTraffic(world, { perSecond: 4 });
  await world.converge(10_000);
  await world.runFor(10_000);
  world.partition([
    ["n0", "n2", "n3"],
    ["n1", "n4"],
  ]);
  await world.runFor(20_000);
  world.crash("n3");
  await world.runFor(5_000);
  world.restart("n3");
  await world.runFor(5_000);
  world.heal();
  await world.converge(60_000);
  return { world, reorgDepthMax } satisfies Story;
}
