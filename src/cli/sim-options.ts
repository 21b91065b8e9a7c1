// What the flags of `sim` ask for: the options of a simulation, and the command that runs it again.

import { CodedError } from "../errors.js";
import { seededRandom } from "../runtime/random.js";
import { crashStorm, drawScripts, drawSwarm, type SimulateOptions } from "../sim/index.js";

export interface WorldFlags {
  readonly nodes: number;
  readonly producers?: number;
  readonly minutes?: number;
  readonly seed: string;
  readonly faults: "none" | "mild" | "wild";
  /** A fraction of the nodes. */
  readonly byzantine: number;
  readonly traffic: number;
  readonly swarm?: boolean;
  readonly large?: boolean;
  readonly crashes?: boolean;
}

const PRODUCERS = 3;
const MINUTES = 2;
const CRASHES_MINUTES = 10;

/** Throws CONFIG_INVALID. */
export function optionsOf(flags: WorldFlags, seed: string): SimulateOptions {
  const { swarm = false, large = false, crashes = false } = flags;
  if (large && !swarm) throw refusal("--large is of swarms: give --swarm too.");
  if (swarm) return drawSwarm(seed, { large });
  if (crashes) return crashStorm(seed, flags.minutes ?? CRASHES_MINUTES, flags.nodes);
  const { faults, traffic, minutes = MINUTES } = flags;
  const byzantine = Math.floor(flags.nodes * flags.byzantine);
  const nodes = flags.nodes - byzantine;
  const { producers = Math.min(PRODUCERS, nodes) } = flags;
  if (producers > nodes) {
    throw refusal(`There are ${nodes} honest nodes, so ${producers} cannot produce blocks.`);
  }
  return {
    seed,
    nodes,
    producers,
    byzantine: drawScripts(byzantine, seededRandom(`scripts ${seed}`)),
    durationMs: minutes * 60_000,
    faults,
    ...(traffic === 0 ? {} : { traffic: { perSecond: traffic } }),
  };
}

export function replayOf(flags: WorldFlags, seed: string): string {
  const { swarm, large, crashes, nodes } = flags;
  const command = (text: string): string => `vibecoin-node sim ${text} --seed ${seed}`;
  if (swarm === true) return command(large === true ? "--swarm --large" : "--swarm");
  const { minutes = crashes === true ? CRASHES_MINUTES : MINUTES } = flags;
  if (crashes === true) return command(`--crashes --nodes ${nodes} --minutes ${minutes}`);
  const { faults, byzantine, traffic } = flags;
  const producers = optionsOf(flags, seed).producers ?? PRODUCERS;
  const drawn = `--nodes ${nodes} --producers ${producers} --minutes ${minutes}`;
  const rest = `--faults ${faults} --byzantine ${100 * byzantine}% --traffic ${traffic}`;
  return command(`${drawn} ${rest}`);
}

function refusal(sentence: string): CodedError {
  return new CodedError("CONFIG_INVALID", sentence);
}
