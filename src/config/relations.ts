// What must hold between settings, as data: config.ts refuses what breaks one, and
// docs/configuration.md lists them beside the setting that comes first.

import { DEFAULTS } from "./defaults.js";
import { plannedBytes } from "./memory-plan.js";
import { KIB, MIB } from "./setting.js";
import { THROTTLE_BYTES_MIN } from "./settings/limits.js";
import type { NetworkConfig } from "./settings.js";

export interface Relation {
  /** The settings that it is about, the one to mend first. */
  readonly settings: readonly NumberPath[];
  /** A sentence without its end, from the first setting's name on. */
  readonly sentence: string;
  readonly holds: (config: NetworkConfig) => boolean;
}

/** The names of all numbers, `section.name`. */
export type NumberPath = PathsOf<NetworkConfig>;

type PathsOf<T> = {
  [K in keyof T & string]: T[K] extends number
    ? K
    : T[K] extends string | boolean | null | readonly unknown[]
      ? never
      : `${K}.${PathsOf<T[K]>}`;
}[keyof T & string];

export const RELATIONS: readonly Relation[] = [
  {
    settings: ["memoryBudgetBytes"],
    sentence: "memoryBudgetBytes must be at least what the other limits can hold at once",
    holds: (config) => plannedBytes(config) <= config.memoryBudgetBytes,
  },
  atMost("lanes.windowInitialBytes", "lanes.windowMaxBytes"),
  atMost("requests.timeoutMinMs", "requests.timeoutMaxMs"),
  atMost("chain.sideBytesPerPeerMax", "chain.sideBytesMax"),
  below("liveness.pingIntervalMs", "liveness.deadAfterMs"),
  below("reputation.banScore", "reputation.probationScore"),
  atMost("reputation.preferredScore", "reputation.scoreMax"),
  atMost("reputation.banMs", "reputation.banMaxMs"),
  atMost("reputation.operatorBanMs", "reputation.operatorBanMaxMs"),
  atMost("control.awayMs", "control.awayMaxMs"),
  atMost("dial.backoffMinMs", "dial.backoffMaxMs"),
  atMost("dial.resolveTimeoutMs", "dial.timeoutMs"),
  atMost("exchange.askAgainMinMs", "exchange.askAgainMaxMs"),
  below("calls.timeoutMs", "calls.threadTimeoutMs"),
  below("http.loopbackReserve", "http.connectionsMax"),
  atMost("gossip.transactionBatchMax", "serve.itemsMax"),
  atMost("sync.rangeBlocksMax", "serve.itemsMax"),
  atMost("sync.headersPerSecondMin", "sync.headersPerRequest"),
  atMost("sync.headersPerRequest", "sync.headersAheadMax"),
  atMost("sync.headersAheadMax", "sync.headersSurveyedMax"),
  atMost("sync.stallMinMs", "sync.stallMaxMs"),
  atMost("overload.dropFrom", "overload.dropAll"),
  atMost("subsystems.restMinMs", "subsystems.restMaxMs"),
  ...(
    [
      "limits.uploadBytesPerSec",
      "limits.downloadBytesPerSec",
      "limits.peerUploadBytesPerSec",
      "limits.peerDownloadBytesPerSec",
    ] as const
  ).map(noneOrUsable),
  {
    settings: ["lanes.sendQueueBytesMax", "serve.bytesSoftMax", "serve.repliesQueuedMax"],
    sentence:
      "lanes.sendQueueBytesMax must hold twice serve.repliesQueuedMax replies of serve.bytesSoftMax",
    holds: ({ serve, lanes }) =>
      serve.bytesSoftMax * serve.repliesQueuedMax * 2 <= lanes.sendQueueBytesMax,
  },
];

/** What is wrong with the first relation that does not hold, and what to do; undefined: all hold. */
export function brokenRelation(config: NetworkConfig): string | undefined {
  const broken = RELATIONS.find(({ holds }) => !holds(config));
  if (broken === undefined) return undefined;
  const [first] = broken.settings;
  if (first !== "memoryBudgetBytes") {
    const values = broken.settings.map((path) => `${path} is ${numberAt(config, path)}`);
    return `${broken.sentence}; ${values.join(", ")}`;
  }
  const planned = inMiB(plannedBytes(config));
  const lower = raisedIn(config);
  return (
    `memoryBudgetBytes is ${inMiB(config.memoryBudgetBytes)} MiB, but the limits of this ` +
    `configuration can hold ${planned} MiB: set it to ${planned * MIB} (--memory ${planned}), ` +
    `or lower ${lower.slice(0, -1).join(", ")}${lower.length > 1 ? " or " : ""}${lower.at(-1)}`
  );
}

/** At most three settings by whose defaults less could be held, the worst first. */
function raisedIn(config: NetworkConfig): readonly string[] {
  const planned = plannedBytes(config);
  const saved = [...withOneDefault(config, DEFAULTS)]
    .map(([path, other]) => ({ path, bytes: planned - plannedBytes(other as NetworkConfig) }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes);
  if (saved.length === 0) return ["maxInbound", "mempool.bytesMax", "sync.bytesInFlightMax"];
  return saved.slice(0, 3).map(({ path }) => path);
}

/** The same values with one default in its place: for each number and list, by its name. */
function* withOneDefault(values: object, defaults: object): Generator<[string, object]> {
  const byDefault = new Map<string, unknown>(Object.entries(defaults));
  for (const [key, value] of Object.entries(values) as [string, unknown][]) {
    const other = byDefault.get(key);
    if (typeof value === "number" || Array.isArray(value)) {
      yield [key, { ...values, [key]: other }];
    } else if (typeof value === "object" && value !== null) {
      for (const [path, inner] of withOneDefault(value, other as object)) {
        yield [`${key}.${path}`, { ...values, [key]: inner }];
      }
    }
  }
}

/** Peers take whoever sends more slowly for one that does not answer. */
function noneOrUsable(rate: NumberPath): Relation {
  return {
    settings: [rate],
    sentence: `${rate} must be 0 or at least ${THROTTLE_BYTES_MIN}`,
    holds: (config) => {
      const value = numberAt(config, rate);
      return value === 0 || value >= THROTTLE_BYTES_MIN;
    },
  };
}

function atMost(less: NumberPath, more: NumberPath): Relation {
  return {
    settings: [less, more],
    sentence: `${less} must be at most ${more}`,
    holds: (config) => numberAt(config, less) <= numberAt(config, more),
  };
}

function below(less: NumberPath, more: NumberPath): Relation {
  return {
    settings: [less, more],
    sentence: `${less} must be below ${more}`,
    holds: (config) => numberAt(config, less) < numberAt(config, more),
  };
}

function numberAt(config: NetworkConfig, path: NumberPath): number {
  let value: unknown = config;
  for (const key of path.split(".")) value = (value as Record<string, unknown>)[key];
  return value as number;
}

function inMiB(bytes: number): number {
  return Math.ceil(bytes / (KIB * KIB));
}
