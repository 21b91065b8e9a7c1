import test from "ava";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPowConsensus } from "../src/chain/consensus.js";
import { createMempool } from "../src/chain/mempool.js";
import { readTransaction } from "../src/chain/transaction.js";
import {
  AGENT,
  defaultMempool,
  genesisOf,
  networkParams,
  openWorkers,
  startNode,
  type OwnPorts,
} from "../src/compose.js";
import { resolveConfig } from "../src/config.js";
import { silentLog } from "../src/log.js";
import type { BlockStore, Log, TxStore } from "../src/ports.js";
import { packBytes } from "../src/bytes/packed.js";
import { openMemoryStores } from "../src/storage/memory-stores.js";
import { Trap } from "./support/trap-rules.js";
import { makeKey, makeTransaction, testParams, transactionId } from "./support/chain.js";

const TRAPS = new URL("./support/trap-rules.js", import.meta.url).href;
const devParams = networkParams("vibecoin-dev");
const devConsensus = createPowConsensus(devParams);
const bytes = (length: number): Uint8Array => new Uint8Array(length);
const inline = { pool: { inline: true } } as const;

test("a network is known by its name, or refused with the names there are", (t) => {
  t.is(networkParams("vibecoin-dev").name, "vibecoin-dev");
  t.throws(() => networkParams("vibecoin-moon"), {
    code: "CONFIG_INVALID",
    message: /vibecoin-moon is unknown: this node knows .*vibecoin-dev/,
  });
});

test("genesis is the block that stores are opened with, the same each time", (t) => {
  const consensus = createPowConsensus(networkParams("vibecoin-dev"));
  const genesis = genesisOf(consensus);
  t.is(genesis.header.height, 0);
  t.deepEqual(genesis.bytes, consensus.genesis);
  t.deepEqual(genesisOf(createPowConsensus(networkParams("vibecoin-dev"))), genesis);
  t.not(genesisOf(createPowConsensus(testParams)).header.hash, genesis.header.hash);
});

const wrong: { [name: string]: [Parameters<typeof startNode>[0], string] } = {
  "an unknown network": [{ network: "moon" }, "CONFIG_INVALID"],
  "an impossible configuration": [{ memoryBudgetBytes: 1 }, "CONFIG_INVALID"],
  "a listen address that is none": [{ bindAddr: "nowhere" }, "ADDRESS_INVALID"],
  "a listen address without a transport": [{ bindAddr: "udp://1.2.3.4:5" }, "ADDRESS_INVALID"],
  "a seed that is no address": [{ seedPeers: ["1.2.3.4"] }, "ADDRESS_INVALID"],
};
for (const [name, [config, code]] of Object.entries(wrong)) {
  test(`${name} is refused before anything starts`, async (t) => {
    await t.throwsAsync(startNode({ ...inline, ...config }), { code });
  });
}

test("a node on memory stores starts, says who it is, and stops", async (t) => {
  const node = await startNode({ ...inline, nodeId: "unit" });
  const status = await node.status();
  t.like(status, { peerId: node.peerId, nodeId: "unit", height: 0, listenAddress: null });
  t.is(status.networkId, node.head().hash);
  t.is(node.listenAddress, null);
  await node.stop();
  t.throws(() => node.figures(), { code: "STOPPED" });
});

test("a busy port is refused with its name, and nothing is left open", async (t) => {
  const first = await startNode({ ...inline, bindAddr: "127.0.0.1:0" });
  t.teardown(() => first.stop());
  const bindAddr = first.listenAddress!;
  const dataDir = mkdtempSync(join(tmpdir(), "compose-"));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const error = await t.throwsAsync(startNode({ ...inline, bindAddr, dataDir }), {
    code: "ADDRESS_IN_USE",
  });
  t.true(error.message.includes(new URL(bindAddr).port));
  // The directory was released: a node on another port can have it.
  const second = await startNode({ ...inline, bindAddr: "127.0.0.1:0", dataDir });
  await second.stop();
});

