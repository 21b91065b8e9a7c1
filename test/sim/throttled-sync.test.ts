import test from "ava";
import { createWorld, type LogLine, type SimNode } from "../../src/sim/index.js";
import { heavyChain } from "./heavy-blocks.js";
import { replayOf, SEED_ASKED } from "./support.js";

const KIB = 1_024;
/** Of 240 KB. */
const BLOCKS = 24;
const LOADED_MS = 20_000;

for (const [whose, limits, bytesPerSecond] of [
  ["the node", { downloadBytesPerSec: 128 * KIB }, 128 * KIB],
  ["each peer", { peerDownloadBytesPerSec: 64 * KIB }, 4 * 64 * KIB],
] as const) {
  test(`a node that syncs within a limit of ${whose} keeps to it, blames nobody and asks nobody twice`, async (t) => {
    const seed = SEED_ASKED ?? "throttled-sync";
    const lines: LogLine[] = [];
    const world = createWorld({
      seed,
      replay: replayOf("throttled-sync", seed),
      nodes: 6,
      late: 1,
      chain: heavyChain(4),
      links: { latencyMs: 40, jitterMs: 0 },
      configs: [{ producer: { intervalMs: 100 } }, {}, {}, {}, {}, { limits }],
      onLog: (line) => lines.push(line),
    });
    const [producer, ...rest] = world.nodes as [SimNode, ...SimNode[]];
    const servers = rest.slice(0, 4);
    const syncing = rest[4]!;
    const hasAll = (node: SimNode): boolean => node.head().height >= BLOCKS;
    await world.runUntil(() => servers.every(hasAll), 600_000);
    world.crash(producer.name);
    syncing.start();
    for (const { name } of servers) void syncing.network.connect(`memory://${name}:1`);
    await world.runFor(LOADED_MS);
    const traffic = await world.settled(syncing.network.traffic());
    const came = traffic["ResponseBlockRange"]!.received.bytes;
    const most = (bytesPerSecond * LOADED_MS) / 1_000;
    t.true(came <= 1.1 * most, `${came} of ${most} bytes`);
    t.true(came >= 0.5 * most, `${came} of ${most} bytes`);
    const { download } = (await world.settled(syncing.network.status())).limits;
    t.true(download.heldPeers > 0);

    // The rest at once: the limit is taken away while sockets are held by it.
    syncing.network.setLimits({ downloadBytesPerSec: 0, peerDownloadBytesPerSec: 0 });
    t.true(await world.runUntil(() => hasAll(syncing), 10_000));
    const peers = await world.settled(syncing.network.peers());
    t.is(peers.length, servers.length);
    t.true(peers.every(({ performance }) => performance.timeouts === 0));
    const told = lines.filter(({ node, event }) => node === syncing.name && BLAMES.has(event));
    t.deepEqual(told, []);
    world.checkInvariants();
  });
}

const BLAMES = new Set(["sync waits for a slow peer", "sync failed", "peer banned"]);
