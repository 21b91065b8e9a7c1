import test from "ava";
import type { ExecutionContext } from "ava";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { once } from "node:events";
import type { NetworkConfigInput } from "../../src/config.js";
import { CodedError } from "../../src/errors.js";
import type { Log } from "../../src/ports.js";
import { startNetworkThread } from "../../src/thread.js";
import type { NetworkThread, NetworkThreadExit, NetworkThreadOptions } from "../../src/thread.js";
import { genesisBlock } from "../../src/chain/networks.js";
import { makeKey, makeTransaction, testParams, transactionId } from "../support/chain.js";
import { nextEvent, startTestNode } from "../node/nodes.js";
import { portModule, TRAP_BLOCK, type Trap, type TrapOptions } from "./thread-ports.js";

const loopback = "127.0.0.1:0";
const consensus = portModule("createTestConsensus");
const transaction = makeTransaction(makeKey(1), 1);

/** A network in a thread on the test chain; stopped when the test ends, if it still runs. */
async function start(
  t: ExecutionContext,
  config: NetworkConfigInput = {},
  { ports, ...options }: NetworkThreadOptions = {},
): Promise<{ network: NetworkThread; exits: NetworkThreadExit[] }> {
  const exits: NetworkThreadExit[] = [];
  const network = await startNetworkThread(
    { pool: { inline: true }, ...config },
    { ports: { consensus, ...ports }, onExit: (exit) => exits.push(exit), ...options },
  );
  t.teardown(() => network.stop().catch(() => undefined));
  return { network, exits };
}

async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "vibecoin-thread-"));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

test.serial("a network in a thread answers every call of a network", async (t) => {
  const { network } = await start(t, { bindAddr: loopback, nodeId: "threaded" });
  const node = await startTestNode(t);
  const met = nextEvent(node, "PeerConnected");
  void node.connect(network.listenAddress!);
  t.is((await met).peerId, network.peerId);

  const status = await network.status();
  t.is(status.nodeId, "threaded");
  t.is(status.networkId, node.head().hash);
  t.deepEqual(await network.head(), node.head());
  t.deepEqual(await network.header(0), node.head());
  t.is(await network.header(1), undefined);
  t.deepEqual(await network.block(0), new Uint8Array(genesisBlock(testParams)));
  t.is((await network.peers())[0]?.peerId, node.peerId);
  t.true((await network.pingPeer(node.peerId))! >= 0);
  t.is(await network.pingPeer("00".repeat(32)), undefined);
  t.is(typeof (await network.kindStatistics()), "object");
  t.deepEqual(await network.bans(), []);
  t.is((await network.explainPeer(node.peerId)).peerId, node.peerId);
  t.is(await network.locateTransaction("00".repeat(32)), undefined);
  t.true((await network.figures()).some((actor) => actor.path === "/node/network/registry"));
  t.is(await network.unbanPeer(node.peerId), false);
  t.true(await network.trustPeer(node.peerId));
  t.deepEqual(await network.trustedPeers(), [{ peerId: node.peerId, by: "operator" }]);
  await t.throwsAsync(network.banPeer(node.peerId), { code: "REFUSED", message: /untrust it/ });
  t.true(await network.untrustPeer(node.peerId));
  t.deepEqual(await network.findPeers(node.peerId.slice(0, 12)), [node.peerId]);
  const { download } = await network.setLimits({ downloadBytesPerSec: 1_048_576 });
  t.is(download.bytesPerSecond, 1_048_576);
  await t.throwsAsync(network.setLimits({ uploadBytesPerSec: 1 }), { code: "CONFIG_INVALID" });
  t.like(await network.broadcastTransaction(transaction), {
    ok: true,
    id: transactionId(transaction),
  });
  t.is(transaction.length, makeTransaction(makeKey(1), 1).length, "the caller keeps its bytes");

  const left = nextEvent(node, "PeerDisconnected");
  t.is((await network.disconnectPeer(node.peerId)).connections, 1);
  t.is((await left).peerId, network.peerId);
});

test.serial("a stop says goodbye, ends the thread and is told", async (t) => {
  const { network, exits } = await start(t, { bindAddr: loopback });
  const node = await startTestNode(t);
  const met = nextEvent(node, "PeerConnected");
  void node.connect(network.listenAddress!);
  await met;

  const left = nextEvent(node, "PeerDisconnected");
  await Promise.all([network.stop(), network.stop()]);
  t.regex((await left).reason, /Shutdown/);
  t.deepEqual(exits, [{ code: 0 }]);
  await t.notThrowsAsync(network.stopped);
  await t.throwsAsync(network.status(), { instanceOf: CodedError, code: "STOPPED" });
  t.throws(() => network.subscribe(["PeerConnected"], () => undefined), { code: "STOPPED" });
});