test("a store that proves to be damaged while the node runs ends it, and nothing more is written", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "compose-"));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const node = await startNode({ ...inline, dataDir });
  const file = join(dataDir, "data.mdb");
  const { size } = statSync(file);
  const damaged = readFileSync(file).fill(0, 2 * 4_096);
  writeFileSync(file, damaged, { flag: "r+" });
  t.throws(() => node.block(0), { code: "DATA_CORRUPT", message: /MDB_.*Put a copy in its place/ });
  await t.throwsAsync(node.stopped, { code: "DATA_CORRUPT" });
  t.is(statSync(file).size, size);
  t.true(readFileSync(file).equals(damaged));
  await t.throwsAsync(startNode({ ...inline, dataDir }), { code: "DATA_CORRUPT" });
});

test("of a port that is taken and threads that cannot start the port is told", async (t) => {
  const holder = await startNode({ ...inline, bindAddr: "127.0.0.1:0" });
  t.teardown(() => holder.stop());
  const rulesModule = { moduleUrl: TRAPS, exportName: "createMainOnlyRules", options: devParams };
  const start = startNode(
    { bindAddr: holder.listenAddress!, pool: { threads: 1 } },
    { consensus: { ...devConsensus, rulesModule } },
  );
  // The threads' failure must not be an unhandled rejection, which would fail this test.
  await t.throwsAsync(start, { code: "ADDRESS_IN_USE" });
});

test("rules that no pool thread can load end the network with a line, and nothing is left open", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "compose-"));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const consensus = createPowConsensus(testParams);
  const rulesModule = { moduleUrl: TRAPS, exportName: "createMainOnlyRules", options: testParams };
  const input = { bindAddr: "127.0.0.1:0", dataDir, pool: { threads: 1 } };
  const mempool = createMempool(resolveConfig().mempool, (bytes) =>
    readTransaction(bytes, testParams),
  );
  const lines: unknown[] = [];
  const log: Log = { write: (level, event, fields) => void lines.push([level, event, fields]) };
  const broken = await startNode(input, { consensus: { ...consensus, rulesModule }, mempool, log });
  const { message } = await t.throwsAsync(broken.stopped, { code: "RULES_UNLOADABLE" });
  t.true(message.includes(TRAPS));
  const fields = { code: "RULES_UNLOADABLE", error: message };
  t.deepEqual(lines.at(-1), ["error", "the network ended by itself", fields]);
  for (const call of [broken.status(), broken.bans(), broken.broadcastTransaction(bytes(1))]) {
    const error = await t.throwsAsync(call, { code: "STOPPED" });
    t.like(error.cause, { code: "RULES_UNLOADABLE", message });
  }
  const node = await startNode(input, { consensus, mempool });
  await node.stop();
});

test("a host that gave no log is warned when its network ends by itself", async (t) => {
  const rulesModule = { moduleUrl: TRAPS, exportName: "createMainOnlyRules", options: devParams };
  const consensus = { ...createPowConsensus(devParams), rulesModule };
  const warned = new Promise<Error>((resolve) => {
    process.on("warning", (warning) => warning.message.includes("chain rules") && resolve(warning));
  });
  const node = await startNode({ pool: { threads: 1 } }, { consensus });
  await t.throwsAsync(node.stopped, { code: "RULES_UNLOADABLE" });
  t.regex((await warned).message, /^the network ended by itself: the chain rules/);
});

test("a question that was open when the network ended by itself hears why", async (t) => {
  const rulesModule = { moduleUrl: TRAPS, exportName: "createMainOnlyRules", options: devParams };
  const consensus = { ...createPowConsensus(devParams), rulesModule };
  const node = await startNode({ pool: { threads: 1 } }, { consensus, log: silentLog });
  const transaction = makeTransaction(makeKey(1), 0);
  const outcome = node.broadcastTransaction(transaction).then(
    (answer) => ({ answer }),
    (error: Error) => ({ error }),
  );
  await t.throwsAsync(node.stopped);
  const settled = await outcome;
  // It is answered that the pool could not, or rejected with the reason.
  if ("error" in settled) t.like(settled.error.cause, { code: "RULES_UNLOADABLE" });
  else t.false(settled.answer.ok);
});

