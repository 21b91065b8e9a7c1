// A process of the gossip benches, whatever gossips in it: nodes that are all connected to all, a
// publisher that keeps to a schedule, and the arrivals at every node. Each contender brings a
// `Swarm`; the rest is here, so that all are loaded and measured alike.

import { serveParent } from "./child.js";
import { ProcessMeter, type ProcessFigures } from "./meter.js";
import { wireBytesWritten } from "./wire-bytes.js";

/** What names a message at its publisher and where it arrives. */
export type MessageId = string | number;

/** The nodes of one process. */
export interface Swarm {
  /** Starts so many nodes and answers their addresses; each calls `onArrival` once a message. */
  listen(nodes: number, onArrival: (node: number, id: MessageId) => void): Promise<string[]>;
  dial(node: number, addresses: readonly string[]): Promise<void>;
  /** For each node, how many others it can send to. */
  neighbours(): Promise<readonly number[]>;
  /** Makes messages before they are due; `publish` sends one of them from the first node. */
  prepare(count: number, run: number): Promise<Prepared>;
  stop(): Promise<void>;
}

export interface Prepared {
  readonly ids: readonly MessageId[];
  publish(index: number): void;
}

export interface Schedule {
  readonly rate: number;
  readonly seconds: number;
}

export interface Published {
  readonly ids: readonly MessageId[];
  /** When the first message was due and when the last one left, by the clock of the machine. */
  readonly startMs: number;
  readonly endMs: number;
  /** How late the latest message left. */
  readonly lagMaxMs: number;
}

export interface Arrived {
  /** From when the message was due, one for each message and node that it reached. */
  readonly latenciesMs: Float64Array;
  readonly lastMs: number;
}

export type MemberMethods = {
  listen(task: { nodes: number }): Promise<readonly string[]>;
  dial(task: { node: number; addresses: readonly string[] }): Promise<void>;
  /** Resolves when every node can send to so many others. */
  settle(task: { neighbours: number }): Promise<void>;
  prepare(task: { count: number; run: number }): Promise<void>;
  /** Forgets arrivals and counts from here. */
  begin(): void;
  publish(schedule: Schedule): Promise<Published>;
  finish(): ProcessFigures & { wireBytes: number };
  arrived(task: { published: Published; rate: number }): Arrived;
};

const POLL_MS = 100;
/** After the last connection: libp2p's meshes are made by a heartbeat of 1 s. */
const SETTLE_MS = 2_500;
const PACE_MS = 2;
/** Published in one turn, when behind: the loop must turn. */
const TURN_MAX = 50;

export function serveMember(swarm: Swarm): void {
  const arrivals: Map<MessageId, number>[] = [];
  let prepared: Prepared;
  let meter: ProcessMeter;
  let wireBytesBefore = 0;
  const methods: MemberMethods = {
    listen({ nodes }) {
      for (let node = 0; node < nodes; node++) arrivals.push(new Map());
      return swarm.listen(nodes, (node, id) => arrivals[node]!.set(id, machineMs()));
    },
    dial: ({ node, addresses }) => swarm.dial(node, addresses),
    async settle({ neighbours }) {
      while ((await swarm.neighbours()).some((count) => count < neighbours)) await sleep(POLL_MS);
      await sleep(SETTLE_MS);
    },
    async prepare({ count, run }) {
      prepared = await swarm.prepare(count, run);
    },
    begin() {
      for (const node of arrivals) node.clear();
      wireBytesBefore = wireBytesWritten();
      meter = new ProcessMeter();
    },
    publish: (schedule) => publish(prepared, schedule),
    finish: () => ({ ...meter.stop(), wireBytes: wireBytesWritten() - wireBytesBefore }),
    arrived: ({ published, rate }) => arrived(arrivals, published, rate),
  };
  serveParent(methods, () => swarm.stop());
}

/** On a timer; what fell behind is caught up with. */
async function publish(prepared: Prepared, { rate, seconds }: Schedule): Promise<Published> {
  const { ids } = prepared;
  const total = Math.round(rate * seconds);
  if (ids.length < total) throw new Error(`${total} messages are due, ${ids.length} prepared`);
  const startMs = machineMs() + PACE_MS;
  const dueMs = (index: number): number => startMs + (index * 1_000) / rate;
  let lagMaxMs = 0;
  for (let next = 0; next < total;) {
    for (let turn = 0; turn < TURN_MAX && next < total && dueMs(next) <= machineMs(); turn++) {
      lagMaxMs = Math.max(lagMaxMs, machineMs() - dueMs(next));
      prepared.publish(next++);
    }
    const behind = next < total && dueMs(next) <= machineMs();
    await (behind ? new Promise(setImmediate) : sleep(PACE_MS));
  }
  return { ids: ids.slice(0, total), startMs, endMs: machineMs(), lagMaxMs };
}

function arrived(
  arrivals: readonly ReadonlyMap<MessageId, number>[],
  { ids, startMs }: Published,
  rate: number,
): Arrived {
  const latenciesMs: number[] = [];
  let lastMs = startMs;
  for (const node of arrivals) {
    for (const [index, id] of ids.entries()) {
      const atMs = node.get(id);
      if (atMs === undefined) continue;
      latenciesMs.push(atMs - startMs - (index * 1_000) / rate);
      lastMs = Math.max(lastMs, atMs);
    }
  }
  return { latenciesMs: Float64Array.from(latenciesMs), lastMs };
}

/** One clock for all processes of the machine. */
function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
