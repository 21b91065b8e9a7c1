// The network of the gossip benches: a publisher and eight subscribers in three processes, all
// connected to all, and a run of messages at a rate.

import type { Child } from "./child.js";
import type { MemberMethods, Schedule } from "./gossip-member.js";
import type { ProcessFigures } from "./meter.js";
import { percentiles } from "../../src/drill/measure/percentiles.js";

export type Member = Child<MemberMethods>;

export interface GossipFigures {
  readonly rate: number;
  /** Of all that should have arrived. */
  readonly deliveredPart: number;
  readonly delivered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly latencyMaxMs: number;
  /** How late the publisher was at most, and the last arrival after the end of publishing. */
  readonly lagMaxMs: number;
  readonly tailMs: number;
  readonly cpuSeconds: number;
  readonly wireBytes: number;
  readonly publisher: ProcessFigures;
  readonly subscribers: ProcessFigures;
}

/** The publisher's process, and two of four subscribers each. */
const NODES = [1, 4, 4];
const SUBSCRIBERS = 8;
/** For stragglers and repairs; it counts in everyone's processor time. */
const TAIL_MS = 2_000;

export class GossipNetwork {
  readonly #members: readonly Member[];
  #runs = 0;

  private constructor(members: readonly Member[]) {
    this.#members = members;
  }

  static async start(startMember: () => Promise<Member>): Promise<GossipNetwork> {
    const members = await Promise.all(NODES.map(startMember));
    const network = new GossipNetwork(members);
    const known: string[] = [];
    const listening = await Promise.all(
      members.map((member, i) => member.listen({ nodes: NODES[i]! })),
    );
    for (const [i, addresses] of listening.entries()) {
      for (const [node, address] of addresses.entries()) {
        if (known.length > 0) await members[i]!.dial({ node, addresses: known.slice() });
        known.push(address);
      }
    }
    await network.#all((member) => member.settle({ neighbours: SUBSCRIBERS }));
    return network;
  }

  async run({ rate, seconds }: Schedule): Promise<GossipFigures> {
    const [publisher, ...others] = this.#members as readonly [Member, ...Member[]];
    await publisher.prepare({ count: Math.round(rate * seconds), run: ++this.#runs });
    await this.#all((member) => member.begin(undefined));
    const published = await publisher.publish({ rate, seconds });
    await new Promise((resolve) => setTimeout(resolve, TAIL_MS));
    const [publishing, ...subscribing] = await this.#all((member) => member.finish(undefined));
    const arrivals = await Promise.all(others.map((member) => member.arrived({ published, rate })));
    const latenciesMs = arrivals.flatMap(({ latenciesMs: each }) => [...each]);
    const [p50Ms, p99Ms, latencyMaxMs] = percentiles(latenciesMs, [0.5, 0.99, 1]);
    const spent = [publishing!, ...subscribing];
    return {
      rate,
      delivered: latenciesMs.length,
      deliveredPart: latenciesMs.length / (published.ids.length * SUBSCRIBERS),
      p50Ms: p50Ms!,
      p99Ms: p99Ms!,
      latencyMaxMs: latencyMaxMs!,
      lagMaxMs: published.lagMaxMs,
      tailMs: Math.max(...arrivals.map(({ lastMs }) => lastMs)) - published.endMs,
      cpuSeconds: spent.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
      wireBytes: spent.reduce((sum, { wireBytes }) => sum + wireBytes, 0),
      publisher: publishing!,
      subscribers: subscribing[0]!,
    };
  }

  async stop(): Promise<void> {
    await this.#all((member) => member.release());
  }

  #all<T>(call: (member: Member) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#members.map(call));
  }
}