for (const mode of ["exit", "heap"] as const) {
  test(`rules that end their thread again and again (${mode}) end the network, which names them`, async (t) => {
    const trap = new Trap(devParams);
    const consensus = { ...createPowConsensus(devParams), rulesModule: trap.module };
    const lines: [string, Readonly<Record<string, unknown>>][] = [];
    const log: Log = { write: (_level, event, fields) => void lines.push([event, fields ?? {}]) };
    const pool = { threads: 1, threadEndsMax: 2, heapMiB: 32 };
    const node = await startNode({ pool }, { consensus, log });
    for (let nonce = 0; nonce < 3; nonce++) {
      trap.arm(mode);
      await node.broadcastTransaction(makeTransaction(makeKey(1), nonce)).catch(() => undefined);
    }
    const { message } = await t.throwsAsync(node.stopped, { code: "WORKER_LOST" });
    t.true(message.includes(trap.module.moduleUrl), message);
    const ends = lines.filter(([event]) => event === "a pool thread ended");
    t.deepEqual(
      ends.map(([, fields]) => fields["threadsEnded"]),
      [1, 2, 3],
    );
    t.true(ends.every(([, fields]) => fields["rules"] === trap.module.moduleUrl));
    t.true(
      lines.some(([event, { task }]) => event === "a pool task was lost" && task !== undefined),
    );
  });
}

const testConsensus = createPowConsensus(testParams);
const throwing = (): never => {
  throw new Error("not today");
};
const trapRules = { moduleUrl: TRAPS, exportName: "createMainOnlyRules", options: testParams };
const wrongPorts: { [name: string]: [OwnPorts, RegExp] } = {
  "a chain with rules of its own and the mempool of another": [
    { consensus: { ...testConsensus, rulesModule: trapRules } },
    /needs a mempool of its own/,
  ],
  "a store of another chain": [
    { blockStore: openMemoryStores({ genesis: genesisOf(testConsensus) }).blocks },
    /holds another chain: its genesis is [0-9a-f]{64}, that of the consensus is [0-9a-f]{64}/,
  ],
  "a store without a genesis": [
    { blockStore: { ...emptyStore(), hashAt: () => undefined } },
    /holds no genesis block/,
  ],
  "a store that cannot be read": [
    { blockStore: { ...emptyStore(), hashAt: throwing } },
    /cannot be read: not today/,
  ],
  "a store whose reads are promises": [
    { blockStore: { ...emptyStore(), hashAt: async () => "late" } as unknown as BlockStore },
    /the block store cannot be read: it answered a promise/,
  ],
  "an index that is none": [
    { txStore: {} as TxStore },
    /the transaction store cannot be read: .*indexedHeight is not a function/,
  ],
  "an index without a height": [
    { txStore: { indexedHeight: () => NaN } as unknown as TxStore },
    /the transaction store cannot be read: its height is none/,
  ],
  "a genesis that its rules refuse": [
    { consensus: { ...devConsensus, genesis: bytes(7) } },
    /genesis block of the consensus cannot be read by its own rules: ./,
  ],
  "a genesis at which its rules throw": [
    { consensus: { ...devConsensus, rules: { ...devConsensus.rules, splitBlock: throwing } } },
    /genesis block of the consensus cannot be read by its own rules: not today/,
  ],
};
for (const [name, [ports, message]] of Object.entries(wrongPorts)) {
  test(`${name} is refused at the start, with a sentence`, async (t) => {
    await t.throwsAsync(startNode(inline, ports), { code: "CONFIG_INVALID", message });
  });
}

test("a chain with constants of its own needs no mempool of its own", async (t) => {
  const node = await startNode(inline, { consensus: testConsensus });
  const transaction = makeTransaction(makeKey(1), 0);
  t.like(await node.broadcastTransaction(transaction), { ok: true });
  await node.stop();
});

