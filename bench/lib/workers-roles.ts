// The processes of the workers bench: one that checks transactions in a pool of so many threads, or
// on its loop; the limit, which checks the signatures on its loop and does nothing else; hosts with a
// loop that is never free, with the network in that loop or in a thread; and a peer that pings them.

import { packBytes } from "../../src/bytes/packed.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import { readTransaction } from "../../src/chain/transaction.js";
import { networkParams, openWorkers, startNode } from "../../src/compose.js";
import { DEFAULTS, resolveConfig } from "../../src/config.js";
import { invariant } from "../../src/errors.js";
import { startNetwork, startNetworkThread } from "../../src/index.js";
import type { Network } from "../../src/network.js";
import type { NetworkThread } from "../../src/thread.js";
import { silentLog } from "../../src/log.js";
import { serveParent, serveRole } from "./child.js";
import { ProcessMeter, type ProcessFigures } from "./meter.js";
import { Pinger, type PingLatency } from "../../src/drill/measure/pinger.js";
import { consensus } from "./sync-chain.js";
import { signedTransactions } from "./transactions.js";

export interface Pool {
  /** 0: on the loop. */
  readonly threads: number;
  readonly nice: number;
}

export interface CheckFigures extends ProcessFigures {
  readonly checked: number;
}

export type CheckerMethods = {
  check(task: Pool & { seconds: number }): Promise<CheckFigures>;
};
export type HostMethods = {
  listen(): Promise<{ address: string; peerId: string }>;
};
export type PingingMethods = {
  ping(task: { address: string; peerId: string; seconds: number }): Promise<PingLatency>;
};

const TRANSACTION_BYTES = 188;
const BATCH = DEFAULTS.gossip.transactionBatchMax;
const BATCHES = 64;
/** In the pool at once: enough that no thread waits for the loop. */
const IN_FLIGHT = 16;

function checker(): void {
  const methods: CheckerMethods = {
    async check({ threads, nice, seconds }) {
      const inline = threads === 0;
      // Without a cache: each signature is checked each time.
      const pool = { threads, nice, inline, signatureCacheEntries: 0 };
      const workers = await openWorkers(resolveConfig({ pool }), consensus, silentLog);
      const transactions = await signedTransactions(BATCH * BATCHES, TRANSACTION_BYTES, "workers");
      const batches = Array.from({ length: BATCHES }, (_, i) =>
        transactions.slice(i * BATCH, (i + 1) * BATCH),
      );
      let checked = 0;
      const checkUntil = async (untilMs: number): Promise<void> => {
        let next = 0;
        const work = async (): Promise<void> => {
          while (performance.now() < untilMs) {
            const batch = batches[next++ % BATCHES]!;
            const { faults } = await workers.validateTransactions(packBytes(batch));
            invariant(faults.length === 0, "every transaction is valid");
            checked += batch.length;
            if (inline) await new Promise(setImmediate);
          }
        };
        await Promise.all(Array.from({ length: inline ? 1 : IN_FLIGHT }, work));
      };
      await checkUntil(performance.now() + (seconds * 1_000) / 4);
      checked = 0;
      const meter = new ProcessMeter();
      await checkUntil(performance.now() + seconds * 1_000);
      const figures = { ...meter.stop(), checked };
      await workers.close();
      return figures;
    },
  };
  serveParent(methods, () => undefined);
}

function limit(): void {
  const methods: CheckerMethods = {
    async check({ seconds }) {
      const { verify } = await loadSignatures();
      const params = networkParams(DEFAULTS.network);
      const transactions = await signedTransactions(BATCH, TRANSACTION_BYTES, "workers");
      const batch = transactions.map((bytes) => {
        const read = readTransaction(bytes, params);
        invariant(read.ok, "a transaction");
        const { signature, body, sender } = read.value;
        return { signature, body, sender };
      });
      let checked = 0;
      const meter = new ProcessMeter();
      const untilMs = performance.now() + seconds * 1_000;
      while (performance.now() < untilMs) {
        for (const { signature, body, sender } of batch) {
          invariant(verify(signature, body, sender), "a valid signature");
        }
        checked += batch.length;
        await new Promise(setImmediate);
      }
      return { ...meter.stop(), checked };
    },
  };
  serveParent(methods, () => undefined);
}

/** So long the host's own work keeps its loop, again and again. */
const HOST_TURN_MS = 200;

function host(start: () => Promise<Network | NetworkThread>): void {
  let network: Network | NetworkThread | undefined;
  const methods: HostMethods = {
    async listen() {
      network = await start();
      setInterval(() => {
        const untilMs = performance.now() + HOST_TURN_MS;
        while (performance.now() < untilMs);
      }, 1);
      return { address: network.listenAddress!, peerId: network.peerId };
    },
  };
  serveParent(methods, () => network?.stop());
}

function pinging(): void {
  let network: Network | undefined;
  const methods: PingingMethods = {
    async ping({ address, peerId, seconds }) {
      const started = await startNode({ pool: { inline: true } });
      network = started;
      const connected = new Promise<void>((resolve) => {
        started.subscribe(["PeerConnected"], () => resolve());
      });
      void started.connect(address);
      await connected;
      const pinger = new Pinger(started, peerId);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
      return pinger.stop();
    },
  };
  serveParent(methods, () => network?.stop());
}

const HOST_CONFIG = { bindAddr: "127.0.0.1:0" };

serveRole({
  checker,
  limit,
  pinging,
  hostInLoop: () => host(() => startNetwork(HOST_CONFIG)),
  hostInThread: () => host(() => startNetworkThread(HOST_CONFIG)),
});
