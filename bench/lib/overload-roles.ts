// The processes around a node that gets more transactions than it can check: the node, the flood, and
// a block's way through it, from a peer on one side to a peer on the other.

import { startNode } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import { invariant } from "../../src/errors.js";
import { blockOn, GENESIS, payment, type DrillBlock } from "../../src/drill/drill-chain.js";
import { percentiles } from "../../src/drill/measure/percentiles.js";
import { Pinger, type PingLatency } from "../../src/drill/measure/pinger.js";
import type { Network } from "../../src/network.js";
import { handshakeInfo, identityOf, RawPeer } from "../../test/support/raw-peer.js";
import { serveParent, serveRole } from "./child.js";

/** Of pushed transactions, since the node began to listen; `dropPart` of about the last second. */
export interface Pushed {
  readonly received: number;
  readonly handedOn: number;
  readonly dropped: number;
  readonly dropPart: number;
  readonly open: number;
}
export type NodeMethods = {
  listen(task: { trusted: readonly string[] }): Promise<{
    address: string;
    pid: number;
    memoryBudgetMiB: number;
  }>;
  pushed(): Promise<Pushed>;
};
export interface Relayed {
  readonly sent: number;
  readonly arrived: number;
  /** From when a block was handed in on one side to when it was connected on the other. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly pings: PingLatency;
}
export type EndsMethods = {
  /** Connects a peer on each side. */
  join(task: { address: string }): Promise<void>;
  /** Blocks, one each so often, and pings, until `finish`. */
  begin(task: { blockEveryMs: number }): void;
  finish(): Promise<Relayed>;
};
export type FloodMethods = {
  /** Their ids, which the node is to trust: who is trusted is not banned for what it sends. */
  ids(task: { peers: number }): readonly string[];
  join(task: { address: string; networkId: string }): Promise<void>;
  /** Sends at this rate for so long; answers how many were written. */
  flood(task: { perSecond: number; seconds: number }): Promise<{ sent: number }>;
};

const ANY_RATE = 4_000_000_000;
const CONFIG: NetworkConfigInput = {
  bindAddr: "tcp://127.0.0.1:0",
  dial: { onlyConfigured: true },
  // What one peer may send is not what is measured.
  receive: { transactionsPerSecond: ANY_RATE, transactionsBurst: ANY_RATE },
};

function node(): void {
  let network: Network | undefined;
  const methods: NodeMethods = {
    async listen({ trusted }) {
      network = await startNode({ ...CONFIG, trustedPeers: trusted });
      const { memory } = await network.status();
      const memoryBudgetMiB = memory.budgetBytes / 1_024 ** 2;
      return { address: network.listenAddress!, pid: process.pid, memoryBudgetMiB };
    },
    async pushed() {
      invariant(network !== undefined, "it listens");
      const [kinds, traffic] = await Promise.all([network.kindStatistics(), network.traffic()]);
      const figures = kinds.NewTransaction!;
      return {
        received: traffic["NewTransaction"]!.received.messages,
        handedOn: figures.messages,
        dropped: figures.dropped.overload,
        dropPart: figures.dropPart,
        open: figures.open,
      };
    },
  };
  serveParent(methods, () => network?.stop());
}

function ends(): void {
  const networks: Network[] = [];
  let parent = GENESIS;
  let timer: NodeJS.Timeout | undefined;
  let pinger: Pinger | undefined;
  const sentAtMs = new Map<string, number>();
  const latenciesMs: number[] = [];
  const connect = async (address: string): Promise<{ network: Network; peerId: string }> => {
    const options = { seedPeers: [address], maxOutbound: 1, pool: { inline: true } };
    const network = await startNode({ ...options, dial: { onlyConfigured: true } });
    networks.push(network);
    const peerId = await new Promise<string>((resolve) => {
      network.subscribe(["PeerConnected"], (event) => resolve(event.peerId));
    });
    return { network, peerId };
  };
  let source: Awaited<ReturnType<typeof connect>>;
  const methods: EndsMethods = {
    async join({ address }) {
      source = await connect(address);
      const { network: sink } = await connect(address);
      sink.subscribe(["BlockConnected"], ({ hash }) => {
        const sent = sentAtMs.get(hash);
        if (sent !== undefined) latenciesMs.push(performance.now() - sent);
      });
    },
    begin({ blockEveryMs }) {
      sentAtMs.clear();
      latenciesMs.length = 0;
      pinger = new Pinger(source.network, source.peerId);
      timer = setInterval(() => {
        const block: DrillBlock = blockOn(parent);
        parent = block.header;
        sentAtMs.set(block.header.hash, performance.now());
        source.network.broadcastBlock(block.bytes);
      }, blockEveryMs);
    },
    async finish() {
      clearInterval(timer);
      // The last ones are on their way.
      for (let i = 0; i < 200 && latenciesMs.length < sentAtMs.size; i++) await sleep(50);
      const pings = await pinger!.stop();
      const [p50Ms, p99Ms] = percentiles(latenciesMs, [0.5, 0.99]);
      return {
        sent: sentAtMs.size,
        arrived: latenciesMs.length,
        p50Ms: p50Ms!,
        p99Ms: p99Ms!,
        pings,
      };
    },
  };
  serveParent(methods, () => Promise.all(networks.map((network) => network.stop())));
}

const TICK_MS = 5;

function flood(): void {
  const peers: RawPeer[] = [];
  let identities: ReturnType<typeof identityOf>[] = [];
  const template = payment("overload", 1, 100);
  let number = 0;
  /** Another id each, and a signature that does not fit: a check like any other. */
  const forged = (): Uint8Array => {
    const transaction = template.slice();
    new DataView(transaction.buffer).setUint32(transaction.length - 8, number++);
    return transaction;
  };
  const methods: FloodMethods = {
    ids({ peers: count }) {
      identities = Array.from({ length: count }, (_, index) => identityOf(5_000 + index));
      return identities.map(({ peerId }) => peerId);
    },
    async join({ address, networkId }) {
      for (const identity of identities) {
        const peer = await RawPeer.connect({ address, identity, keeps: () => false });
        peer.send(handshakeInfo(networkId));
        peers.push(peer);
        await peer.ping();
      }
    },
    async flood({ perSecond, seconds }) {
      const startMs = performance.now();
      const total = perSecond * seconds;
      let sent = 0;
      while (performance.now() - startMs < seconds * 1_000) {
        const due = Math.min(total, ((performance.now() - startMs) * perSecond) / 1_000);
        // What it fell behind by more than a moment it does not make up for.
        sent = Math.max(sent, due - perSecond / 20);
        for (; sent < due; sent++) {
          peers[number % peers.length]!.send({ kind: "NewTransaction", transaction: forged() });
        }
        await sleep(TICK_MS);
      }
      return { sent: number };
    },
  };
  serveParent(methods, () => peers.forEach((peer) => peer.destroy()));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

serveRole({ node, ends, flood });
