// The processes of the reorg bench: the holder of the heavier branch, and the node that moves to it.

import { readTransaction } from "../../src/chain/transaction.js";
import { defaultMempool, networkParams, startNode } from "../../src/compose.js";
import { DEFAULTS, resolveConfig } from "../../src/config.js";
import { invariant } from "../../src/errors.js";
import type { Network } from "../../src/network.js";
import type { Mempool } from "../../src/ports.js";
import { serveParent, serveRole } from "./child.js";
import { ProcessMeter, type ProcessFigures } from "./meter.js";
import { TurnMeter } from "./turn-meter.js";

export interface MoveFigures extends ProcessFigures {
  /** Processor time of the longest turn of the event loop. */
  readonly turnMs: number;
  readonly disconnected: number;
  readonly connected: number;
  /** Transactions of abandoned blocks that the mempool took back, and those it had no room for. */
  readonly returned: number;
  readonly refused: number;
  /** Of those taken back, how many came after a higher nonce of their sender. */
  readonly outOfOrder: number;
}

export type HolderMethods = { listen(task: { chain: string }): Promise<{ address: string }> };
export type MoverMethods = {
  open(task: { chain: string }): Promise<{ memoryBudgetMiB: number }>;
  /** Answers when the head is at this height and so many transactions were offered again. */
  move(task: { address: string; height: number; abandoned: number }): Promise<MoveFigures>;
};

function holder(): void {
  let network: Network | undefined;
  const methods: HolderMethods = {
    async listen({ chain }) {
      network = await startNode({ dataDir: chain, bindAddr: "tcp://127.0.0.1:0" });
      return { address: network.listenAddress! };
    },
  };
  serveParent(methods, () => network?.stop());
}

interface Restored {
  returned: number;
  refused: number;
  outOfOrder: number;
}

/** Counts what comes back, and whether in the order of nonces. */
function counting(mempool: Mempool, restored: Restored): Mempool {
  const params = networkParams(DEFAULTS.network);
  const highest = new Map<string, number>();
  const counted: Partial<Mempool> = {
    restore(transaction, view) {
      const answer = mempool.restore!(transaction, view);
      const read = readTransaction(transaction.bytes, params);
      invariant(read.ok, "what comes back can be read");
      const sender = Buffer.from(read.value.sender).toString("latin1");
      if (!answer.ok) restored.refused++;
      else restored.returned++;
      if (answer.ok && read.value.nonce < (highest.get(sender) ?? 0)) restored.outOfOrder++;
      if (answer.ok) highest.set(sender, read.value.nonce);
      return answer;
    },
  };
  return new Proxy(mempool, {
    get(target, name) {
      const own = Reflect.get(counted, name) as unknown;
      const value = own ?? (Reflect.get(target, name, target) as unknown);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

function mover(): void {
  let network: Network;
  const restored: Restored = { returned: 0, refused: 0, outOfOrder: 0 };
  const seen = { disconnected: 0, connected: 0 };
  const methods: MoverMethods = {
    async open({ chain }) {
      // One at a time: a server cuts off who asks for several blocks of 4 MiB at once.
      const input = { dataDir: chain, txIndex: true, sync: { rangesPerPeerMax: 1 } };
      const config = resolveConfig(input);
      const mempool = counting(defaultMempool(config), restored);
      network = await startNode(input, { mempool });
      network.subscribe(["BlockDisconnected"], () => seen.disconnected++);
      network.subscribe(["BlockConnected"], () => seen.connected++);
      return { memoryBudgetMiB: config.memoryBudgetBytes / 2 ** 20 };
    },
    async move({ address, height, abandoned }) {
      const meter = new ProcessMeter();
      const turns = new TurnMeter();
      void network.connect(address);
      while (seen.connected < height || restored.returned + restored.refused < abandoned) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return { turnMs: turns.stop(), ...meter.stop(), ...seen, ...restored };
    },
  };
  serveParent(methods, () => network.stop());
}

const roles: Readonly<Record<string, () => void>> = { holder, mover };
serveRole(roles);
