// The node under attack, and its twin that nobody attacks: the operator's configuration in a process
// of its own, with a log as `run` writes it. It tells what ended whom, and how it did meanwhile.

import { openHttpServer } from "../api/server.js";
import { startNode } from "../compose.js";
import { resolveConfig, type NetworkConfigInput } from "../config.js";
import { createLog } from "../log.js";
import type { Log } from "../ports.js";
import { systemClock } from "../runtime/clock.js";
import type { MemoryReport } from "../actors/memory-ledger.js";
import { hostGroup } from "../protocol/address.js";
import type { Network } from "../network.js";
import { serveParent } from "./calls.js";
import { LoopMeter, type LoopDelay } from "./measure/loop-meter.js";

export interface VictimStarted {
  /** `tcp://host:port` */
  readonly address: string;
  readonly peerId: string;
  readonly networkId: string;
  /** `http://host:port` */
  readonly http: string;
}

/** Since `begin`. */
export interface VictimFigures {
  /** How many connections each rule or reason ended or refused, those of honest peers aside. */
  readonly ends: Readonly<Record<string, number>>;
  readonly bans: number;
  readonly loop: LoopDelay;
  readonly cpuSeconds: number;
  readonly peers: number;
  readonly memory: MemoryReport;
  /** Faults of actors and the like: lines of level error. */
  readonly errors: readonly string[];
}

export type VictimMethods = {
  /** `dial`: whom it connects to. */
  start(task: { config: NetworkConfigInput; dial?: string }): Promise<VictimStarted>;
  /** Resolves when the node holds so many blocks. */
  reach(height: number): Promise<void>;
  /** Forgets what was counted so far; of these peers and groups of addresses nothing is counted. */
  begin(honest: { peerIds: readonly string[]; addresses: readonly string[] }): void;
  finish(): Promise<VictimFigures>;
};

const ERRORS_KEPT = 20;

export function victim(): void {
  const written = createLog({ level: "info", clock: systemClock });
  const tally = new Tally();
  const errors: string[] = [];
  let network: Network | undefined;
  let loop = new LoopMeter();
  let cpu = process.cpuUsage();
  const running = (): Network => {
    if (network === undefined) throw new Error("the node was not started");
    return network;
  };
  const methods: VictimMethods = {
    async start({ config: input, dial }) {
      const log: Log = {
        write(level, event, fields) {
          written.write(level, event, fields);
          if (level !== "error" || errors.length >= ERRORS_KEPT) return;
          errors.push(`${event} ${JSON.stringify(fields ?? {})}`);
        },
      };
      network = await startNode(input, { log });
      tally.follow(network);
      // What ends a node by itself ends the process of an operator, too.
      network.stopped.catch(() => process.exit(1));
      if (dial !== undefined) void network.connect(dial);
      const { http: config } = resolveConfig(input);
      const http = await openHttpServer({ address: "127.0.0.1:0", network, log, config });
      return {
        address: network.listenAddress ?? "",
        peerId: network.peerId,
        networkId: network.header(0)?.hash ?? "",
        http: http.address,
      };
    },
    async reach(height) {
      const node = running();
      const reached = new Promise<void>((resolve) => {
        const end = node.subscribe(["BlockConnected"], (event) => {
          if (event.height < height) return;
          end();
          resolve();
        });
      });
      if (node.head().height < height) await reached;
    },
    begin({ peerIds, addresses }) {
      tally.begin(new Set(peerIds), new Set(addresses.map((address) => hostGroup(address))));
      errors.length = 0;
      loop.stop();
      loop = new LoopMeter();
      cpu = process.cpuUsage();
    },
    async finish() {
      const { user, system } = process.cpuUsage(cpu);
      const { peers, memory } = await running().status();
      return {
        ends: tally.ends,
        bans: tally.bans,
        loop: loop.stop(),
        cpuSeconds: (user + system) / 1e6,
        peers: peers.length,
        memory,
        errors,
      };
    },
  };
  serveParent(methods, () => network?.stop());
}

/** What ended whom. */
class Tally {
  ends: Record<string, number> = {};
  bans = 0;
  #peerIds: ReadonlySet<string> = new Set();
  #groups: ReadonlySet<string> = new Set();

  begin(peerIds: ReadonlySet<string>, groups: ReadonlySet<string>): void {
    this.#peerIds = peerIds;
    this.#groups = groups;
    this.ends = {};
    this.bans = 0;
  }

  follow(network: Network): void {
    network.subscribe(["ConnectionRefused"], ({ remoteAddress, rule }) => {
      const host = /^\w+:\/\/(.*):\d+$/.exec(remoteAddress)?.[1] ?? remoteAddress;
      if (!this.#groups.has(hostGroup(host))) this.#count(rule);
    });
    network.subscribe(["PeerDisconnected"], ({ peerId, reason, rule, byPeer }) => {
      // Without a word: it left by itself.
      if (byPeer || (reason === "Closed" && rule === undefined)) return;
      if (this.#peerIds.has(peerId)) return;
      this.#count(rule ?? reason);
    });
    network.subscribe(["PeerBanned"], () => this.bans++);
  }

  #count(why: string): void {
    this.ends[why] = (this.ends[why] ?? 0) + 1;
  }
}
