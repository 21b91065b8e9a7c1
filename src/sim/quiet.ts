// Liveness of links, in a world without faults: without news no healthy connection ends, however long
// a round trip takes; a short standstill of one node costs none; and those that break come back soon,
// whatever went wrong before, and leave nothing behind; nor does any actor hold a place for what
// never ends. `simulate` asks for it in the end.

import type { SimNode } from "./sim-node.js";
import type { World } from "./world.js";

/** Until what is under way when the quiet begins has ended. */
const SETTLE_MS = 10_000;
/** The slowest simulated round trip, and a node's turns. */
const ROUND_TRIP_MAX_MS = 3_000;
/** The first backoff, of one to two seconds, and the round trips of a dial and two hellos. */
const RECONNECT_MAX_MS = 12_000;
/** A connection that held for so long counts as a good one: its backoff begins anew. */
const STABLE_MS = 65_000;
const GONE_MS = 500;
/** Now and then something is announced again: between two such times all are at rest. */
const REST_MS = 20_000;

/** What is wrong is reported; rejects with SimulationFailed. */
export async function quietLinks(world: World, quietMs: number): Promise<void> {
  const up = world.nodes.filter((node) => node.up);
  await world.runFor(SETTLE_MS);
  await nobodyGoes(world, up, "in the quiet", () => world.runFor(quietMs));

  // Blocks go on: there is a moment between two of them when nothing is under way on any link.
  const resting = (): boolean =>
    up.every(({ unrest }) => unrest === undefined) && world.creditFaultAtRest() === undefined;
  if (!(await world.runUntil(resting, REST_MS))) {
    for (const { name, unrest } of up) {
      if (unrest !== undefined) world.report(`${name} holds a place in the quiet: ${unrest}`);
    }
    const fault = world.creditFaultAtRest();
    if (fault !== undefined) world.report(fault);
  }

  const patient = up.find((node) => up.every((other) => other === node || outlasts(other, node)));
  if (patient !== undefined) {
    await nobodyGoes(world, up, `after a standstill of ${patient.name}`, async () => {
      const release = patient.hold({ readsLast: true });
      await world.runFor(standstillMs(patient));
      release?.();
      await world.runFor(2 * ROUND_TRIP_MAX_MS);
    });
  }
}

/** Rejects with SimulationFailed. */
export async function brokenLinks(world: World): Promise<void> {
  await world.runFor(STABLE_MS);
  for (const { name } of world.nodes) world.cut(name);
  // Before the first of them can dial again, nobody has a peer, nor anything that belongs to one.
  await world.runFor(GONE_MS);
  world.checkInvariants();
  await world.connectKnown(RECONNECT_MAX_MS);
}

async function nobodyGoes(
  world: World,
  nodes: readonly SimNode[],
  when: string,
  run: () => Promise<void>,
): Promise<void> {
  const before = nodes.map((node) => node.peersGone);
  await run();
  for (const [index, node] of nodes.entries()) {
    if (node.peersGone > before[index]!) world.report(`${node.name} lost a connection ${when}`);
  }
  await world.runFor(0);
}

/** Longer than the node itself waits for a sign of life, of which it reads none meanwhile. */
function standstillMs({ config }: SimNode): number {
  return config.liveness.deadAfterMs + 500;
}

/** Whether a node still holds on to another one that stood still and then answers. */
function outlasts({ config: { liveness } }: SimNode, other: SimNode): boolean {
  const silentMs = liveness.pingIntervalMs + standstillMs(other) + ROUND_TRIP_MAX_MS;
  return silentMs < liveness.deadAfterMs;
}
