// Where the hosts of a world stand: their regions, the delays between these, and the lines of each
// host. Drawn from the seed and the host's name alone, so that one host more moves no other.

import { invariant } from "../errors.js";
import type { SeededRandom } from "../runtime/random.js";
import type { HostRates, PathOptions } from "../transport/memory-paths.js";
import { drawFrom, type Range } from "./range.js";

export interface Regions {
  readonly names: readonly string[];
  /** One way, from the region of the row to that of the column, both in the order of `names`. */
  readonly oneWayMs: readonly (readonly number[])[];
}

/** Round numbers of the kind that public looking glasses show between large data centres. */
export const FIVE_REGIONS: Regions = Object.freeze({
  names: ["us-east", "us-west", "europe", "asia-east", "south-america"],
  oneWayMs: [
    [5, 35, 45, 90, 65],
    [35, 5, 75, 60, 95],
    [45, 75, 8, 120, 105],
    [90, 60, 120, 15, 160],
    [65, 95, 105, 160, 10],
  ],
});

/**
 * What chance adds to a distance is Pareto distributed with exponent 2: half of all chunks take 2 %
 * longer, one in a hundred 45 %, one in a thousand 150 %; the rest is cut off.
 */
const TAIL_SCALE = 0.05;
const TAIL_MAX = 3;

export interface LinkOptions {
  /** One way; up to `jitterMs` more. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** Of each direction of each link; absent: unlimited. */
  readonly bytesPerSecond?: number;
  /** A longer chunk arrives in pieces of random length up to this; absent: whole. */
  readonly pieceBytesMax?: number;
  /** What the distance of two hosts' regions adds; absent: nothing. */
  readonly regions?: Regions;
  /** The region of a host by its name; undefined, or absent: drawn from the seed. */
  readonly regionOf?: (host: string) => string | undefined;
  /** Of each host's own line, which its links share; absent: unlimited. */
  readonly upBytesPerSecond?: Range;
  readonly downBytesPerSecond?: Range;
}

export const SIM_LINKS: LinkOptions = { latencyMs: 40, jitterMs: 40 };

export interface Places extends Pick<PathOptions, "distanceMs" | "ratesOf"> {
  /** Undefined when the world knows no regions. */
  regionOf(host: string): string | undefined;
}

type PlaceLinks = Pick<LinkOptions, "regions" | "regionOf" | "upBytesPerSecond"> &
  Pick<LinkOptions, "downBytesPerSecond">;

export function createPlaces(links: PlaceLinks, random: SeededRandom): Places {
  const { regions } = links;
  if (regions !== undefined) checkRegions(regions);
  const rateOf = (host: string, line: "upBytesPerSecond" | "downBytesPerSecond"): HostRates => {
    const range = links[line];
    return range === undefined ? {} : { [line]: drawFrom(range, random.fork(`${host} ${line}`)) };
  };
  const ratesOf = (host: string): HostRates => ({
    ...rateOf(host, "upBytesPerSecond"),
    ...rateOf(host, "downBytesPerSecond"),
  });
  if (regions === undefined) return { ratesOf, regionOf: () => undefined };
  const { names, oneWayMs } = regions;
  const known = new Map<string, number>();
  const placeOf = (host: string): number => {
    let index = known.get(host);
    if (index === undefined) {
      const given = links.regionOf?.(host);
      index =
        given === undefined
          ? random.fork(`${host} region`).uint32() % names.length
          : names.indexOf(given);
      invariant(index >= 0, `there is a region ${given}`);
      known.set(host, index);
    }
    return index;
  };
  return {
    ratesOf,
    regionOf: (host) => names[placeOf(host)],
    distanceMs(from, to) {
      const baseMs = oneWayMs[placeOf(from)]![placeOf(to)]!;
      // A root, not a power or an exponential: IEEE 754 fixes its last bit on every machine.
      const tail = TAIL_SCALE * (1 / Math.sqrt(1 - random.float()) - 1);
      return baseMs * (1 + Math.min(tail, TAIL_MAX));
    },
  };
}

function checkRegions({ names, oneWayMs }: Regions): void {
  const rows = [oneWayMs, ...oneWayMs];
  invariant(
    names.length > 0 && rows.every((row) => row.length === names.length),
    "the table of regions is a square of their number",
  );
}
