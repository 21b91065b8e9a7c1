// Branches that a node has to follow, over real connections: long ones, deep ones, with large
// headers, from servers that give few at a time; and those that it must not.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import type { LogLevel } from "../../src/ports.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { checkedBlocks, connectAll } from "../actors/support.js";
import { claimOf, honestAnswer } from "../actors/sync/sync-bench.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  type MadeBlock,
  type MakeBlockOptions,
} from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, offer, reaches, startTestNode } from "./nodes.js";

const BIND = "tcp://127.0.0.1:0";
const NETWORK_ID = genesisOf(consensus).header.hash;

interface LogLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A node whose canonical chain is this one, with its state. */
async function nodeOf(
  t: ExecutionContext,
  chain: readonly MadeBlock[],
  config: NetworkConfigInput = {},
): Promise<{ node: Network; log: LogLine[] }> {
  const { blocks: blockStore } = openMemoryStores({ genesis: genesisOf(consensus) });
  connectAll(blockStore, checkedBlocks(chain));
  const log: LogLine[] = [];
  const write = (level: LogLevel, event: string, fields = {}): void => {
    log.push({ level, event, fields });
  };
  const own = { blockStore, log: { write } };
  return { node: await startTestNode(t, { bindAddr: BIND, ...config }, own), log };
}

/** Blocks that no other chain of this file has; `mark` tells them apart. */
function branch(mark: number, count: number, options: MakeBlockOptions = {}): MadeBlock[] {
  return makeChain(count, {
    ...options,
    fields: { extra: Uint8Array.of(mark), ...options.fields },
  });
}

const tipOf = (chain: readonly MadeBlock[]) => chain.at(-1)!.header;

/** Difficulties that rise by one a block: heavier than as many usual ones. */
function steep(count: number): MadeBlock[] {
  const chain: MadeBlock[] = [];
  for (let i = 0; i < count; i++) {
    const parent = chain.at(-1)?.header ?? genesisOf(consensus).header;
    chain.push(...makeChain(1, { parent, fields: { timestampMs: parent.timestampMs + 1 } }));
  }
  return chain;
}

/** A peer that serves a chain, whatever it claims, and counts what it is asked for. */
class Server {
  readonly raw: RawPeer;
  chain: readonly MadeBlock[];
  /** The kinds of the requests that came. */
  readonly asked: string[] = [];
  /** What it leaves unanswered. */
  readonly ignores: ReadonlySet<string>;
  #read = 0;

  constructor(raw: RawPeer, chain: readonly MadeBlock[], ignores: readonly string[]) {
    this.raw = raw;
    this.chain = chain;
    this.ignores = new Set(ignores);
    raw.socket.on("data", () => this.#answer());
  }

  static async join(
    t: ExecutionContext,
    node: Network,
    options: {
      readonly id: number;
      readonly chain: readonly MadeBlock[];
      readonly claim?: bigint;
      readonly ignores?: readonly string[];
    },
  ): Promise<Server> {
    const { id, chain, claim, ignores = [] } = options;
    const raw = await RawPeer.connect({ address: node.listenAddress!, identity: identityOf(id) });
    t.teardown(() => raw.destroy());
    const server = new Server(raw, chain, ignores);
    const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === raw.peerId);
    raw.send(handshakeInfo(NETWORK_ID, { head: claimOf(tipOf(chain), claim) }));
    await ready;
    return server;
  }

