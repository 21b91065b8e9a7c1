// The byzantine nodes of a world: makes them, knows all their identities, and tells what honest
// nodes do to them (right, and counted) from what they do to each other (a violation).

import type { NetworkEventOf } from "../../actors/events/event-types.js";
import { PROVEN_OFFENCES, REPUTATION_DELTAS } from "../../actors/peer/reputation-events.js";
import { banText, isByOperator } from "../../actors/peer/ban-list.js";
import type { PeerId } from "../../ports.js";
import { breachText } from "../../protocol/violation.js";
import type { SeededRandom } from "../../runtime/random.js";
import type { MemoryNetwork } from "../../transport/memory.js";
import type { BlameReport } from "../relay-auditor.js";
import { ByzantineNode } from "./byzantine-node.js";
import type { ByzantineHost, ByzantineScript } from "./script.js";

/** An honest node banned a byzantine one: by right. */
export interface Ban {
  /** Virtual time. */
  readonly atMs: number;
  /** The honest node. */
  readonly by: string;
  /** The byzantine node, and its script. */
  readonly of: string;
  readonly script: string;
  readonly reason: string;
}

export interface PopulationOptions {
  readonly scripts: readonly ByzantineScript[];
  readonly addressOf: (name: string) => string;
  readonly links: MemoryNetwork;
  readonly around: Omit<ByzantineHost, "random" | "sessions">;
  readonly random: SeededRandom;
  readonly windowBytes: number;
  /** The names of honest nodes. */
  readonly honest: ReadonlyMap<PeerId, string>;
  /** Told of every violation, in one sentence. */
  readonly violated: (sentence: string) => void;
}

/** They are named b0, b1, … */
export function byzantineName(index: number): string {
  return `b${index}`;
}

export class Population {
  readonly nodes: readonly ByzantineNode[];
  readonly bans: Ban[] = [];
  readonly #options: PopulationOptions;
  readonly #identities = new Map<PeerId, ByzantineNode>();

  constructor(options: PopulationOptions) {
    const { addressOf, around, links, random, scripts, violated, windowBytes } = options;
    this.#options = options;
    this.nodes = scripts.map((script, index) => {
      const name = byzantineName(index);
      return new ByzantineNode({
        name,
        address: addressOf(name),
        script,
        links,
        around,
        random: random.fork(name),
        windowBytes,
        onIdentity: (peerId, node) => void this.#identities.set(peerId, node),
        violated,
      });
    });
  }

  /** An honest node banned somebody: of its own accord, or its operator did. */
  banned(by: string, ban: NetworkEventOf<"PeerBanned">): void {
    if (isByOperator(ban)) return;
    const { peerId } = ban;
    const { around, honest, violated } = this.#options;
    const node = this.#identities.get(peerId);
    if (node === undefined) {
      violated(`${by} banned ${honest.get(peerId) ?? peerId}, which is honest: ${banText(ban)}`);
      return;
    }
    const atMs = around.clock.monotonicMs();
    this.bans.push({ atMs, by, of: node.name, script: node.script, reason: banText(ban) });
  }

  /** An honest node said something bad or good of somebody. */
  blamed(by: string, report: BlameReport): void {
    const { peerId, event, rule, detail } = report;
    // Nothing is said of what it did.
    if (REPUTATION_DELTAS[event] >= 0 || event === "BadNeighbours") return;
    this.#identities.get(peerId)?.blamed(report);
    const name = this.#options.honest.get(peerId);
    if (name === undefined || !PROVEN_OFFENCES.has(event)) return;
    const what = rule === undefined ? detail : breachText({ rule, detail });
    this.#options.violated(`${by} blames ${name}, which is honest: ${event}: ${what}`);
  }
}
