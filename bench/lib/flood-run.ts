// A flood against a node from the outside: starts the node as an operator does, honest peers and the
// flood, each in its process, and measures whether those who belong there notice.

import type { FloodName } from "../../test/support/floods.js";
import { startChild } from "./child.js";
import type { CrowdMethods, FlooderMethods } from "./flood-roles.js";
import type { VictimFigures, VictimMethods } from "./hostile-roles.js";
import { Memory } from "./hostile-run.js";

const ROLES = new URL("./flood-roles.js", import.meta.url);
const VICTIM = new URL("./hostile-roles.js", import.meta.url);
const HONEST_PEERS = 7;
const HEALTH_INTERVAL_MS = 100;
const HEALTH_TIMEOUT_MS = 10_000;
/** A peer that was given up meanwhile is told so. */
const SETTLE_MS = 1_000;

export interface Flooded {
  /** Of the flood. */
  readonly connections: number;
  readonly victim: VictimFigures;
  /** How often an honest peer was left. */
  readonly dropped: number;
  readonly healthMaxMs: number;
  readonly rssAnonMaxMiB: number;
  readonly memoryBudgetMiB: number;
}

export interface FloodScenario {
  readonly name: FloodName;
  readonly seconds: number;
  readonly saveMs: number;
  readonly concurrent: number;
}

export async function floodNode(scenario: FloodScenario): Promise<Flooded> {
  const node = await startChild<VictimMethods>(VICTIM, "victim");
  const crowd = await startChild<CrowdMethods>(ROLES, "crowd");
  const flooder = await startChild<FlooderMethods>(ROLES, "flooder");
  try {
    const { address, pid, memoryBudgetMiB } = await node.listen({});
    const { health } = await node.serve(undefined);
    const { networkId } = await crowd.join({ address, peers: HONEST_PEERS });
    await node.begin(undefined);
    const memory = new Memory(pid);
    const doctor = new Doctor(health);
    const { connections } = await flooder.flood({ ...scenario, address, networkId });
    await sleep(SETTLE_MS);
    const healthMaxMs = await doctor.stop();
    const rssAnonMaxMiB = memory.stop();
    const { dropped } = await crowd.finish(undefined);
    const victim = await node.finish(undefined);
    return { connections, victim, dropped, healthMaxMs, rssAnonMaxMiB, memoryBudgetMiB };
  } finally {
    await Promise.all([node.release(), crowd.release(), flooder.release()]);
  }
}

/** Asks again and again how the node is. */
class Doctor {
  #stopped = false;
  readonly #done: Promise<number>;

  constructor(health: string) {
    this.#done = this.#ask(health);
  }

  /** Answers the longest that an answer took; Infinity when one did not come or was not well. */
  stop(): Promise<number> {
    this.#stopped = true;
    return this.#done;
  }

  async #ask(health: string): Promise<number> {
    let maxMs = 0;
    while (!this.#stopped) {
      const startMs = performance.now();
      const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
      const well = await fetch(health, { signal }).then(
        async (response) => (await response.text()) !== "" && response.ok,
        () => false,
      );
      maxMs = Math.max(maxMs, well ? performance.now() - startMs : Infinity);
      await sleep(HEALTH_INTERVAL_MS);
    }
    return maxMs;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
