import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import test from "ava";
import { createPowConsensus } from "../src/chain/consensus.js";
import { genesisOf, networkParams, startNode } from "../src/compose.js";
import { isCoded } from "../src/errors.js";
import { startNetwork, type Network, type NodeStatus } from "../src/index.js";
import type { BlockStore, Log, PeerStore } from "../src/ports.js";
import { openMemoryStores } from "../src/storage/memory-stores.js";

const inline = { pool: { inline: true } } as const;
const genesis = genesisOf(createPowConsensus(networkParams("vibecoin-dev")));

test("a network that is stopped says so", async (t) => {
  const network = await startNetwork(inline);
  await network.stop();
  await t.notThrowsAsync(network.stopped);
  await t.throwsAsync(network.status(), { code: "STOPPED" });
});

test("an id of another form is refused, and not taken for one that nobody knows", async (t) => {
  const network = await startNetwork(inline);
  t.teardown(() => network.stop());
  for (const id of ["zz", "", "0x".padEnd(66, "a"), "AB".repeat(32), 7, undefined] as string[]) {
    const refused = { code: "ID_INVALID", message: /^The .* must be 64 lower-case hex characters/ };
    await t.throwsAsync(network.explainPeer(id), refused);
    await t.throwsAsync(network.pingPeer(id), refused);
    await t.throwsAsync(network.locateTransaction(id), refused);
    t.throws(() => network.unbanPeer(id), refused);
    t.throws(() => network.disconnectPeer(id), refused);
    if (typeof id === "number") continue;
    t.throws(() => network.block(id), refused);
    t.throws(() => network.header(id), refused);
  }
});

/** The warning that a log threw. */
function logFailed(): Promise<Error> {
  return new Promise((resolve) => {
    process.on("warning", (warning) => {
      if (warning.name === "LogFailed") resolve(warning);
    });
  });
}

