// The kinds of faults as a table: how each acts on a world, how it is mended, and how long it lasts
// unless told. Used by faults.ts, which decides when.

import type { Random } from "../ports.js";
import { ACTOR_TYPES } from "./actor-crash.js";
import { drawFrom, type Range } from "./range.js";
import type { SimNode } from "./sim-node.js";
import type { World } from "./world.js";

export interface FaultKind {
  /** Default; absent: it needs no mending. */
  readonly forMs?: Range;
  /**
   * Breaks something that lasts `forMs` and answers what mends it; undefined when there was nothing
   * to break. What it does later it does only while `on` says true.
   */
  act(fault: FaultContext): (() => void) | undefined;
}

export interface FaultContext {
  readonly world: World;
  readonly random: Random;
  readonly forMs: number;
  readonly on: () => boolean;
}

const DOWN_MS: Range = [0, 20_000];
const PARTITION_MS: Range = [1_000, 60_000];
const CLOG_MS: Range = [100, 20_000];
const DISK_MS: Range = [1_000, 30_000];
/** A long turn or a stopped process: from what nobody notices to more than the keep-alive times. */
const HOLD_MS: Range = [100, 25_000];
const CRASHES_MS: Range = [60_000, 60_000];
const CRASHES_PART = 0.75;
const CLOCK_MS: Range = [1_000, 30_000];
/** An operator's mistake, a machine in another zone. */
const JUMP_MS: Range = [-3_600_000, 3_600_000];
/** Four times what others still take its blocks from. */
const PRODUCER_JUMP_MAX_MS = 60_000;
const SKIPPED_MAX = 20;
const LOSSES: Range = [0.02, 0.5];
/** Times as long as a commit should take: a disk that is rebuilt, a neighbour's backup. */
const SLOWDOWN: Range = [5, 200];

export type FaultName = keyof typeof FAULT_KINDS;

export const FAULT_KINDS = {
  /** A process ends; its peers see resets. */
  crash: {
    forMs: DOWN_MS,
    act: (fault) => onNode(fault, (node) => node.crash()),
  },
  /** A machine loses its power; its peers see silence: links are half open. */
  powerLoss: {
    forMs: DOWN_MS,
    act: (fault) => onNode(fault, (node) => node.crash({ silent: true })),
  },
  /** A node stops in order and comes back. */
  leave: {
    forMs: DOWN_MS,
    act: (fault) => onNode(fault, (node) => void node.leave()),
  },
  /** A node that was never up starts. */
  join: {
    act({ world, random }) {
      const unknown = world.nodes.filter((node) => node.starts === 0);
      if (unknown.length > 0) pick(unknown, random).start();
      return undefined;
    },
  },
  /** All links of two nodes are reset. */
  cut: {
    act({ world, random }) {
      const [a, b] = pickTwo(world, random);
      world.cut(a, b);
      return undefined;
    },
  },
  /** Two sides do not reach each other. */
  partition: {
    forMs: PARTITION_MS,
    act({ world, random }) {
      const side = sideOf(world, random);
      return world.obstruct((from, to) => side.has(from) !== side.has(to));
    },
  },
  /** One side reaches the other, which cannot answer. */
  oneWay: {
    forMs: PARTITION_MS,
    act({ world, random }) {
      const side = sideOf(world, random);
      return world.obstruct((from, to) => side.has(from) && !side.has(to));
    },
  },
  /** Bytes of one node to another wait. */
  clogLink: {
    forMs: CLOG_MS,
    act({ world, random }) {
      const [a, b] = pickTwo(world, random);
      return world.obstruct((from, to) => from === a && to === b);
    },
  },
  /** All bytes from and to a node wait. */
  clogNode: {
    forMs: CLOG_MS,
    act: ({ world, random }) => world.obstruct(clog(pick(world.nodes, random).name)),
  },
  /** Some nodes are clogged one after the other, and unclogged in another order (FoundationDB). */
  swizzle: { forMs: PARTITION_MS, act: swizzle },
  /** A disk takes its time. */
  slowDisk: {
    forMs: DISK_MS,
    act({ world, random }) {
      const node = pick(world.nodes, random);
      node.diskSlowdown = drawFrom(SLOWDOWN, random);
      return () => void (node.diskSlowdown = 1);
    },
  },
  /** A disk fails; its node ends itself, and an operator starts it on another disk. */
  failDisk: {
    forMs: DOWN_MS,
    act: (fault) => onNode(fault, (node) => node.failDisk()),
  },
  /** An actor of one type, any type, throws at a message; its node may give up and end itself. */
  crashActor: {
    forMs: DOWN_MS,
    act({ world, random }) {
      const healthy = world.nodes.filter((node) => node.healthy);
      if (healthy.length < 2) return undefined;
      const node = pick(healthy, random);
      return node.crashActor(pick(node.actorTypes, random), skipped(random));
    },
  },
  /**
   * Every type of actor of every node throws once, each at a time of its own in the first part of
   * `forMs`, so that also those that are told little come to a message within it.
   */
  crashActors: {
    forMs: CRASHES_MS,
    act: crashActors,
  },
  /** A process stands still, by a long turn or SIGSTOP; its machine answers for it. */
  stall: { forMs: HOLD_MS, act: (fault) => hold(fault, false) },
  /** A machine sleeps: its monotonic clock stands still too. */
  sleep: { forMs: HOLD_MS, act: (fault) => hold(fault, true) },
  /** A wall clock is set wrong, and right again. */
  clockJump: {
    forMs: CLOCK_MS,
    act({ world, random }) {
      const producers = world.nodes.filter(({ config }) => config.produce);
      const toProducer = random.float() < 0.5 && producers.length > 0;
      const node = pick(toProducer ? producers : world.nodes, random);
      const jumpMs = Math.round(drawFrom(JUMP_MS, random));
      // The chain of one that is ahead has to wait for that time, unless others go on without it.
      node.jumpClock(node.config.produce ? Math.min(jumpMs, PRODUCER_JUMP_MAX_MS) : jumpMs);
      return () => node.jumpClock(0);
    },
  },
  /** Threads of a pool die with what they were given. */
  loseTasks: {
    forMs: DISK_MS,
    act({ world, random }) {
      const node = pick(world.nodes, random);
      node.tasksLost = drawFrom(LOSSES, random);
      return () => void (node.tasksLost = 0);
    },
  },
} as const satisfies Record<string, FaultKind>;

