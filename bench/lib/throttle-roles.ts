// The process of the throttle bench: a server with a chain of large blocks, a node that follows it and
// four that sync from it, in a simulated world or over loopback.

import { createPowConsensus } from "../../src/chain/consensus.js";
import { generateChain } from "../../src/chain/generate.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import { defaultMempool, startNode } from "../../src/compose.js";
import { resolveConfig, type NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import { createWorld, fastSignatures, SIM_PARAMS } from "../../src/sim/index.js";
import { serveParent } from "./child.js";

export interface ThrottleTask {
  readonly wire: "simulated" | "loopback";
  readonly seed: string;
  /** Of 240 KB: what the syncing nodes lack. */
  readonly blocks: number;
  readonly seconds: number;
  /** Of the server; 0: no limit. */
  readonly uploadBytesPerSec: number;
}

export interface ThrottleFigures {
  /** Of each block: from the server's store to its follower's. */
  readonly relayMs: readonly number[];
  /** Of ranges, that each syncing node got. */
  readonly servedBytes: readonly number[];
  readonly seconds: number;
}

export type ThrottleMethods = {
  measure(task: ThrottleTask): Promise<ThrottleFigures>;
};

const SYNCING = 4;
/** Between two blocks at the tip: five peers take 0.6 MB/s of them. */
const TIP_EVERY_MS = 2_000;
/** To each peer, so that chance does not choose who gets a block first. */
const GOSSIP = { blockPushes: 8 };

/** The six nodes, wherever they run. */
interface Stage {
  readonly server: Network;
  readonly follower: Network;
  readonly nowMs: () => number;
  /** Four nodes more, which dial the server. */
  join(): Promise<readonly Network[]>;
  pass(ms: number): Promise<void>;
  answer<T>(promise: Promise<T>): Promise<T>;
  end(): Promise<void>;
}

const methods: ThrottleMethods = {
  async measure({ wire, seed, blocks, seconds, uploadBytesPerSec }) {
    const scheme = wire === "simulated" ? fastSignatures : await loadSignatures();
    const tips = Math.ceil((1_000 * seconds) / TIP_EVERY_MS);
    const options = { transactionsPerBlock: 4, accounts: 8, seed, dataBytes: 60_000 };
    const chain = generateChain({ ...options, params: SIM_PARAMS, blocks: blocks + tips }, scheme);
    // No clock of the world may be behind the times of these blocks.
    const ageMs = (blocks + tips) * SIM_PARAMS.targetIntervalMs;
    const stage = wire === "simulated" ? await simulated(seed, ageMs) : await loopback();
    const { server, follower } = stage;
    const publish = (): void => server.broadcastBlock(chain.next().value!.bytes);
    const heights = (): number => Math.min(server.head().height, follower.head().height);
    for (let height = 1; height <= blocks; height++) {
      publish();
      while (heights() < height) await stage.pass(1);
    }
    const relayMs = relaysOf(stage);
    server.setLimits({ uploadBytesPerSec });
    const syncing = await stage.join();
    for (let tip = 0; tip < tips; tip++) {
      publish();
      await stage.pass(TIP_EVERY_MS);
    }
    const servedBytes: number[] = [];
    for (const network of syncing) {
      const traffic = await stage.answer(network.traffic());
      servedBytes.push(traffic["ResponseBlockRange"]!.received.bytes);
    }
    await stage.end();
    return { relayMs, servedBytes, seconds: (tips * TIP_EVERY_MS) / 1_000 };
  },
};

function relaysOf({ server, follower, nowMs }: Stage): readonly number[] {
  const connectedMs = new Map<string, number>();
  const relayMs: number[] = [];
  server.subscribe(["BlockConnected"], ({ hash }) => void connectedMs.set(hash, nowMs()));
  follower.subscribe(["BlockConnected"], ({ hash }) => {
    const sinceMs = connectedMs.get(hash);
    if (sinceMs !== undefined) relayMs.push(nowMs() - sinceMs);
  });
  return relayMs;
}

async function simulated(seed: string, ageMs: number): Promise<Stage> {
  const world = createWorld({
    seed,
    nodes: 2 + SYNCING,
    late: SYNCING,
    producers: 0,
    knownPeers: 0,
    links: { latencyMs: 40, jitterMs: 0 },
    config: { gossip: GOSSIP },
  });
  const [server, follower, ...late] = world.nodes;
  const dial = ({ network }: { readonly network: Network }): void =>
    void network.connect("memory://n0:1");
  dial(follower!);
  await world.runFor(ageMs);
  return {
    server: server!.network,
    follower: follower!.network,
    nowMs: () => world.nowMs,
    async join() {
      for (const node of late) {
        node.start();
        dial(node);
      }
      return late.map(({ network }) => network);
    },
    pass: (ms) => world.runFor(ms),
    answer: (promise) => world.settled(promise),
    end: async () => undefined,
  };
}

async function loopback(): Promise<Stage> {
  const running: Network[] = [];
  const start = async (own: NetworkConfigInput): Promise<Network> => {
    const input: NetworkConfigInput = { pool: { inline: true }, gossip: GOSSIP, ...own };
    const consensus = createPowConsensus(SIM_PARAMS);
    const mempool = defaultMempool(resolveConfig(input), consensus);
    const network = await startNode(input, { consensus, mempool });
    running.push(network);
    return network;
  };
  const server = await start({ bindAddr: "127.0.0.1:0" });
  const dialing = async (): Promise<Network> => {
    const network = await start({});
    await network.connect(server.listenAddress!);
    return network;
  };
  const follower = await dialing();
  return {
    server,
    follower,
    nowMs: () => performance.now(),
    join: () => Promise.all(Array.from({ length: SYNCING }, dialing)),
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    answer: (promise) => promise,
    async end() {
      await Promise.all(running.map((network) => network.stop()));
    },
  };
}

serveParent(methods, () => undefined);
