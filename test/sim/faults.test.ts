import test from "ava";
import {
  createWorld,
  FAULT_PRESETS,
  startFaults,
  startTraffic,
  type FaultName,
  type FaultOptions,
  type World,
  type WorldOptions,
} from "../../src/sim/index.js";
import { FAULT_KINDS } from "../../src/sim/fault-kinds.js";
import { replayOf, SEED_ASKED } from "./support.js";

/** All but the crash of everything once a minute, which is a preset of its own. */
const NAMES = (Object.keys(FAULT_KINDS) as FaultName[]).filter((name) => name !== "crashActors");

function worldOf(own: string, options: Partial<WorldOptions> = {}): World {
  const seed = SEED_ASKED ?? own;
  return createWorld({ seed, replay: replayOf("faults", seed), nodes: 4, ...options });
}

/** Lets one fault of a kind act at a known moment, for as long as it is told. */
async function one(world: World, name: FaultName, forMs: number) {
  const options: FaultOptions = { [name]: { everyMs: [1_000, 1_000], forMs: [forMs, forMs] } };
  const faults = startFaults(world, options);
  await world.runFor(1_500);
  return faults;
}

const down = (world: World): string[] =>
  world.nodes.filter((node) => !node.up).map(({ name }) => name);

for (const name of ["crash", "powerLoss", "leave"] as const) {
  test(`${name} brings a node down for its time, and up again`, async (t) => {
    const world = worldOf(name);
    await world.runFor(3_000);
    const times = { everyMs: [2_000, 2_000], forMs: [1_500, 1_500] } as const;
    const faults = startFaults(world, { [name]: times });
    for (let round = 1; round <= 5; round++) {
      await world.runFor(round === 1 ? 2_010 : 480);
      t.is(down(world).length, 1);
      t.is(faults.counts[name], round);
      await world.runFor(1_480);
      t.is(down(world).length, 1);
      await world.runFor(40);
      t.deepEqual(down(world), []);
    }
    faults.stop();
    t.deepEqual(down(world), []);
    await world.converge(60_000);
  });
}

test("stop starts what is down at once and lets nothing happen later", async (t) => {
  const world = worldOf("stop", { nodes: 5 });
  const blocks = watchObstacles(world);
  await world.runFor(3_000);
  const faults = startFaults(world, {
    crash: { everyMs: [500, 600], forMs: [1e6, 1e6] },
    leave: { everyMs: [500, 600], forMs: [1e6, 1e6] },
    swizzle: { everyMs: [100, 200], forMs: [1e5, 1e5] },
  });
  await world.runFor(2_500);
  t.is(down(world).length, 4);
  t.true(waysOf(world, blocks).size > 0);
  const { count } = faults;
  faults.stop();
  t.deepEqual(down(world), []);
  await world.converge(60_000);
  for (let at = 0; at < 20; at++) {
    t.is(waysOf(world, blocks).size, 0);
    await world.runFor(5_000);
  }
  t.is(faults.count, count);
  t.deepEqual(down(world), []);
  await world.converge(10_000);
});

test("peers of a node that lost its power hear nothing, and let it go by themselves", async (t) => {
  const world = worldOf("silence", { nodes: 2, producers: 0 });
  await world.runFor(5_000);
  const gone: { reason: string; atMs: number }[] = [];
  world.node("n0").network.subscribe(["PeerDisconnected"], ({ reason }) => {
    gone.push({ reason, atMs: world.nowMs });
  });
  world.crash("n1", { silent: true });
  const { deadAfterMs } = world.node("n0").config.liveness;
  await world.runFor(deadAfterMs / 2);
  t.deepEqual(gone, []);
  await world.runFor(deadAfterMs);
  t.is(gone[0]?.reason, "Timeout");
  world.restart("n1");
  await world.runFor(60_000);
  const peers = await world.settled(world.node("n0").network.peers());
  t.is(peers.length, 1);
});

test("a node that was never up joins", async (t) => {
  const world = worldOf("join", { late: 3 });
  await world.runFor(2_000);
  t.deepEqual(down(world), ["n1", "n2", "n3"]);
  const faults = startFaults(world, { join: { everyMs: [1_000, 1_000] } });
  await world.runFor(2_500);
  t.is(down(world).length, 1);
  await world.runFor(3_000);
  t.deepEqual(down(world), []);
  faults.stop();
  await world.converge(30_000);
});

test("a disk that fails ends its node, which comes back without losing what was durable", async (t) => {
  const world = worldOf("disk", { commitMs: [20, 400] });
  await world.runFor(10_000);
  for (let round = 0; round < 5; round++) {
    const node = world.nodes[round % 4]!;
    node.failDisk();
    t.true(await world.runUntil(() => !node.up, 60_000), "it noticed at its next block");
    // What was acknowledged is still there: `start` would report it otherwise.
    await world.runFor(2_000);
    node.start();
    t.true(node.healthy);
    await world.converge(60_000);
  }
});

