// From the flags of `run` and its configuration file to the configuration of a network. Flags win
// over the file; what neither says has its default in src/config.ts.

import { readFileSync } from "node:fs";
import path from "node:path";
import { networkConfigSchema, type NetworkConfigInput } from "../config.js";
import { CodedError } from "../errors.js";
import type { LogLevel } from "../ports.js";

export interface RunFlags {
  readonly listen?: readonly string[];
  readonly advertise?: readonly string[];
  readonly seed?: readonly string[];
  readonly data?: string;
  readonly http?: string;
  readonly httpHost?: readonly string[];
  readonly httpTokenFile?: string;
  readonly network?: string;
  readonly produce?: boolean;
  readonly alone?: boolean;
  readonly config?: string;
  readonly logLevel: LogLevel | "silent";
  readonly nodeId?: string;
  readonly trusted?: readonly string[];
  readonly maxInbound?: number;
  readonly maxOutbound?: number;
  /** MiB. */
  readonly memory?: number;
}

/** Throws CONFIG_INVALID; what the network's own checks refuse is refused when it starts. */
export function networkInput(flags: RunFlags): NetworkConfigInput {
  const file = flags.config === undefined ? {} : readConfigFile(flags.config);
  const given: NetworkConfigInput = {
    bindAddr: flags.listen,
    advertise: flags.advertise,
    seedPeers: flags.seed,
    dataDir: flags.data === undefined ? undefined : path.resolve(flags.data),
    network: flags.network,
    produce: flags.produce,
    alone: flags.alone,
    nodeId: flags.nodeId,
    trustedPeers: flags.trusted,
    maxInbound: flags.maxInbound,
    maxOutbound: flags.maxOutbound,
    memoryBudgetBytes: flags.memory === undefined ? undefined : flags.memory * 1_024 * 1_024,
    http: flags.httpHost && { ...file.http, hosts: flags.httpHost },
  };
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...file, ...Object.fromEntries(said) };
}

/** Throws CONFIG_INVALID. */
export function readConfigFile(file: string): NetworkConfigInput {
  const refuse = (what: string): CodedError =>
    new CodedError("CONFIG_INVALID", `The configuration file ${file} ${what}.`);
  let text: string;
  try {
    // Editors on Windows mark UTF-8 by a character that JSON has not.
    text = readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw refuse(`cannot be read: ${(error as Error).message}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw refuse(`is not JSON: ${(error as Error).message.replaceAll("\n", " ")}`);
  }
  const parsed = networkConfigSchema.safeParse(json);
  if (parsed.success) return parsed.data as NetworkConfigInput;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") ?? "";
  throw refuse(`is invalid: ${where === "" ? "" : `${where}: `}${issue?.message ?? "unknown"}`);
}
