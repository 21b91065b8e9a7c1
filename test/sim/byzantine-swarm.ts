// One short run among byzantine nodes, with everything drawn from the seed: how many and which, the
// size of the network, its links and faults. When the faults stop, the honest
// nodes have 90 seconds to agree; the attacks go on.

import { seededRandom } from "../../src/runtime/random.js";
import {
  createWorld,
  drawScripts,
  startFaults,
  startTraffic,
  type World,
} from "../../src/sim/index.js";

const ATTACK_MS = 30_000;
const CONVERGE_MS = 90_000;
/** Of all nodes, at most. */
const BYZANTINE_FRACTION = 0.3;

export async function byzantineSwarmRun(seed: number | string, replay: string): Promise<World> {
  const draw = seededRandom(`byzantine swarm ${seed}`);
  const between = (low: number, high: number): number => low + (high - low) * draw.float();
  const whole = (low: number, high: number): number => Math.floor(between(low, high + 1));
  const maybe = <K extends string, V>(key: K, value: V) =>
    (draw.float() < 0.5 ? {} : { [key]: value }) as { [P in K]?: V };
  const nodes = whole(3, 7);
  const byzantineMax = Math.floor((nodes * BYZANTINE_FRACTION) / (1 - BYZANTINE_FRACTION));
  const world = createWorld({
    seed,
    nodes,
    byzantine: drawScripts(whole(1, byzantineMax), draw),
    producers: whole(1, 2),
    knownPeers: whole(2, 4),
    links: {
      latencyMs: between(0, 200),
      jitterMs: between(0, 100),
      ...maybe("pieceBytesMax", whole(1, 2_000)),
      ...maybe("bytesPerSecond", whole(30_000, 1_000_000)),
    },
    commitMs: [0, between(0, 300)],
    wallOffsetMaxMs: between(0, 2_000),
    replay,
  });
  const traffic = startTraffic(world, { perSecond: between(1, 8) });
  const faults = startFaults(world, {
    ...maybe("crash", { everyMs: [3_000, 20_000] as const }),
    ...maybe("cut", { everyMs: [1_000, 10_000] as const }),
    ...maybe("partition", { everyMs: [5_000, 30_000] as const }),
  });
  await world.runFor(ATTACK_MS);
  faults.stop();
  await world.converge(CONVERGE_MS);
  traffic.stop();
  return world;
}