  #answer(): void {
    for (; this.#read < this.raw.received.length; this.#read++) {
      const message = this.raw.received[this.#read]!;
      const requestId = this.raw.requestIds[this.#read]!;
      if (message.kind !== "RequestHeaders" && message.kind !== "RequestBlockRange") continue;
      this.asked.push(message.kind);
      if (this.ignores.has(message.kind)) continue;
      const answer = honestAnswer(this.chain, message);
      if (typeof answer === "string") {
        this.raw.send({ kind: "RequestRefused", reason: "NotFound" }, requestId);
      } else this.raw.send(answer, requestId);
    }
  }
}

// ---- headers until there are no more ---------------------------------------------------------

test("a heavier branch of 300 blocks with 1 KiB of extra each is adopted", async (t) => {
  const extra = new Uint8Array(1_024).fill(7);
  const heavy = makeChain(300, { fields: { extra } });
  const { node: server } = await nodeOf(t, heavy);
  const { node } = await nodeOf(t, branch(1, 280));
  void node.connect(server.listenAddress!);
  await reaches(node, tipOf(heavy).hash);
  t.is(node.head().height, 300);
});

test("a heavier branch is adopted from a server that gives three headers at a time", async (t) => {
  const heavy = branch(2, 90);
  const { node: server } = await nodeOf(t, heavy, { serve: { bytesSoftMax: 500 } });
  const { node } = await nodeOf(t, branch(1, 80));
  void node.connect(server.listenAddress!);
  await reaches(node, tipOf(heavy).hash);
  t.is(node.head().height, 90);
});

// ---- where the chains part -------------------------------------------------------------------

const deep = branch(1, 1_040);

for (const depth of [600, 900, 1_020]) {
  test(`a heavier branch that forks ${depth} blocks deep is followed`, async (t) => {
    t.timeout(60_000);
    const trunk = deep.slice(0, deep.length - depth);
    const heavy = [...trunk, ...branch(depth & 255, depth + 1, { parent: tipOf(trunk) })];
    const { node: server } = await nodeOf(t, heavy);
    const { node } = await nodeOf(t, deep);
    void node.connect(server.listenAddress!);
    await reaches(node, tipOf(heavy).hash);
    t.is(node.head().height, 1_041);
  });
}

test("a branch that forks deeper than the limit is not followed, and the log says so", async (t) => {
  const ours = deep.slice(0, 300);
  const heavy = [...ours.slice(0, 150), ...branch(2, 160, { parent: ours[149]!.header })];
  const { node: server } = await nodeOf(t, heavy);
  const { node, log } = await nodeOf(t, ours, { chain: { reorgDepthMax: 100 } });
  const fewer = [...ours.slice(0, 200), ...branch(3, 101, { parent: ours[199]!.header })];
  const { node: other } = await nodeOf(t, fewer);
  void node.connect(server.listenAddress!);
  await nextEvent(node, "PeerConnected");
  void node.connect(other.listenAddress!);
  await reaches(node, tipOf(fewer).hash);
  const said = log.filter(({ event }) => event === "a heavier chain forks too deep to follow");
  t.is(said.length, 1);
  t.like(said[0], { level: "error", fields: { peerId: server.peerId, depthMax: 100 } });
});

// ---- no bodies without more work -------------------------------------------------------------

test("a longer branch of less work costs its liar a claim, and no block of it is asked for", async (t) => {
  const ours = steep(40);
  const lighter = branch(1, 80);
  const better = steep(45);
  const claim = 2n ** 60n;
  t.true(tipOf(lighter).totalDifficulty < tipOf(ours).totalDifficulty);
  const window = { headersPerRequest: 16, headersAheadMax: 256 };
  const sync = { ...window, headersPerSecondMin: 16, retryMs: 100 };
  // Alone, it looks at nobody's headers just to have seen some.
  const { node } = await nodeOf(t, ours, { sync, alone: true });
  const liar = await Server.join(t, node, { id: 1, chain: lighter, claim });
  const gone = nextEvent(node, "PeerDisconnected", ({ peerId }) => peerId === liar.raw.peerId);
  await liar.raw.until(() => liar.asked.length >= 6);
  t.true(liar.asked.every((kind) => kind === "RequestHeaders"));
  liar.raw.destroy();
  await gone;
  // It comes back with the same claim, which is the highest; another one is asked all the same.
  const again = await Server.join(t, node, { id: 1, chain: lighter, claim });
  await Server.join(t, node, { id: 2, chain: better });
  await reaches(node, tipOf(better).hash);
  t.deepEqual(again.asked, []);
  t.is((await node.peers()).length, 2);
});

test("a heavier branch that is longer than the window of headers is adopted", async (t) => {
  const heavy = branch(1, 130);
  const ours = steep(40);
  t.true(tipOf(heavy).totalDifficulty > tipOf(ours).totalDifficulty);
  t.true(heavy[60]!.header.totalDifficulty < tipOf(ours).totalDifficulty);
  const { node: server } = await nodeOf(t, heavy);
  const sync = { headersPerRequest: 16, headersPerSecondMin: 16, headersAheadMax: 32 };
  const { node } = await nodeOf(t, ours, { sync });
  void node.connect(server.listenAddress!);
  await reaches(node, tipOf(heavy).hash);
  t.is(node.head().height, 130);
});

// ---- what is said of a peer ------------------------------------------------------------------

test("of a peer that does not answer it is said that it does not answer", async (t) => {
  const requests = { timeoutMinMs: 100, timeoutMaxMs: 200 };
  const { node } = await nodeOf(t, [], { requests });
  const failed = nextEvent(node, "SyncFailed");
  const chain = deep.slice(0, 20);
  const ignores = ["RequestBlockRange"];
  const server = await Server.join(t, node, { id: 1, chain, ignores });
  const { peerId, reason } = await failed;
  t.is(peerId, server.raw.peerId);
  t.is(reason, "blocks 1 to 8 did not come: no answer in time");
});

test("a branch that failed by state is tried once, whatever blocks peers put on it", async (t) => {
  t.timeout(60_000);
  const twice = makeTransaction(makeKey(1), 5);
  const first = branch(1, 1, { transactions: [twice] });
  const second = makeBlock({ parent: tipOf(first), transactions: [twice] });
  const bad = [...first, second, ...branch(1, 5, { parent: second.header })];
  let trials = 0;
  const connect: typeof consensus.connect = (block, view) => {
    if (block.header.hash === bad[0]!.header.hash) trials++;
    return consensus.connect(block, view);
  };
  const own = { consensus: { ...consensus, connect } };
  const node = await startTestNode(t, { bindAddr: BIND }, own);
  await offer(node, branch(2, 6));
  await offer(node, bad.slice(0, 6));
  const refused = nextEvent(node, "BlockRejected");
  node.broadcastBlock(bad[6]!.bytes);
  t.is((await refused).rule, "nonce");
  t.is(trials, 1);
  const onTip = makeBlock({ parent: tipOf(bad) });
  const beside = branch(3, 1, { parent: bad[5]!.header })[0]!;
  for (const [number, { bytes }] of [onTip, beside].entries()) {
    const peer = await RawPeer.connect({
      address: node.listenAddress!,
      identity: identityOf(40 + number),
    });
    t.teardown(() => peer.destroy());
    peer.send(handshakeInfo(NETWORK_ID));
    await peer.message("Handshake");
    peer.send({ kind: "NewBlock", block: bytes });
    t.is((await peer.farewell())?.reason, "Banned");
  }
  t.is(trials, 1);
  t.is(node.head().height, 6);
});
