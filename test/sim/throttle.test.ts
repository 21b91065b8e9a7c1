import test from "ava";
import { createWorld, type SimNode, type World } from "../../src/sim/index.js";
import { heavyChain } from "./heavy-blocks.js";
import { replayOf, SEED_ASKED } from "./support.js";

const MIB = 1_024 * 1_024;
/** Of 240 KB: what the syncing nodes lack. */
const BLOCKS = 40;
const BYTES_PER_SECOND = 2 * MIB;
const LOADED_MS = 10_000;

interface Scene {
  readonly uploadBytesPerSec: number;
  /** 0: every block is announced, and asked for. */
  readonly blockPushes: number;
}

interface Seen {
  /** From the server's store to its follower's. */
  readonly relayMs: number;
  /** Of ranges, that each syncing node got while the server's line was full. */
  readonly syncedBytes: readonly number[];
}

/** A producer with a chain of large blocks, a node that follows it, and four that sync it. */
async function serve({ uploadBytesPerSec, blockPushes }: Scene): Promise<Seen> {
  const seed = SEED_ASKED ?? "throttle";
  const world = createWorld({
    seed,
    replay: replayOf("throttle", seed),
    nodes: 6,
    late: 4,
    knownPeers: 0,
    chain: heavyChain(4),
    links: { latencyMs: 40, jitterMs: 0 },
    config: { gossip: { relayTrees: blockPushes > 0, blockPushes } },
    configs: [
      { producer: { intervalMs: 100 }, limits: { uploadBytesPerSec } },
      ...Array.from({ length: 5 }, () => ({})),
    ],
  });
  const [server, follower, ...syncing] = world.nodes as [SimNode, SimNode, ...SimNode[]];
  void follower.network.connect(server.network.listenAddress!);
  await world.runUntil(() => server.head().height >= BLOCKS, 600_000);
  const relays = relaysOf(world, server, follower);
  for (const node of syncing) {
    node.start();
    void node.network.connect(server.network.listenAddress!);
  }
  await world.runFor(LOADED_MS);
  const syncedBytes: number[] = [];
  for (const { network } of syncing) {
    const traffic = await world.settled(network.traffic());
    syncedBytes.push(traffic["ResponseBlockRange"]!.received.bytes);
  }
  world.checkInvariants();
  return { relayMs: relays.reduce((sum, ms) => sum + ms, 0) / relays.length, syncedBytes };
}

function relaysOf(world: World, server: SimNode, follower: SimNode): readonly number[] {
  const madeMs = new Map<string, number>();
  const relays: number[] = [];
  server.network.subscribe(["BlockConnected"], ({ hash }) => void madeMs.set(hash, world.nowMs));
  follower.network.subscribe(["BlockConnected"], ({ hash }) => {
    const sinceMs = madeMs.get(hash);
    if (sinceMs !== undefined) relays.push(world.nowMs - sinceMs);
  });
  return relays;
}

for (const blockPushes of [0, 8]) {
  const how = blockPushes === 0 ? "announced" : "pushed";
  test(`a node held to 2 MiB/s serves four syncing peers fairly, and its blocks are ${how} as fast as ever`, async (t) => {
    const free = await serve({ uploadBytesPerSec: 0, blockPushes });
    const held = await serve({ uploadBytesPerSec: BYTES_PER_SECOND, blockPushes });
    const { syncedBytes } = held;
    const sum = syncedBytes.reduce((total, bytes) => total + bytes, 0);
    const most = (BYTES_PER_SECOND * LOADED_MS) / 1_000;
    t.true(sum <= 1.02 * most, `${sum} of ${most} bytes`);
    // The blocks at the tip have the rest, as many as there are peers.
    t.true(sum >= 0.6 * most, `${sum} of ${most} bytes`);
    const [least, greatest] = [Math.min(...syncedBytes), Math.max(...syncedBytes)];
    t.true(greatest <= 1.2 * least, syncedBytes.join());
    t.true(held.relayMs <= 1.2 * free.relayMs, `${held.relayMs} ms for ${free.relayMs} ms`);
  });
}
