// Nodes that end in every way: killed in the middle of a sync and started again, and stopped as an
// operator stops them.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { generateChain } from "../../src/chain/generate.js";
import { storeChain } from "../../src/compose/chain-store.js";
import { genesisOf, networkParams, startNode } from "../../src/compose.js";
import { DEFAULTS } from "../../src/config.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { startCli, temporaryDirectory } from "../cli/child.js";
import { signatures } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";

const CHILD = fileURLToPath(new URL("./sync-child.js", import.meta.url));
const BLOCKS = 300;
const params = networkParams(DEFAULTS.network);
const consensus = createPowConsensus(params);
const genesis = genesisOf(consensus);

/** Runs the child until it ends; answers its end and its lines. */
async function syncChild(t: ExecutionContext, ...args: (string | number)[]) {
  const child = spawn(process.execPath, [CHILD, ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once("close", (...end) => resolve(end));
  });
  const words = output.split("\n").map((line) => line.split(" "));
  const connected = words.flatMap(([verb, height, hash]) =>
    verb === "connected" ? [{ height: Number(height), hash: hash! }] : [],
  );
  const opened = Number(words.find(([verb]) => verb === "open")?.[1]);
  return { code, signal, opened, connected };
}

test("a node killed in the middle of a sync loses nothing acknowledged and finishes when started again", async (t) => {
  t.timeout(100_000);
  const { blocks } = openMemoryStores({ genesis });
  const size = { blocks: BLOCKS, transactionsPerBlock: 20, accounts: 40, seed: "restart" };
  await storeChain(generateChain({ params, ...size }, signatures), blocks, consensus);
  const config = { bindAddr: "tcp://127.0.0.1:0", pool: { inline: true } };
  const server = await startNode(config, { blockStore: blocks });
  t.teardown(() => server.stop());
  const data = await temporaryDirectory(t);

  const killed = await syncChild(t, data, server.listenAddress!, BLOCKS / 2, BLOCKS);
  t.is(killed.signal, "SIGKILL");
  t.is(killed.opened, 0);
  const acknowledged = killed.connected.at(-1)!.height;
  t.true(acknowledged >= BLOCKS / 2 && acknowledged < BLOCKS);

  const again = await syncChild(t, data, server.listenAddress!, Infinity, BLOCKS);
  t.is(again.code, 0);
  t.true(again.opened >= acknowledged, `opened at ${again.opened} of ${acknowledged}`);
  t.is(again.connected[0]?.height, again.opened + 1, "it goes on where it was");

  const stores = await openLmdbStores({ directory: data, genesis });
  t.teardown(() => stores.close());
  t.is(stores.blocks.head().hash, blocks.head().hash);
  for (let height = 1; height <= BLOCKS; height++) {
    const hash = blocks.hashAt(height)!;
    t.is(stores.blocks.hashAt(height), hash);
    t.deepEqual(stores.blocks.block(hash), blocks.block(hash));
  }
  for (const { height, hash } of killed.connected) t.is(blocks.hashAt(height), hash);
});

test("SIGTERM: the peers are told of the shutdown and the process ends with 0", async (t) => {
  t.timeout(100_000);
  const data = await temporaryDirectory(t);
  const cli = startCli(t, ["run", "--listen", "127.0.0.1:0", "--data", data]);
  const { listenAddress } = await cli.line("node is ready");
  const peer = await RawPeer.connect({ address: String(listenAddress), identity: identityOf(1) });
  t.teardown(() => peer.destroy());
  peer.send(handshakeInfo(genesis.header.hash));
  await cli.line("peer connected");
  cli.kill("SIGTERM");
  t.is((await peer.farewell())?.reason, "Shutdown");
  t.is((await cli.ended).code, 0);
});

test("after kill -9 the same data directory can be opened again at once", async (t) => {
  t.timeout(100_000);
  const data = await temporaryDirectory(t);
  const args = ["run", "--listen", "127.0.0.1:0", "--data", data];
  const first = startCli(t, args);
  const { peerId } = await first.line("node is ready");
  first.kill("SIGKILL");
  await first.ended;
  const second = startCli(t, args);
  t.is((await second.line("node is ready"))["peerId"], peerId);
  second.kill("SIGINT");
  t.is((await second.ended).code, 0);
});