test.serial("a start that fails rejects with the coded error of the network", async (t) => {
  const { network } = await start(t, { bindAddr: loopback });
  const exits: NetworkThreadExit[] = [];
  const startBad = (config: NetworkConfigInput) =>
    startNetworkThread(config, { onExit: (exit) => exits.push(exit) });
  const bad = { nodeId: 1 } as unknown as NetworkConfigInput;
  const invalid = await t.throwsAsync(startBad(bad), { instanceOf: CodedError });
  t.is(invalid.code, "CONFIG_INVALID");
  t.regex(invalid.message, /nodeId/);
  await t.throwsAsync(startBad({ bindAddr: "smoke://signal" }), { code: "ADDRESS_INVALID" });
  await t.throwsAsync(startBad({ bindAddr: network.listenAddress }), { code: "ADDRESS_IN_USE" });
  t.deepEqual(exits, [], "nothing that had started has ended");
});

test.serial("a call that fails rejects with the coded error of the network", async (t) => {
  const { network } = await start(t);
  const error = await t.throwsAsync(network.connect("not an address"), { instanceOf: CodedError });
  t.is(error.code, "ADDRESS_INVALID");
  t.regex(error.stack!, /address/, "the stack is that of the thread");
  const uncloneable = (() => undefined) as unknown as string;
  await t.throwsAsync(network.pingPeer(uncloneable), { any: true, name: "DataCloneError" });
  t.is((await network.status()).height, 0);
});

test.serial("a module that makes no port is named in one sentence", async (t) => {
  const cases = [
    [{ moduleUrl: "file:///no/such.js", exportName: "x" }, /cannot be imported: /],
    [portModule("missing"), /is not an exported function$/],
    [portModule("notAFunction"), /is not an exported function$/],
    [portModule("createNoStore"), /refuses its options: there is no disk$/],
  ] as const;
  for (const [blockStore, sentence] of cases) {
    const starting = startNetworkThread({}, { ports: { consensus, blockStore } });
    const error = await t.throwsAsync(starting, { code: "CONFIG_INVALID" });
    t.true(error.message.startsWith(`the blockStore "${blockStore.exportName}" of `));
    t.regex(error.message, sentence);
  }
});

test.serial("the thread closes the ports it made", async (t) => {
  const file = path.join(await temporaryDirectory(t), "peers");
  const peerStore = portModule("createClosingPeerStore", file);
  const { network } = await start(t, {}, { ports: { peerStore } });
  t.false(existsSync(file));
  await network.stop();
  t.true(existsSync(file));

  await rm(file);
  await t.throwsAsync(start(t, { bindAddr: "smoke://x" }, { ports: { peerStore } }));
  t.true(existsSync(file), "also when the start fails");
});

test.serial("events arrive in order, until their subscription ends", async (t) => {
  const { network } = await start(t);
  const seen: string[] = [];
  const accepted = Array.from({ length: 40 }, (_, i) => makeTransaction(makeKey(i), 1));
  const half = new Promise<void>((resolve) => {
    const end = network.subscribe(["TransactionAccepted"], ({ id }) => {
      seen.push(id);
      if (seen.length < 20) return;
      end();
      end();
      resolve();
    });
  });
  let count = 0;
  const all = new Promise<void>((resolve) => {
    network.subscribe(["TransactionAccepted", "PeerConnected"], ({ type }) => {
      t.is(type, "TransactionAccepted");
      if (++count === accepted.length) resolve();
    });
  });
  // No waiting in between: the subscriptions were there before the calls.
  for (const bytes of accepted) t.true((await network.broadcastTransaction(bytes)).ok);
  await Promise.all([half, all]);
  t.deepEqual(seen, accepted.slice(0, 20).map(transactionId));
  t.is(network.missed, 0);
});

test.serial("a subscriber that throws ends its own subscription alone", async (t) => {
  const { network } = await start(t);
  const warned = once(process, "warning");
  let calls = 0;
  network.subscribe(["TransactionAccepted"], () => {
    calls++;
    throw new Error("a careless subscriber");
  });
  const second = new Promise<void>((resolve) => {
    let count = 0;
    network.subscribe(["TransactionAccepted"], () => ++count === 2 && resolve());
  });
  for (const nonce of [1, 2]) {
    await network.broadcastTransaction(makeTransaction(makeKey(1), nonce));
  }
  await second;
  t.is(calls, 1);
  const [warning] = (await warned) as [Error];
  t.regex(warning.message, /careless/);
});

