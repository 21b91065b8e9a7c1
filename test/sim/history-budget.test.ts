import test from "ava";
import { createWorld, type SimNode, type World } from "../../src/sim/index.js";
import { heavyChain } from "./heavy-blocks.js";
import { replayOf, SEED_ASKED } from "./support.js";

const HOUR_MS = 60 * 60 * 1_000;
const DAY_MS = 24 * HOUR_MS;
const MIB = 1_024 * 1_024;
/** Of 240 KB. */
const BLOCKS = 20;

/** A server that keeps a chain whose producer is gone for a day, and two that never had it. */
async function dayOld(): Promise<{ world: World; server: SimNode; late: readonly SimNode[] }> {
  const seed = SEED_ASKED ?? "history";
  const world = createWorld({
    seed,
    replay: replayOf("history-budget", seed),
    nodes: 4,
    late: 2,
    knownPeers: 0,
    chain: heavyChain(4),
    checkEveryMs: HOUR_MS,
    configs: [{ producer: { intervalMs: 100 } }, { limits: { historyBytesPerDay: MIB } }, {}, {}],
  });
  const [producer, server, ...late] = world.nodes as [SimNode, SimNode, ...SimNode[]];
  void producer.network.connect(server.network.listenAddress!);
  await world.runUntil(() => server.head().height >= BLOCKS, 600_000);
  world.crash(producer.name);
  await world.runFor(DAY_MS + HOUR_MS);
  for (const node of late) node.start();
  return { world, server, late };
}

test("old blocks are served to strangers up to the budget of a day, and to trusted peers beyond it", async (t) => {
  const { world, server, late } = await dayOld();
  const [stranger, friend] = late as [SimNode, SimNode];
  void stranger.network.connect(server.network.listenAddress!);
  await world.runFor(10 * 60_000);
  const { history } = (await world.settled(server.network.status())).limits;
  t.true(history.usedBytes >= MIB && history.usedBytes <= 2 * MIB, `${history.usedBytes}`);
  t.true(stranger.head().height < BLOCKS);
  // It is refused for a reason that it knows, neither ends the connection nor asks hotly.
  t.is((await world.settled(server.network.peers())).length, 1);
  const traffic = await world.settled(stranger.network.traffic());
  const asked = traffic["RequestBlockRange"]!.sent.messages;
  t.true(asked <= 60, `${asked} requests in ten minutes`);

  t.true(await world.settled(server.network.trustPeer(friend.peerId)));
  void friend.network.connect(server.network.listenAddress!);
  await world.runFor(60_000);
  t.is(friend.head().height, server.head().height);
  const after = (await world.settled(server.network.status())).limits.history;
  t.is(after.usedBytes, history.usedBytes);

  world.crash(friend.name);
  server.network.setLimits({ historyBytesPerDay: 0 });
  t.true(await world.runUntil(() => stranger.head().hash === server.head().hash, 15 * 60_000));
});