test("options of rules that cannot be cloned are refused at the start", async (t) => {
  const { rulesModule } = devConsensus;
  const options = { ...(rulesModule.options as object), now: () => 0 };
  const consensus = { ...devConsensus, rulesModule: { ...rulesModule, options } };
  const starting = startNode({ pool: { threads: 1 } }, { consensus });
  await t.throwsAsync(starting, { code: "RULES_UNLOADABLE", message: /cannot be cloned/ });
});

function emptyStore(): BlockStore {
  return openMemoryStores({ genesis: genesisOf(devConsensus) }).blocks;
}

test("a node that is stopped while its threads still load has stopped as asked", async (t) => {
  const node = await startNode({ bindAddr: "127.0.0.1:0", pool: { threads: 1 } });
  await node.stop();
  await t.notThrowsAsync(node.stopped);
});

test("a data directory keeps the identity; in memory each start is somebody else", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "compose-"));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const ids: string[] = [];
  for (const where of [dataDir, dataDir, null, null]) {
    const node = await startNode({ ...inline, dataDir: where });
    ids.push(node.peerId);
    await node.stop();
  }
  t.is(ids[0], ids[1]);
  t.is(new Set(ids).size, 3);
});

test("a data directory that is a file is refused by its name", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "compose-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const dataDir = join(folder, "file");
  writeFileSync(dataDir, "");
  chmodSync(dataDir, 0o600);
  const error = await t.throwsAsync(startNode({ ...inline, dataDir }));
  t.true(error.message.includes(dataDir));
});

test("a caller's own ports take the place of the default ones, and are left open", async (t) => {
  const consensus = createPowConsensus(testParams);
  const stores = openMemoryStores({ genesis: genesisOf(consensus) });
  const lines: string[] = [];
  const node = await startNode(inline, {
    consensus,
    blockStore: stores.blocks,
    txStore: stores.transactions,
    peerStore: stores.peers,
    mempool: defaultMempool(resolveConfig()),
    log: { write: (_level, event) => void lines.push(event) },
  });
  t.is(node.head().hash, genesisOf(consensus).header.hash);
  await node.stop();
  t.is(stores.blocks.head().height, 0);
  await t.notThrowsAsync(stores.blocks.prune(0));
});

test("the pool is threads, or in line where the configuration says so, with the same verdicts", async (t) => {
  const consensus = createPowConsensus(testParams);
  const transaction = makeTransaction(makeKey(1), 0);
  for (const pool of [
    { inline: true },
    { inline: true, signatureCacheEntries: 0 },
    { threads: 1 },
  ]) {
    const workers = await openWorkers(resolveConfig({ pool }), consensus, silentLog);
    const { ids, faults } = await workers.validateTransactions(packBytes([transaction]));
    t.deepEqual(faults, []);
    t.is(Buffer.from(ids).toString("hex"), transactionId(transaction));
    await workers.close();
  }
});

test("the agent names the software and fits the handshake", (t) => {
  t.regex(AGENT, /^vibecoin-network\/\d/);
  t.true(Buffer.byteLength(AGENT) <= 64);
});

test("a consensus that cannot say what its blocks weigh is refused at the start", async (t) => {
  const consensus = createPowConsensus(testParams);
  for (const envelopeBytesMax of [-1, 1.5, Number.NaN, consensus.blockBytesMax]) {
    await t.throwsAsync(startNode(inline, { consensus: { ...consensus, envelopeBytesMax } }), {
      code: "CONFIG_INVALID",
      message: /^envelopeBytesMax of the consensus is \S+: it must be a whole number/,
    });
  }
  for (const blockBytesMax of [0, 1_000.5, 4 * 1_024 * 1_024, Number.POSITIVE_INFINITY]) {
    await t.throwsAsync(startNode(inline, { consensus: { ...consensus, blockBytesMax } }), {
      code: "CONFIG_INVALID",
      message: /^blockBytesMax of the consensus is \S+: it must be a whole number/,
    });
  }
});
