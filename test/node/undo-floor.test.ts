// What a node can still undo, where its head once stood higher than it does: a heavier branch may be
// the shorter one. Peers offer branches that begin below that; the node stays on its chain.

import test, { type ExecutionContext } from "ava";
import { genesisOf, startNode, type OwnPorts } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import type { BlockStore, Log } from "../../src/ports.js";
import { systemClock } from "../../src/runtime/clock.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { checkedBlocks, connectAll } from "../actors/support.js";
import { temporaryDirectory } from "../cli/child.js";
import { makeBlock, makeKey, makeTransaction, type MadeBlock } from "../support/chain.js";
import { plainStore } from "../support/plain-store.js";
import { consensus, nextEvent, reaches, startTestNode } from "./nodes.js";

const genesis = genesisOf(consensus);

/** Blocks of one transaction each; those that come soon after each other are more difficult. */
function grow(count: number, options: { on?: MadeBlock; key: number; soon?: boolean }) {
  const chain: MadeBlock[] = [];
  for (let nonce = 1; nonce <= count; nonce++) {
    const parent = chain.at(-1)?.header ?? options.on?.header;
    const fields =
      options.soon === true && parent !== undefined ? { timestampMs: parent.timestampMs + 1 } : {};
    const transactions = [makeTransaction(makeKey(options.key), nonce)];
    chain.push(makeBlock({ transactions, fields, ...(parent && { parent }) }));
  }
  return chain;
}

const trunk = grow(40, { key: 1 });
/** Up to height 53; the node prunes by it. */
const high = grow(13, { on: trunk[39]!, key: 2 });
/** Up to height 50, and heavier. */
const low = grow(10, { on: trunk[39]!, key: 3, soon: true });
/** Begins at 37, within the depth below 50, not below 53; heavier again. */
const deep = grow(12, { on: trunk[36]!, key: 4, soon: true });
const config = { chain: { reorgDepthMax: 13, pruneEveryBlocks: 1 } };

interface Victim {
  readonly node: Network;
  readonly log: string[];
  /** Resolves to what an actor failed of. */
  readonly failed: Promise<{ reason: unknown }>;
}

async function startVictim(
  t: ExecutionContext,
  own: OwnPorts & { dataDir?: string } = {},
): Promise<Victim> {
  t.timeout(60_000);
  const log: string[] = [];
  const { dataDir = null, ...ports } = own;
  let onFailed: (failure: { reason: unknown }) => void;
  const failed = new Promise<{ reason: unknown }>((resolve) => (onFailed = resolve));
  const write: Log["write"] = (_level, event, fields) => {
    log.push(event);
    if (event === "an actor failed") onFailed({ reason: fields?.error });
  };
  const node = await startNode(
    { pool: { inline: true }, dataDir, ...config },
    { consensus, log: { write }, ...ports },
  );
  t.teardown(() => node.stop());
  return { node, log, failed };
}

/** A peer that serves these blocks of its canonical chain. */
async function serverOf(t: ExecutionContext, blocks: readonly MadeBlock[]): Promise<string> {
  const stores = openMemoryStores({ genesis });
  connectAll(stores.blocks, checkedBlocks(blocks));
  const bindAddr = "tcp://127.0.0.1:0";
  const server = await startTestNode(t, { bindAddr }, { blockStore: stores.blocks });
  return server.listenAddress!;
}

async function follows(t: ExecutionContext, { node }: Victim, blocks: readonly MadeBlock[]) {
  const reached = reaches(node, blocks.at(-1)!.header.hash);
  void node.connect(await serverOf(t, blocks));
  await reached;
}

/** A peer offers the deep branch, and the node says no. */
async function refuses(t: ExecutionContext, victim: Victim): Promise<void> {
  const { node, failed } = victim;
  const refused = Promise.race([nextEvent(node, "SyncFailed"), failed]);
  void node.connect(await serverOf(t, [...trunk.slice(0, 37), ...deep]));
  t.like(await refused, { reason: "blocks were not connected: too-deep" });
}

async function goesOn({ node }: Victim): Promise<void> {
  const next = makeBlock({ parent: node.head() });
  node.broadcastBlock(next.bytes);
  await reaches(node, next.header.hash);
}

test("a branch below what a former, higher head left to undo is too deep", async (t) => {
  const victim = await startVictim(t);
  await follows(t, victim, [...trunk, ...high]);
  await follows(t, victim, [...trunk, ...low]);
  t.is(victim.node.head().height, 50);
  await refuses(t, victim);
  await goesOn(victim);
});

/** What older versions left behind: undo data pruned by the highest head, a head below it. */
async function damage(store: BlockStore): Promise<void> {
  connectAll(store, checkedBlocks([...trunk, ...low]));
  await store.prune(53 - 13);
}

test("a store that an older version pruned too far is started on, again and again", async (t) => {
  const dataDir = await temporaryDirectory(t);
  const stores = await openLmdbStores({ directory: dataDir, genesis, clock: systemClock });
  await damage(stores.blocks);
  await stores.close();
  for (let start = 1; start <= 2; start++) {
    const victim = await startVictim(t, { dataDir });
    await refuses(t, victim);
    t.true(victim.log.includes("a branch is too deep to follow"), `start ${start}`);
    if (start === 2) await goesOn(victim);
    await victim.node.stop();
  }
});

test("nor does a caller's own store have to keep what it was told to forget", async (t) => {
  const { blocks } = openMemoryStores({ genesis });
  await damage(blocks);
  const victim = await startVictim(t, { blockStore: plainStore(blocks) });
  await refuses(t, victim);
  await goesOn(victim);
});
