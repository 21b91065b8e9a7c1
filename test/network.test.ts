import test from "ava";
import { createPowConsensus } from "../src/chain/consensus.js";
import { genesisOf, networkParams, startNode } from "../src/compose.js";
import { startNetwork } from "../src/index.js";
import type { Log, PeerStore } from "../src/ports.js";
import { openMemoryStores } from "../src/storage/memory-stores.js";

const inline = { pool: { inline: true } } as const;
const genesis = genesisOf(createPowConsensus(networkParams("vibecoin-dev")));

test("a network that is stopped says so", async (t) => {
  const network = await startNetwork(inline);
  await network.stop();
  await t.notThrowsAsync(network.stopped);
  await t.throwsAsync(network.status(), { code: "STOPPED" });
});

test("a network whose root gives up tells its host and leaves nothing open", async (t) => {
  const { peers } = openMemoryStores({ genesis });
  const peerId = "ab".repeat(32);
  const peerStore: PeerStore = {
    ...peers,
    bans: () => [{ peerId, untilWallMs: Number.MAX_SAFE_INTEGER, reason: "test", count: 1 }],
    deleteBan() {
      throw new Error("planned");
    },
  };
  let faultAgain = (): void => undefined;
  const log: Log = {
    write(_level, event, fields) {
      // Each time the root is about to start again, the next fault waits for it.
      if (event === "an actor failed" && fields?.["action"] === "restarting") faultAgain();
    },
  };
  const network = await startNode(inline, { peerStore, log });
  faultAgain = () => network.unbanPeer(peerId);
  faultAgain();
  await t.throwsAsync(network.stopped, { code: "STOPPED", message: /gave up after repeated/ });
  t.is(network.figures().length, 0);
  await t.throwsAsync(network.status(), { code: "STOPPED" });
  await t.notThrowsAsync(network.stop());
});

test("a network whose actors cannot start is refused after some attempts", async (t) => {
  const { peers } = openMemoryStores({ genesis });
  let attempts = 0;
  const peerStore: PeerStore = {
    ...peers,
    bans() {
      attempts++;
      throw new Error("planned");
    },
  };
  const start = startNode({ ...inline, bindAddr: "127.0.0.1:0" }, { peerStore });
  await t.throwsAsync(start, { code: "STOPPED", message: /gave up after repeated/ });
  t.is(attempts, 4);
});

test("addresses that are none are refused where they are given", async (t) => {
  await t.throwsAsync(startNetwork({ ...inline, seedPeers: ["nowhere"] }), {
    code: "ADDRESS_INVALID",
  });
  const network = await startNetwork(inline);
  t.teardown(() => network.stop());
  t.throws(() => network.connect("nowhere"), { code: "ADDRESS_INVALID" });
  t.is((await network.status()).peers.length, 0);
});

test("a subscription ends when it is told to, and its actor with it", async (t) => {
  const network = await startNetwork({ ...inline, produce: true, producer: { intervalMs: 1 } });
  t.teardown(() => network.stop());
  let seen = 0;
  await new Promise<void>((resolve) => {
    const end = network.subscribe(["BlockConnected"], () => {
      seen++;
      end();
      resolve();
    });
  });
  await new Promise((resolve) => network.subscribe(["BlockConnected"], resolve));
  await new Promise((resolve) => network.subscribe(["BlockConnected"], resolve));
  t.is(seen, 1);
  t.is(network.figures().filter(({ path }) => path.includes("/tap-")).length, 2);
});