test.serial("a log that throws loses its lines and harms nobody", async (t) => {
  const warned = logFailed();
  const log: Log = {
    write() {
      throw new Error("the host's disk is full");
    },
  };
  const network = await startNode({ ...inline, bindAddr: "tcp://127.0.0.1:0" }, { log });
  const peer = await startNetwork({ ...inline, seedPeers: [network.listenAddress!] });
  t.teardown(() => Promise.all([network.stop(), peer.stop()]));
  await new Promise((resolve) => network.subscribe(["PeerConnected"], resolve));
  t.is((await network.status()).peers.length, 1);
  t.deepEqual(
    network.figures().filter(({ faults }) => faults > 0),
    [],
  );
  t.regex((await warned).message, /log of the network failed: the host's disk is full/);
});

/** A store whose `head` throws while `isSprung` says so, and then no actor can start. */
function trapStore(isSprung: () => boolean): BlockStore {
  const { blocks } = openMemoryStores({ genesis });
  const head = blocks.head.bind(blocks);
  blocks.head = () => {
    if (isSprung()) throw new Error("planned");
    return head();
  };
  return blocks;
}

test("a network whose root gives up tells its host and leaves nothing open", async (t) => {
  let sprung = false;
  const network = await startNode(inline, { blockStore: trapStore(() => sprung) });
  sprung = true;
  await t.throwsAsync(network.status());
  await t.throwsAsync(network.stopped, { code: "STOPPED", message: /gave up after repeated/ });
  await t.throwsAsync(network.status(), { code: "STOPPED", message: /stopped: .*gave up after/ });
  await t.notThrowsAsync(network.stop());
});

test("a network whose store fails ends at once, says why and leaves nothing open", async (t) => {
  const stores = openMemoryStores({ genesis });
  const input = { ...inline, produce: true, producer: { intervalMs: 1 } };
  const network = await startNode(input, { blockStore: stores.blocks });
  const announced = new Promise((resolve) => network.subscribe(["BlockConnected"], resolve));
  await announced;
  stores.fail();
  await t.throwsAsync(network.stopped, { code: "STORE_FAILED", message: /told to fail/ });
  const error = await t.throwsAsync(network.status(), { code: "STOPPED", message: /told to fail/ });
  t.is((error?.cause as { code?: string } | undefined)?.code, "STORE_FAILED");
});

test("a network whose actors cannot start is refused after some attempts", async (t) => {
  let attempts = 0;
  const log: Log = {
    write(_level, event, fields) {
      if (event === "an actor failed" && fields?.["path"] === "/node/network") attempts++;
    },
  };
  const blockStore = trapStore(() => true);
  const start = startNode({ ...inline, bindAddr: "127.0.0.1:0" }, { blockStore, log });
  await t.throwsAsync(start, { code: "STOPPED", message: /gave up after repeated/ });
  t.is(attempts, 4);
});

for (const failing of ["throws", "rejects", "answers nonsense"] as const) {
  test(`a peer store that ${failing} costs lines of the log and nothing else`, async (t) => {
    const peerId = "ab".repeat(32);
    const ban = { untilWallMs: Number.MAX_SAFE_INTEGER, reason: "test", count: 1 };
    const fail = (): Promise<void> => {
      if (failing === "throws") throw new Error("planned");
      if (failing === "rejects") return Promise.reject(new Error("planned"));
      return 7 as unknown as Promise<void>;
    };
    const nonsense = [null, 7, { peerId: 7 }, { peerId, ban: { count: -1 }, endpoints: [{}, 7] }];
    const peerStore: PeerStore = {
      records: () => (failing === "answers nonsense" ? (nonsense as never) : [{ peerId, ban }]),
      put: fail,
      delete: fail,
      close: async () => undefined,
    };
    const lines: unknown[] = [];
    const log: Log = { write: (level, event, fields) => lines.push({ level, event, ...fields }) };
    const listening = { ...inline, bindAddr: "127.0.0.1:0" };
    const network = await startNode(listening, { peerStore, log });
    const other = await startNode(listening);
    t.teardown(() => Promise.all([network.stop(), other.stop()]));
    t.is((await network.bans()).length, failing === "answers nonsense" ? 0 : 1);
    await network.connect(...other.listenAddresses);
    t.is(await network.unbanPeer(peerId), failing !== "answers nonsense");
    t.deepEqual(await network.bans(), []);
    t.is((await network.status()).peers.length, 1);
    t.deepEqual(
      network.figures().filter(({ faults }) => faults > 0),
      [],
    );
    const failed = lines.filter((line) => (line as { event: string }).event.includes("peer store"));
    t.is(failed.length > 0, failing !== "answers nonsense");
  });
}

test("addresses that are none are refused where they are given", async (t) => {
  await t.throwsAsync(startNetwork({ ...inline, seedPeers: ["nowhere"] }), {
    code: "ADDRESS_INVALID",
  });
  await t.throwsAsync(startNetwork({ ...inline, seedPeers: ["127.0.0.1:0"] }), {
    code: "ADDRESS_INVALID",
    message: /port 0 cannot be dialed/,
  });
  const network = await startNetwork(inline);
  t.teardown(() => network.stop());
  t.throws(() => network.connect("nowhere"), { code: "ADDRESS_INVALID" });
  t.throws(() => network.connect("127.0.0.1:0"), { code: "ADDRESS_INVALID" });
  t.is((await network.status()).peers.length, 0);
});

test("what is no bytes is refused where it is handed in", async (t) => {
  const network = await startNetwork(inline);
  for (const odd of ["00ff", undefined] as unknown as Uint8Array[]) {
    const message = /as a Uint8Array/;
    await t.throwsAsync(network.broadcastTransaction(odd), { instanceOf: TypeError, message });
    t.throws(() => network.broadcastBlock(odd), { instanceOf: TypeError, message });
  }
  t.is((await network.status()).height, 0);
  await network.stop();
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

test("after the stop every method says that the network has stopped", async (t) => {
  const network = await startNetwork(inline);
  const stopping = network.stop();
  t.throws(() => network.head(), { code: "STOPPED" }, "from the moment it is told to");
  await stopping;
  await network.stop();
  const id = "ab".repeat(32);
  const questions = [
    network.status(),
    network.peers(),
    network.kindStatistics(),
    network.bans(),
    network.explainPeer(id),
    network.pingPeer(id),
    network.broadcastTransaction(new Uint8Array(1)),
    network.locateTransaction(id),
  ];
  for (const question of questions) await t.throwsAsync(question, { code: "STOPPED" });
  const commands = [
    () => network.unbanPeer(id),
    () => network.setLimits({}),
    () => network.disconnectPeer(id),
    () => network.connect("127.0.0.1:1"),
    () => network.broadcastBlock(new Uint8Array(1)),
    () => network.subscribe(["PeerConnected"], () => undefined),
    () => network.head(),
    () => network.header(0),
    () => network.header(id),
    () => network.block(0),
    () => network.block(id),
    () => network.figures(),
  ];
  for (const command of commands) t.throws(command, { code: "STOPPED" });
});

test("limits change while the network runs, and what is no limit changes nothing", async (t) => {
  const network = await startNetwork({ ...inline, limits: { uploadBytesPerSec: 65_536 } });
  t.teardown(() => network.stop());
  const upload = { bytesPerSecond: 65_536, peerBytesPerSecond: 0, heldPeers: 0 };
  t.like((await network.status()).limits.upload, upload);
  const changed = network.setLimits({ uploadBytesPerSec: 0, peerDownloadBytesPerSec: 131_072 });
  t.like(changed.upload, { ...upload, bytesPerSecond: 0 });
  t.like(changed.download, { bytesPerSecond: 0, peerBytesPerSecond: 131_072 });
  t.deepEqual((await network.status()).limits, changed);
  const refused: readonly (readonly [unknown, string])[] = [
    [{ uploadBytesPerSec: 1 }, "limits.uploadBytesPerSec must be 0 or at least 65536"],
    [{ uploadBytesPerSec: -1 }, "limits.uploadBytesPerSec: must be a whole number"],
    [{ uploadBytesPerSec: 1e6 + 0.5 }, "limits.uploadBytesPerSec: must be a whole number"],
    [{ historyBytesPerDay: "all" }, "limits.historyBytesPerDay: must be a whole number"],
    [{ upload: 1 }, 'limits: there is no setting "upload"'],
    [7, "limits: must be an object of settings"],
    [null, "limits: must be an object of settings"],
  ];
  for (const [limits, why] of refused) {
    const error = t.throws(() => network.setLimits(limits as object), { code: "CONFIG_INVALID" });
    t.true(error.message.includes(why), error.message);
  }
  t.deepEqual((await network.status()).limits, changed);
});

test("a subscription that is none is refused at the call, and the network goes on", async (t) => {
  const network = await startNetwork(inline);
  t.teardown(() => network.stop());
  for (const [types, onEvent] of [[() => 0], [["PeerConnected"]], ["PeerConnected", () => 0]]) {
    t.throws(() => network.subscribe(types as never, onEvent as never), { instanceOf: TypeError });
  }
  t.is(network.head().height, 0);
  t.is((await network.status()).height, 0);
});

test("a subscriber that throws is reported, and the others go on", async (t) => {
  const lines: unknown[] = [];
  const log: Log = { write: (_level, ...line) => void lines.push(line) };
  const network = await startNode(
    { ...inline, produce: true, producer: { intervalMs: 1 } },
    { log },
  );
  t.teardown(() => network.stop());
  const warned = once(process, "warning");
  network.subscribe(["BlockConnected"], () => {
    throw new Error("a careless subscriber");
  });
  const [warning] = (await warned) as [Error];
  t.regex(warning.message, /a subscriber of the network failed: .*careless/);
  t.regex(JSON.stringify(lines), /careless/);
  await new Promise((resolve) => network.subscribe(["BlockConnected"], resolve));
  t.is(network.missed, 0);
});

test("a subscriber whose promise rejects is reported and not called again", async (t) => {
  const network = await startNode({ ...inline, produce: true, producer: { intervalMs: 1 } });
  t.teardown(() => network.stop());
  const warned = new Promise<Error>((resolve) => {
    const onWarning = (warning: Error): void => {
      if (!warning.message.includes("a late")) return;
      process.off("warning", onWarning);
      resolve(warning);
    };
    process.on("warning", onWarning);
  });
  let calls = 0;
  network.subscribe(["BlockConnected"], () => {
    calls++;
    return Promise.reject(new Error("a late subscriber")) as never;
  });
  t.regex((await warned).message, /a subscriber of the network failed: .*a late subscriber/);
  const before = calls;
  for (let i = 0; i < 2; i++) {
    await new Promise<void>((resolve) => {
      const end = network.subscribe(["BlockConnected"], () => {
        end();
        resolve();
      });
    });
  }
  t.is(calls, before);
});

test("two networks on loopback answer every question of their hosts", async (t) => {
  const one = await startNetwork({ ...inline, bindAddr: "127.0.0.1:0", nodeId: "one" });
  t.teardown(() => one.stop());
  const two = await startNetwork({ ...inline, nodeId: "two" });
  t.teardown(() => two.stop());
  const met = new Promise<string>((resolve) =>
    one.subscribe(["PeerConnected"], ({ nodeId }) => resolve(nodeId)),
  );
  void two.connect(one.listenAddress!);
  t.is(await met, "two");
  const ready = new Promise((resolve) => two.subscribe(["PeerConnected"], resolve));
  if ((await two.peers()).length === 0) await ready;

  const [peer] = await two.peers();
  t.like(peer, { peerId: one.peerId, nodeId: "one", direction: "outbound" });
  t.true((await two.pingPeer(one.peerId))! >= 0);
  t.is(await two.pingPeer("ab".repeat(32)), undefined);
  const { peers } = await two.status();
  t.like(peers[0], { id: one.peerId, nodeId: "one", claimedHeight: "0" });
  t.is((await two.explainPeer(one.peerId)).class, "good");
  t.deepEqual(await two.bans(), []);
  t.like(await two.kindStatistics(), { NewBlock: { messages: 0, bytes: 0 } });

  const outcome = await two.broadcastTransaction(new Uint8Array([1, 2, 3]));
  t.like(outcome, { ok: false });
  t.is(two.header(0)?.hash, two.head().hash);
  t.is(two.header(1), undefined);
  t.deepEqual(two.block(0), two.block(two.head().hash));
  t.is(two.block("ab".repeat(32)), undefined);
  t.is(await two.locateTransaction("ab".repeat(32)), undefined);
  t.true(two.figures().some(({ path }) => path === "/node/network/registry"));

  const left = new Promise<string>((resolve) =>
    one.subscribe(["PeerDisconnected"], ({ peerId }) => resolve(peerId)),
  );
  t.is((await two.disconnectPeer(one.peerId)).connections, 1);
  t.is(await left, two.peerId);
});

/** Its status, once it has caught up with what it was told before. */
async function answering(network: Network): Promise<NodeStatus> {
  for (;;) {
    const status = await network.status().catch((error: unknown) => {
      if (!isCoded(error, "QUEUE_FULL")) throw error;
    });
    if (status !== undefined) return status;
    await nextTurn();
  }
}

test("whatever a host calls 10,000 times at once ends, and no actor faults", async (t) => {
  const faults: unknown[] = [];
  const log: Log = {
    write: (_level, event, fields) => event === "an actor failed" && faults.push(fields),
  };
  const network = await startNode({ ...inline, bindAddr: "127.0.0.1:0" }, { log });
  t.teardown(() => network.stop());
  const id = "ab".repeat(32);
  const block = genesis.bytes;
  const calls: Readonly<Record<string, () => unknown>> = {
    status: () => network.status(),
    peers: () => network.peers(),
    kindStatistics: () => network.kindStatistics(),
    traffic: () => network.traffic(),
    bans: () => network.bans(),
    explainPeer: () => network.explainPeer(id),
    banPeer: () => network.banPeer(id),
    unbanPeer: () => network.unbanPeer(id),
    trustPeer: () => network.trustPeer(id),
    untrustPeer: () => network.untrustPeer(id),
    setLimits: () => network.setLimits({ uploadBytesPerSec: 1_048_576 }),
    disconnectPeer: () => network.disconnectPeer(id),
    trustedPeers: () => network.trustedPeers(),
    findPeers: () => network.findPeers("ab"),
    pingPeer: () => network.pingPeer(id),
    connect: () => network.connect("127.0.0.1:1"),
    broadcastTransaction: () => network.broadcastTransaction(new Uint8Array(200)),
    broadcastBlock: () => network.broadcastBlock(block),
    head: () => network.head(),
    block: () => network.block(0),
    header: () => network.header(0),
    locateTransaction: () => network.locateTransaction(id),
    subscribe: () => network.subscribe(["BlockConnected"], () => undefined)(),
  };
  const refusals = ["QUEUE_FULL", "TIMEOUT", "DIAL_FAILED"];
  for (const [name, call] of Object.entries(calls)) {
    const answers = await Promise.allSettled(Array.from({ length: 10_000 }, async () => call()));
    const codes = new Map<string, number>();
    for (const answer of answers) {
      if (answer.status === "fulfilled") continue;
      const { code } = answer.reason as { code: string };
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    t.log(name, [...codes]);
    for (const code of codes.keys()) t.true(refusals.includes(code), `${name}: ${code}`);
    t.deepEqual(faults, [], name);
    t.is((await answering(network)).height, 0, name);
  }
});