test("a slow disk delays what is acknowledged, and a mended one does not", async (t) => {
  const world = worldOf("slow", { nodes: 2, commitMs: [10, 10] });
  await world.converge(10_000);
  const node = world.node("n0");
  let connectedMs = 0;
  node.network.subscribe(["BlockConnected"], () => void (connectedMs = world.nowMs));
  const lag = async (): Promise<number> => {
    const { height } = node.head();
    await world.runUntil(() => node.head().height > height, 60_000);
    const storedMs = world.nowMs;
    connectedMs = 0;
    await world.runUntil(() => connectedMs > 0, 60_000);
    return connectedMs - storedMs;
  };
  await world.runFor(2_000);
  t.true((await lag()) < 20);
  const faults = await one(world, "slowDisk", 1e6);
  const slow = world.nodes.filter(({ diskSlowdown }) => diskSlowdown > 1);
  t.is(slow.length, 1);
  node.diskSlowdown = 50;
  await world.runFor(5_000);
  t.true((await lag()) > 20);
  faults.stop();
  t.true(world.nodes.every(({ diskSlowdown }) => diskSlowdown === 1));
  await world.runFor(5_000);
  t.true((await lag()) < 20);
});

type Blocks = (from: string, to: string) => boolean;

/** What the obstacles that a world has from now on block at the moment. */
function watchObstacles(world: World): Blocks {
  const standing = new Set<Blocks>();
  const real = world.obstruct.bind(world);
  world.obstruct = (obstacle) => {
    standing.add(obstacle);
    const lift = real(obstacle);
    return () => {
      standing.delete(obstacle);
      lift();
    };
  };
  return (from, to) => [...standing].some((blocks) => blocks(from, to));
}

/** All ways between different nodes that are blocked, as "from to". */
function waysOf({ nodes }: World, blocks: Blocks): ReadonlySet<string> {
  const names = nodes.map(({ name }) => name);
  const pairs = names.flatMap((from) => names.map((to) => [from, to] as const));
  const blocked = pairs.filter(([from, to]) => from !== to && blocks(from, to));
  return new Set(blocked.map((pair) => pair.join(" ")));
}

/** Every way that is blocked is blocked in the other direction too. */
function symmetric(blocked: ReadonlySet<string>): boolean {
  return [...blocked].every((way) => blocked.has(way.split(" ").reverse().join(" ")));
}

test("each way of blocking blocks what it says, and ends", async (t) => {
  for (const name of ["partition", "oneWay", "clogLink", "clogNode"] as const) {
    for (let seed = 0; seed < 8; seed++) {
      const world = createWorld({ seed, nodes: 5, producers: 0, late: 5 });
      const blocks = watchObstacles(world);
      const faults = await one(world, name, 700);
      const blocked = waysOf(world, blocks);
      if (name === "clogLink") t.is(blocked.size, 1);
      if (name === "clogNode") t.is(blocked.size, 2 * 4);
      if (name === "clogNode" || name === "partition") t.true(symmetric(blocked), name);
      if (name === "oneWay" && blocked.size > 0) t.false(symmetric(blocked), name);
      t.true(name.startsWith("clog") || [0, 4, 6, 8, 12].includes(blocked.size));
      await world.runFor(400);
      t.is(waysOf(world, blocks).size, 0, `${name} ended`);
      faults.stop();
    }
  }
});

test("a swizzle clogs its nodes one by one and unclogs them in another order", async (t) => {
  let reordered = 0;
  for (let seed = 0; seed < 8; seed++) {
    const world = createWorld({ seed, nodes: 8, producers: 0, late: 8 });
    const blocks = watchObstacles(world);
    const everyMs = [1_000, 1_000] as const;
    const faults = startFaults(world, { swizzle: { everyMs, forMs: [900, 900] } });
    const clogged: string[][] = [];
    for (let at = 0; at < 199; at++) {
      await world.runFor(10);
      const all = world.nodes.map(({ name }) => name).filter((name) => blocks(name, "anywhere"));
      if (all.join() !== (clogged.at(-1) ?? []).join()) clogged.push(all);
    }
    const peak = Math.max(...clogged.map(({ length }) => length));
    const rises = clogged.slice(0, clogged.findIndex(({ length }) => length === peak) + 1);
    t.deepEqual(
      clogged.map(({ length }) => length),
      [...rises.keys()].map((at) => at + 1).concat([...rises.keys()].reverse()),
      `seed ${seed}`,
    );
    const firstIn = rises[0]![0];
    const firstOut = rises.at(-1)!.find((name) => !clogged[rises.length]!.includes(name));
    if (firstIn !== firstOut) reordered++;
    faults.stop();
    t.is(waysOf(world, blocks).size, 0);
  }
  t.true(reordered > 0);
});

test("all kinds at once are the same run for one seed, and none is without effect", async (t) => {
  t.deepEqual(Object.keys(FAULT_PRESETS.wild).sort(), [...NAMES].sort());
  const hashes = new Set<string>();
  for (let run = 0; run < 2; run++) {
    const world = worldOf("all", { producers: 2, late: 1 });
    const traffic = startTraffic(world, { perSecond: 2 });
    const faults = startFaults(world, FAULT_PRESETS.wild);
    await world.runFor(90_000);
    faults.stop();
    await world.converge(90_000);
    traffic.stop();
    hashes.add(world.traceHash);
    for (const name of NAMES) t.true(faults.counts[name] > 0, name);
    t.is(
      faults.count,
      NAMES.reduce((sum, name) => sum + faults.counts[name], 0),
    );
  }
  t.is(hashes.size, 1);
});

test("clocks drift apart, by the seed, and never above the bound", async (t) => {
  const world = worldOf("drift", { nodes: 3, producers: 0, wallOffsetMaxMs: 0, driftMaxPpm: 500 });
  await world.runFor(100_000);
  const walls = world.nodes.map((node) => node.clock.wallMs());
  const spread = walls.map((wallMs) => wallMs - walls[0]!);
  t.true(new Set(walls).size > 1, `${spread.join()}`);
  t.true(spread.every((ms) => Math.abs(ms) <= 101));
});
