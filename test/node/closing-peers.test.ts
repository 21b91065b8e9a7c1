// Peers that ask for much, take nothing and go, one after another, against a node's process. What
// waits for a peer goes with its slot, and of the sockets that are not gone yet only so many stay.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { generateChain } from "../../src/chain/generate.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import { storeChain } from "../../src/compose/chain-store.js";
import { genesisOf, networkParams } from "../../src/compose.js";
import { DEFAULTS } from "../../src/config.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { startCli, temporaryDirectory } from "../cli/child.js";
import { frameBytes } from "../support/frames.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";

const params = networkParams(DEFAULTS.network);
const consensus = createPowConsensus(params);
const NETWORK_ID = genesisOf(consensus).header.hash;
const PEERS = 48;
const SLOTS = 2;
const CLOSING_MAX = 4;
const BLOCKS = 4;
/** Without its mend the node holds more than 4 MiB for each of 48 peers. */
const GROWTH_MIB_MAX = 64;

const CONFIG = {
  maxInbound: SLOTS,
  inbound: { closingMax: CLOSING_MAX },
  // Longer than the test: nothing goes because it is late.
  shutdown: { drainMs: 600_000 },
};

/** Four blocks of 2 MiB; resolves to their hashes. */
async function largeChain(directory: string): Promise<string[]> {
  const stores = await openLmdbStores({ directory, genesis: genesisOf(consensus) });
  const options = {
    params,
    blocks: BLOCKS,
    transactionsPerBlock: 32,
    dataBytes: 64 * 1_024,
    accounts: 32,
    seed: "closing",
  };
  await storeChain(generateChain(options, await loadSignatures()), stores.blocks, consensus);
  const hashes = Array.from({ length: BLOCKS }, (_, i) => stores.blocks.hashAt(i + 1)!);
  await stores.close();
  return hashes;
}

function rssAnonMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
}

function socketsOf(pid: number): number {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlink(`/proc/${pid}/fd/${fd}`));
  return links.filter((link) => link.startsWith("socket:")).length;
}

/** Nothing for one that was closed meanwhile. */
function readlink(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return "";
  }
}

/** Its replies have begun to come and it reads no more: the rest waits in the node. */
async function greedyPeer(
  t: ExecutionContext,
  address: string,
  number: number,
  hashes: readonly string[],
): Promise<RawPeer> {
  const peer = new RawPeer({ address, identity: identityOf(number), allowHalfOpen: true });
  t.teardown(() => peer.destroy());
  await peer.secured;
  peer.send(handshakeInfo(NETWORK_ID));
  const came = await peer.message("Handshake");
  if (came === undefined) throw new Error("the node refused a peer for which it had a slot");
  peer.deafen();
  let arrivedBytes = 0;
  const flowing = new Promise<void>((resolve) => {
    peer.socket.on("data", (chunk: Buffer) => {
      arrivedBytes += chunk.length;
      if (arrivedBytes < DEFAULTS.lanes.windowInitialBytes) return;
      peer.socket.pause();
      resolve();
    });
  });
  for (let id = 1; id <= DEFAULTS.serve.repliesQueuedMax; id++) {
    void peer.ask({ kind: "RequestBlock", hash: hashes[id % BLOCKS]! });
  }
  await Promise.race([flowing, peer.closed]);
  return peer;
}

const ENDINGS = [
  (peer: RawPeer) => peer.send({ kind: "Disconnect", reason: "Shutdown", detail: "" }),
  // A kind that is unknown: the node ends it.
  (peer: RawPeer) => peer.writeBytes(frameBytes({ code: 0x7f, flags: 0 })),
];

test("peers that go while much waits for them leave nothing behind but a few sockets", async (t) => {
  if (process.platform !== "linux") return t.pass("only Linux tells a process's memory by a file");
  t.timeout(110_000);
  const data = await temporaryDirectory(t);
  const hashes = await largeChain(data);
  const config = path.join(data, "config.json");
  await writeFile(config, JSON.stringify(CONFIG));
  const flags = ["--data", data, "--config", config, "--listen", "127.0.0.1:0"];
  const node = startCli(t, ["run", ...flags]);
  const { listenAddress } = await node.line("node is ready");
  const socketsBefore = socketsOf(node.pid);
  let baselineMiB = NaN;
  let peakMiB = 0;
  for (let number = 1; number <= PEERS; number++) {
    const peer = await greedyPeer(t, String(listenAddress), number, hashes);
    // The first two have made it as large as it is at work.
    if (number === SLOTS) baselineMiB = rssAnonMiB(node.pid);
    peakMiB = Math.max(peakMiB, rssAnonMiB(node.pid));
    ENDINGS[number % ENDINGS.length]!(peer);
    // It was heard when the node has ended its half.
    peer.socket.resume();
    await peer.until(() => peer.ended);
  }
  t.log(`grew from ${baselineMiB.toFixed(0)} to ${peakMiB.toFixed(0)} MiB`);
  t.true(peakMiB - baselineMiB <= GROWTH_MIB_MAX, `it grew by ${peakMiB - baselineMiB} MiB`);
  // Each that is too many is ended because of one that closes after it.
  while (socketsOf(node.pid) > socketsBefore + CLOSING_MAX) await setTimeout(20);
  t.pass();
});
