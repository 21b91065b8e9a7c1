// One short run with everything drawn from the seed: size, links, disks, traffic and faults. Then
// the faults stop, and the world has a minute to agree.

import { seededRandom } from "../../src/runtime/random.js";
import { createWorld, startFaults, startTraffic, type World } from "../../src/sim/index.js";

const FAULTS_MS = 40_000;
const CONVERGE_MS = 90_000;

export async function swarmRun(seed: number | string, replay: string): Promise<World> {
  const draw = seededRandom(`swarm ${seed}`);
  const between = (low: number, high: number): number => low + (high - low) * draw.float();
  const maybe = <T>(value: T): T | undefined => (draw.float() < 0.5 ? value : undefined);
  const whole = (low: number, high: number): number => Math.floor(between(low, high + 1));
  const nodes = whole(2, 7);
  const pieceBytesMax = maybe(whole(1, 2_000));
  const bytesPerSecond = maybe(whole(20_000, 1_000_000));
  const world = createWorld({
    seed,
    nodes,
    producers: whole(1, Math.min(3, nodes)),
    knownPeers: whole(1, 4),
    links: {
      latencyMs: between(0, 200),
      jitterMs: between(0, 200),
      ...(pieceBytesMax === undefined ? {} : { pieceBytesMax }),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    },
    commitMs: [0, between(0, 500)],
    wallOffsetMaxMs: between(0, 2_000),
    config: { txIndex: draw.float() < 0.5 },
    replay,
  });
  const crash = maybe([1_000, 20_000] as const);
  const cut = maybe([500, 10_000] as const);
  const partition = maybe([2_000, 30_000] as const);
  const traffic = startTraffic(world, { perSecond: between(1, 20), dataBytes: whole(0, 300) });
  const faults = startFaults(world, {
    ...(crash === undefined ? {} : { crashEveryMs: crash }),
    ...(cut === undefined ? {} : { cutEveryMs: cut }),
    ...(partition === undefined ? {} : { partitionEveryMs: partition }),
  });
  await world.runFor(FAULTS_MS);
  faults.stop();
  await world.converge(CONVERGE_MS);
  traffic.stop();
  return world;
}