test.serial(
  "what the functions of a host reject with, or throw at the end, ends nothing",
  async (t) => {
    const warnings: string[] = [];
    const onWarning = ({ message }: Error): void => void warnings.push(message);
    process.on("warning", onWarning);
    t.teardown(() => process.off("warning", onWarning));
    const log: Log = { write: () => Promise.reject(new Error("a late log")) as never };
    const onExit = (): void => {
      throw new Error("a careless end");
    };
    const network = await startNetworkThread({ bindAddr: loopback }, { log, onExit });
    let calls = 0;
    network.subscribe(["TransactionAccepted"], () => {
      calls++;
      return Promise.reject(new Error("a late subscriber")) as never;
    });
    for (const nonce of [1, 2]) {
      const heard = new Promise((resolve) => network.subscribe(["TransactionAccepted"], resolve));
      await network.broadcastTransaction(makeTransaction(makeKey(1), nonce));
      await heard;
    }
    t.is(calls, 1);
    await network.stop();
    await new Promise((resolve) => setImmediate(resolve));
    for (const what of ["a late log", "a late subscriber", "a careless end"]) {
      t.true(
        warnings.some((warning) => warning.includes(what)),
        what,
      );
    }
  },
);

test.serial(
  "log lines come to the log of the owner, the last ones before the stop is over",
  async (t) => {
    const lines: Parameters<Log["write"]>[] = [];
    const log: Log = { write: (...line) => void lines.push(line) };
    const { network } = await start(t, { bindAddr: loopback }, { log });
    const node = await startTestNode(t);
    const met = nextEvent(node, "PeerConnected");
    void node.connect(network.listenAddress!);
    await met;
    await network.stop();
    const [level, , fields] = lines.find(([, event]) => event === "peer connected")!;
    t.is(level, "info");
    t.is(fields?.["peerId"], node.peerId);
  },
);

/** The warning that a log threw. */
function logFailed(): Promise<Error> {
  return new Promise((resolve) => {
    process.on("warning", (warning) => {
      if (warning.name === "LogFailed") resolve(warning);
    });
  });
}

test.serial("a log of the owner that throws loses its lines and harms nobody", async (t) => {
  const warned = logFailed();
  let lines = 0;
  const log: Log = {
    write() {
      lines++;
      throw new Error("careless");
    },
  };
  const { network } = await start(t, { bindAddr: loopback }, { log });
  const node = await startTestNode(t);
  const met = nextEvent(node, "PeerConnected");
  void node.connect(network.listenAddress!);
  await met;
  t.regex((await warned).message, /log of the network failed: careless/);
  t.is((await network.peers()).length, 1);
  await network.stop();
  t.true(lines > 1);
});

interface Trapped {
  readonly network: NetworkThread;
  readonly exits: readonly NetworkThreadExit[];
  /** Makes a call that runs into the trap, and resolves when it has. */
  readonly spring: () => Promise<{ readonly call: Promise<unknown> }>;
}

async function startTrapped(
  t: ExecutionContext,
  trap: Trap,
  config: NetworkConfigInput = {},
  options: NetworkThreadOptions = {},
): Promise<Trapped> {
  const channel = t.title;
  const mempool = portModule("createTrapMempool", { trap, channel } satisfies TrapOptions);
  const started = await start(t, config, { ports: { mempool }, ...options });
  const spring: Trapped["spring"] = async () => {
    const sprung = new BroadcastChannel(channel);
    const call = started.network.broadcastTransaction(transaction);
    call.catch(() => undefined);
    await new Promise((resolve) => (sprung.onmessage = resolve));
    sprung.close();
    return { call };
  };
  return { ...started, spring };
}

test.serial("a thread that dies rejects what is pending and is told", async (t) => {
  const { network, exits, spring } = await startTrapped(t, "exit");
  const { call } = await spring();
  const error = await t.throwsAsync(call, { instanceOf: CodedError, code: "STOPPED" });
  t.is(error.message, "the network's thread ended with code 7");
  t.is(await t.throwsAsync(network.stopped), error);
  t.deepEqual(exits, [{ code: 7, error }]);
  await t.throwsAsync(network.status(), { code: "STOPPED" });
  t.throws(() => network.subscribe(["PeerConnected"], () => undefined), { code: "STOPPED" });
  await t.notThrowsAsync(network.stop(), "there is nothing left to stop");
});

test.serial("a thread that throws is told with its error", async (t) => {
  const { network, exits, spring } = await startTrapped(t, "throw");
  await spring();
  const error = await t.throwsAsync(network.stopped, { code: "STOPPED" });
  t.is(error.message, "the network's thread ended by an error: Error: the mempool came to grief");
  t.is(exits[0]?.error, error);
});

