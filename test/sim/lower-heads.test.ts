import test, { type ExecutionContext } from "ava";
import { createWorld, type SimNode } from "../../src/sim/index.js";
import { coarseChain, give, growBranch } from "./branch.js";
import { replayOf, SEED_ASKED } from "./support.js";

const trunk = growBranch(40, { sender: 1 });
/** Up to 53: what can be undone ends 13 blocks below. */
const high = growBranch(13, { on: trunk[39], sender: 2 });
/** Up to 50, and heavier. */
const low = growBranch(10, { on: trunk[39], sender: 3, soon: true });
/** Begins at 37, which is within the depth below 50, not below 53; heavier again. */
const deep = growBranch(12, { on: trunk[36], sender: 4, soon: true });

/** A node that followed a heavier branch to a lower head, with a peer that has the deep one. */
async function fallen(t: ExecutionContext, own: string) {
  const seed = SEED_ASKED ?? own;
  const world = createWorld({
    seed,
    replay: replayOf("lower-heads", seed),
    nodes: 4,
    producers: 0,
    knownPeers: 3,
    chain: coarseChain,
    configs: [{ chain: { reorgDepthMax: 13, pruneEveryBlocks: 1 } }],
    config: { dial: { backoffMaxMs: 1_000 } },
  });
  const [victim, ...servers] = world.nodes as [SimNode, SimNode, SimNode, SimNode];
  const apart = (server: SimNode): void => {
    const others = servers.filter((other) => other !== server);
    world.partition([[victim.name, server.name], ...others.map(({ name }) => [name])]);
  };
  world.partition(world.nodes.map(({ name }) => [name]));
  await world.runFor(150_000);
  for (const [index, branch] of [high, low, deep].entries()) {
    const from = branch === deep ? trunk.slice(0, 37) : trunk;
    await give(world, servers[index]!, [...from, ...branch]);
    t.is(servers[index]!.head().hash, branch.at(-1)!.header.hash);
  }
  for (const [index, branch] of [high, low].entries()) {
    apart(servers[index]!);
    const { hash } = branch.at(-1)!.header;
    t.true(await world.runUntil(() => victim.head().hash === hash, 60_000));
    await world.runFor(1_000);
  }
  return { world, victim, offerDeep: () => apart(servers[2]) };
}

/** What a node cannot undo it leaves alone. */
async function staysWhereItIs(t: ExecutionContext, own: string, restarts: boolean): Promise<void> {
  const { world, victim, offerDeep } = await fallen(t, own);
  t.is(world.lowerHeads, 1);
  if (restarts) {
    world.crash(victim.name);
    world.restart(victim.name);
  }
  offerDeep();
  let failures = 0;
  victim.network.subscribe(["SyncFailed"], () => void failures++);
  t.true(await world.runUntil(() => failures > 0, 60_000));
  t.is(victim.head().hash, low.at(-1)!.header.hash);
  world.checkInvariants();
}

test("a branch below what a former, higher head left to undo is not begun", async (t) => {
  await staysWhereItIs(t, "live", false);
});

test("a restarted node, which knows of its lower head alone, stays on its chain", async (t) => {
  await staysWhereItIs(t, "restarted", true);
});
