// The world of newcomers: nodes that each know one seed, and nothing else. Within two minutes each has
// as many outbound peers as it wants, in distinct networks, though the seed is gone after the first.

import { hostGroup } from "../../protocol/address.js";
import type { PeerReport } from "../../actors/peer/peer-table.js";
import type { WorldOptions } from "../options.js";
import { createWorld, type World } from "../world.js";
import { hostIn } from "./networks.js";

export interface NewcomersOptions {
  readonly seed: number | string;
  /** Beside the seed. Default 100. */
  readonly nodes?: number;
  /** How many networks (/16) they are spread over. Default 40. */
  readonly networks?: number;
  /** When the seed is gone; absent: never. */
  readonly seedLeavesMs?: number;
  readonly replay?: string;
  readonly onLog?: WorldOptions["onLog"];
}

/** What one of them has. */
export interface Reached {
  readonly outbound: number;
  readonly groups: number;
}

const OUTBOUND = 8;
const GROUPS = 6;
const LOOK_MS = 5_000;

export class Newcomers {
  readonly world: World;

  constructor(options: NewcomersOptions) {
    const { seed, nodes = 100, networks = 40, seedLeavesMs, replay, onLog } = options;
    this.world = createWorld({
      seed,
      nodes: nodes + 1,
      producers: 0,
      names: (index) => hostIn(index % networks, index),
      config: { dial: { onlyConfigured: false } },
      knows: (index) => (index === 0 ? [] : [hostIn(0, 0)]),
      // Each look at the credit of so many links takes as long as seconds of their life.
      checkEveryMs: 30_000,
      ...(replay === undefined ? {} : { replay }),
      ...(onLog === undefined ? {} : { onLog }),
    });
    if (seedLeavesMs === undefined) return;
    this.world.after(seedLeavesMs, () => this.world.crash(hostIn(0, 0), { silent: true }));
  }

  /** Of each newcomer, those with the fewest first. */
  async reached(): Promise<readonly Reached[]> {
    const [, ...newcomers] = this.world.nodes;
    const reports = newcomers.map(async ({ network }) => reachedBy(await network.peers()));
    const reached = await this.world.settled(Promise.all(reports));
    return [...reached].sort((a, b) => a.outbound - b.outbound || a.groups - b.groups);
  }

  /** When all of them had what they want, in virtual time; undefined: not within so long. */
  async allConnected(withinMs: number): Promise<number | undefined> {
    const { world } = this;
    while (world.nowMs < withinMs) {
      await world.runFor(Math.min(LOOK_MS, withinMs - world.nowMs));
      const reached = await this.reached();
      if (reached.every(hasEnough)) return world.nowMs;
    }
    return undefined;
  }
}

export function hasEnough({ outbound, groups }: Reached): boolean {
  return outbound >= OUTBOUND && groups >= GROUPS;
}

function reachedBy(peers: readonly PeerReport[]): Reached {
  const outbound = peers.filter(({ direction }) => direction === "outbound");
  const bits = { ipv4Bits: 16, ipv6Bits: 32 };
  const groups = new Set(outbound.map(({ remote }) => hostGroup(remote.host, bits)));
  return { outbound: outbound.length, groups: groups.size };
}