test.serial("a network that gives up ends its thread and says why", async (t) => {
  const ports = { blockStore: portModule("createTrapBlockStore") };
  const { network, exits } = await start(t, {}, { ports });
  await network.header(TRAP_BLOCK);
  await t.throwsAsync(network.status());
  const error = await t.throwsAsync(network.stopped, { code: "STOPPED", message: /gave up after/ });
  t.is(exits[0]?.error, error);
  t.is(exits[0]?.code, 1);
});

test.serial("a thread that hangs is ended by force when its stop takes too long", async (t) => {
  const { network, exits, spring } = await startTrapped(t, "hang", {}, { stopTimeoutMs: 200 });
  const { call } = await spring();
  await t.throwsAsync(network.stop(), { code: "TIMEOUT", message: /did not stop within 200 ms/ });
  await t.throwsAsync(call, { code: "STOPPED" });
  t.is((exits[0]?.error as CodedError).code, "TIMEOUT");
});

test.serial("a call to a thread that hangs ends with the name of the method", async (t) => {
  const config = { calls: { timeoutMs: 100, threadTimeoutMs: 300 } };
  const { network, spring } = await startTrapped(t, "hang", config, { stopTimeoutMs: 200 });
  const { call } = await spring();
  const late = { instanceOf: CodedError, code: "TIMEOUT", message: /did not answer .* 300 ms/ };
  t.regex((await t.throwsAsync(network.head(), late)).message, / head /);
  t.regex((await t.throwsAsync(network.status(), late)).message, / status /);
  t.regex((await t.throwsAsync(call, late)).message, / broadcastTransaction /);
});

test.serial("a thread that hangs while it starts is ended and said to", async (t) => {
  const ports = { consensus, mempool: portModule("createNothing") };
  const starting = startNetworkThread({ calls: { threadStartMs: 1_000 } }, { ports });
  await t.throwsAsync(starting, { code: "TIMEOUT", message: /did not answer start within 1000/ });
});

test.serial("from the moment it is told to stop every call says so", async (t) => {
  const { network } = await start(t);
  const stopping = network.stop();
  const id = "ab".repeat(32);
  const calls = [
    network.status(),
    network.head(),
    network.header(0),
    network.block(id),
    network.figures(),
    network.connect("127.0.0.1:1"),
    network.unbanPeer(id),
    network.setLimits({}),
  ];
  for (const call of calls) await t.throwsAsync(call, { instanceOf: CodedError, code: "STOPPED" });
  await stopping;
  await t.throwsAsync(network.block(0), { code: "STOPPED" });
});

test.serial("a data directory is free when its thread has stopped, or has died", async (t) => {
  const dataDir = await temporaryDirectory(t);
  const { network } = await start(t, { dataDir });
  await t.throwsAsync(start(t, { dataDir }), { code: "DATA_LOCKED" });
  await network.stop();

  const second = await startTrapped(t, "exit", { dataDir });
  t.is(second.network.peerId, network.peerId);
  await second.spring();
  await t.throwsAsync(second.network.stopped, { code: "STOPPED" });

  const { network: third } = await start(t, { dataDir });
  t.is(third.peerId, network.peerId);
});

test.serial(
  "events are read from a thread by their ids, and a slow host is told what it missed",
  async (t) => {
    const config = { produce: true, producer: { intervalMs: 5 } };
    const { network } = await start(t, config);
    const heights: number[] = [];
    let last = "";
    for await (const { id, event } of network.events(["BlockConnected"])) {
      if (event.type === "BlockConnected") heights.push(event.height);
      last = id;
      if (heights.length === 3) break;
    }
    for await (const { event } of network.events(["BlockConnected"], { after: last })) {
      if (event.type === "BlockConnected") heights.push(event.height);
      if (heights.length === 6) break;
    }
    t.deepEqual(
      heights,
      heights.map((_, index) => heights[0]! + index),
    );
    const page = await network.readEvents({ types: ["BlockConnected"], after: last, countMax: 1 });
    t.like(page.events[0], { event: { type: "BlockConnected", height: heights[3]! } });
    const [height, id] = await new Promise<[number, string]>((resolve) => {
      network.subscribe(["BlockConnected"], (event, eventId) => resolve([event.height, eventId]));
    });
    t.true(height > 0);
    t.regex(id, /^[0-9a-f]{16}-\d+$/);
    await t.throwsAsync(network.readEvents({ after: "none" }), { code: "ARGUMENT_INVALID" });
  },
);