/** Brings one node down, and up again. Never are all of them down. */
function onNode(
  { world, random }: FaultContext,
  end: (node: SimNode) => void,
): (() => void) | undefined {
  const healthy = world.nodes.filter((node) => node.healthy);
  if (healthy.length < 2) return undefined;
  const node = pick(healthy, random);
  end(node);
  return () => node.revive();
}

function hold({ world, random }: FaultContext, clockStands: boolean): (() => void) | undefined {
  const healthy = world.nodes.filter((node) => node.healthy);
  return healthy.length === 0 ? undefined : pick(healthy, random).hold({ clockStands });
}

function crashActors({ world, random, forMs, on }: FaultContext): () => void {
  const disarms: (() => void)[] = [];
  let mended = false;
  for (const node of world.nodes) {
    for (const type of ACTOR_TYPES) {
      const [atMs, skip] = [forMs * CRASHES_PART * random.float(), skipped(random)];
      world.after(atMs, () => {
        if (on() && !mended) disarms.push(node.crashActor(type, skip));
      });
    }
  }
  return () => {
    mended = true;
    for (const disarm of disarms) disarm();
  };
}

function swizzle({ world, random, forMs, on }: FaultContext): () => void {
  const names = [...sideOf(world, random)];
  const stepMs = forMs / (2 * names.length + 1);
  const lifts = new Map<string, () => void>();
  for (const [step, name] of shuffled(names, random).entries()) {
    world.after(step * stepMs, () => {
      if (on()) lifts.set(name, world.obstruct(clog(name)));
    });
  }
  for (const [step, name] of shuffled(names, random).entries()) {
    world.after((names.length + 1 + step) * stepMs, () => lifts.get(name)?.());
  }
  return () => {
    for (const lift of lifts.values()) lift();
  };
}

/** Mostly the next few messages, for some actors get no more than that. */
function skipped(random: Random): number {
  return Math.floor(SKIPPED_MAX * random.float() ** 2);
}

function clog(name: string): (from: string, to: string) => boolean {
  return (from, to) => from === name || to === name;
}

/** Each node with even chance; at least one. */
function sideOf({ nodes }: World, random: Random): ReadonlySet<string> {
  const side = new Set(nodes.filter(() => random.float() < 0.5).map(({ name }) => name));
  return side.add(pick(nodes, random).name);
}

function pickTwo({ nodes }: World, random: Random): readonly [string, string] {
  const one = random.uint32() % nodes.length;
  const other = one + 1 + (random.uint32() % Math.max(1, nodes.length - 1));
  return [nodes[one]!.name, nodes[other % nodes.length]!.name];
}

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.uint32() % list.length] as T;
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const left = [...list];
  return list.map(() => left.splice(random.uint32() % left.length, 1)[0] as T);
}
