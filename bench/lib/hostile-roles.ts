// The processes of the bench and the test of hostile bytes: the node under attack, an honest peer
// that pings it, and the attackers. Each is alone in its process, so that its memory and its event
// loop are its own.

import { openHttpServer } from "../../src/api/server.js";
import { generateChain } from "../../src/chain/generate.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import { storeChain } from "../../src/compose/chain-store.js";
import { genesisOf, networkParams, startNode } from "../../src/compose.js";
import { DEFAULTS, resolveConfig, type NetworkConfigInput } from "../../src/config.js";
import { invariant } from "../../src/errors.js";
import type { Network } from "../../src/network.js";
import type { BlockStore, Log } from "../../src/ports.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import {
  attack,
  ATTACK_NAMES,
  type AttackEnd,
  type AttackName,
} from "../../test/support/attackers.js";
import { serveParent, serveRole } from "./child.js";
import { LoopMeter, type LoopDelay } from "../../src/drill/measure/loop-meter.js";
import { Pinger, type PingLatency } from "../../src/drill/measure/pinger.js";
import { consensus } from "./sync-chain.js";

export interface VictimFigures {
  /** The rule of each refusal, by the address that was refused. */
  readonly refused: Readonly<Record<string, string>>;
  readonly loop: LoopDelay;
  readonly cpuSeconds: number;
  readonly peers: number;
  /** Log lines of level error. */
  readonly errors: readonly string[];
}

export type VictimMethods = {
  listen(config: NetworkConfigInput): Promise<{
    address: string;
    pid: number;
    memoryBudgetMiB: number;
  }>;
  /** Opens its HTTP server; answers where its health is. */
  serve(): Promise<{ health: string }>;
  /** Resolves when the node holds so many blocks. */
  reach(height: number): Promise<void>;
  /** Forgets what was counted so far. */
  begin(): void;
  finish(): Promise<VictimFigures>;
};
export type HonestMethods = {
  /** Dials the node with a chain of this size and resolves when connected. */
  join(task: { address: string; blocks: number }): Promise<void>;
  begin(): void;
  finish(): Promise<PingLatency>;
};
export interface AttackPlan {
  readonly address: string;
  /** The first number of these attacks: the numbers of two plans must not meet. */
  readonly from: number;
  readonly count: number;
  /** Attacks at a time; all at once when it is the count. */
  readonly concurrent: number;
  /** Addresses that the attacks come from. */
  readonly sources: number;
  /** Default: all of them in turn. */
  readonly names?: readonly AttackName[];
}
export type AttackerMethods = {
  run(plan: AttackPlan): Promise<readonly AttackEnd[]>;
};

function victim(): void {
  let network: Network | undefined;
  let loop = new LoopMeter();
  let cpu = process.cpuUsage();
  let refused: Record<string, string> = {};
  const errors: string[] = [];
  const log: Log = {
    write(level, event, fields) {
      if (level === "error") errors.push(`${event} ${JSON.stringify(fields)}`);
    },
  };
  const methods: VictimMethods = {
    async listen(config) {
      const started = await startNode({ bindAddr: "tcp://127.0.0.1:0", ...config }, { log });
      network = started;
      started.subscribe(["ConnectionRefused"], ({ remoteAddress, rule }) => {
        refused[remoteAddress] = rule;
      });
      const { memoryBudgetBytes } = resolveConfig(config);
      const memoryBudgetMiB = memoryBudgetBytes / 1_024 ** 2;
      return { address: started.listenAddress!, pid: process.pid, memoryBudgetMiB };
    },
    async serve() {
      const { http: config } = DEFAULTS;
      const options = { address: "127.0.0.1:0", network: network!, log, config };
      const { address } = await openHttpServer(options);
      return { health: `${address}/health` };
    },
    async reach(height) {
      const reached = new Promise<void>((resolve) => {
        network!.subscribe(["BlockConnected"], (event) => {
          if (event.height >= height) resolve();
        });
      });
      if (network!.head().height < height) await reached;
    },
    begin() {
      refused = {};
      loop.stop();
      loop = new LoopMeter();
      cpu = process.cpuUsage();
    },
    async finish() {
      const { user, system } = process.cpuUsage(cpu);
      const { peers } = await network!.status();
      return {
        refused,
        loop: loop.stop(),
        cpuSeconds: (user + system) / 1e6,
        peers: peers.length,
        errors,
      };
    },
  };
  serveParent(methods, () => network?.stop());
}

function honest(): void {
  let network: Network | undefined;
  let peerId: string | undefined;
  let pinger: Pinger | undefined;
  const methods: HonestMethods = {
    async join({ address, blocks }) {
      const own = { blockStore: await chainOf(blocks) };
      const started = await startNode({ seedPeers: [address], pool: { inline: true } }, own);
      network = started;
      peerId = await new Promise<string>((resolve) => {
        started.subscribe(["PeerConnected"], (event) => resolve(event.peerId));
      });
    },
    begin() {
      invariant(network !== undefined && peerId !== undefined, "it joined");
      pinger = new Pinger(network, peerId);
    },
    finish() {
      invariant(pinger !== undefined, "it began");
      return pinger.stop();
    },
  };
  serveParent(methods, () => network?.stop());
}

async function chainOf(blocks: number): Promise<BlockStore> {
  const { blocks: store } = openMemoryStores({ genesis: genesisOf(consensus) });
  const params = networkParams(DEFAULTS.network);
  const options = { params, blocks, transactionsPerBlock: 20, accounts: 20, seed: "hostile" };
  await storeChain(generateChain(options, await loadSignatures()), store, consensus);
  return store;
}

function attacker(): void {
  const methods: AttackerMethods = {
    async run({ address, from, count, concurrent, sources, names = ATTACK_NAMES }) {
      const ends: AttackEnd[] = [];
      let next = 0;
      const work = async (): Promise<void> => {
        while (next < count) {
          const number = from + next;
          const name = names[next++ % names.length]!;
          // Making a thousand TLS sockets in one turn would keep this loop from seeing them close.
          await new Promise(setImmediate);
          ends.push(await attack(name, { address, number, sources }));
        }
      };
      await Promise.all(Array.from({ length: concurrent }, work));
      return ends;
    },
  };
  serveParent(methods, () => undefined);
}

const roles: Readonly<Record<string, () => void>> = { victim, honest, attacker };
serveRole(roles);
