// The world of the eclipse: one node, 30 honest hosts that it knows of, and an attacker with a thousand
// addresses in four networks. He tells of them by the handshakes of ever new identities and by every
// answer, and honest hosts, whom he told too, tell of them in good faith. Then the seed is gone and the
// node starts anew: what counts is whether any of its outbound peers is honest.

import { addressOf } from "../node-config.js";
import type { WorldOptions } from "../options.js";
import { createWorld, type World } from "../world.js";
import { LightPeer } from "./light-peer.js";
import { endpointOf, hostIn } from "./networks.js";

export interface EclipseOptions {
  readonly seed: number | string;
  /** Before the restart. Default six minutes. */
  readonly poisonMs?: number;
  /** After it. Default one. */
  readonly afterMs?: number;
  readonly honest?: number;
  readonly attackers?: number;
  readonly attackerNetworks?: number;
  readonly replay?: string;
  readonly onLog?: WorldOptions["onLog"];
}

/** The outbound peers of the node. */
export interface Outbound {
  readonly honest: number;
  readonly attackers: number;
}

export interface EclipseOutcome {
  readonly before: Outbound;
  readonly after: Outbound;
}

const MINUTE_MS = 60_000;
const VICTIM = "8.8.8.8";
const HONEST_NETWORK_FIRST = 0;
const ATTACKER_NETWORK_FIRST = 1_000;
/** The honest have the field to themselves first. */
const CALM_MS = 30_000;
/** Another identity dials. */
const DIAL_EVERY_MS = 1_000;
/** What one answer or handshake holds. */
const TOLD_MAX = 256;
const SAID_MAX = 8;
/** What honest hosts have heard of the attacker, by each answer. */
const GOOD_FAITH = 90;

export class Eclipse {
  readonly world: World;
  readonly honest: readonly LightPeer[];
  readonly attackers: readonly LightPeer[];
  readonly #options: EclipseOptions;
  readonly #bad: ReadonlySet<string>;

  constructor(options: EclipseOptions) {
    const { seed, honest = 30, attackers = 1_000, attackerNetworks = 4, replay, onLog } = options;
    this.#options = options;
    const hosts = {
      honest: Array.from({ length: honest }, (_, i) => hostIn(HONEST_NETWORK_FIRST + i, i)),
      bad: Array.from({ length: attackers }, (_, i) =>
        hostIn(ATTACKER_NETWORK_FIRST + (i % attackerNetworks), Math.floor(i / attackerNetworks)),
      ),
    };
    this.world = createWorld({
      seed,
      nodes: 1,
      producers: 0,
      names: () => VICTIM,
      config: { dial: { onlyConfigured: false } },
      knows: () => [hosts.honest[0]!],
      checkEveryMs: MINUTE_MS,
      ...(onLog === undefined ? {} : { onLog }),
      ...(replay === undefined ? {} : { replay }),
    });
    const { world } = this;
    const some = (of: readonly string[], count: number): readonly string[] =>
      Array.from({ length: count }, () => of[world.random.uint32() % of.length]!);
    this.honest = hosts.honest.map((host) => {
      const tells = () => [...hosts.honest, ...some(hosts.bad, GOOD_FAITH)].map(endpointOf);
      return new LightPeer({ world, host, tells });
    });
    this.attackers = hosts.bad.map((host) => {
      const tells = () => some(hosts.bad, TOLD_MAX).map(endpointOf);
      const says = () => [host, ...some(hosts.bad, SAID_MAX - 1)].map(addressOf);
      return new LightPeer({ world, host, tells, says });
    });
    this.#bad = new Set(hosts.bad);
  }

  async run(): Promise<EclipseOutcome> {
    const { world } = this;
    const { poisonMs = 6 * MINUTE_MS, afterMs = MINUTE_MS } = this.#options;
    for (const peer of [...this.honest, ...this.attackers]) void peer.listen();
    await world.runFor(CALM_MS);
    world.every(DIAL_EVERY_MS, () => {
      const attacker = this.attackers[world.random.uint32() % this.attackers.length]!;
      attacker.dial(addressOf(VICTIM), attacker.newIdentity());
    });
    await world.runFor(poisonMs);
    const before = await this.#outbound();
    // What the operator gave it is of no help any more.
    this.honest[0]!.leave();
    world.crash(VICTIM);
    await world.runFor(DIAL_EVERY_MS);
    world.restart(VICTIM);
    await world.runFor(afterMs);
    return { before, after: await this.#outbound() };
  }

  async #outbound(): Promise<Outbound> {
    const { world } = this;
    const peers = await world.settled(world.node(VICTIM).network.peers());
    const outbound = peers.filter(({ direction }) => direction === "outbound");
    const bad = outbound.filter(({ remote }) => this.#bad.has(remote.host)).length;
    return { honest: outbound.length - bad, attackers: bad };
  }
}
