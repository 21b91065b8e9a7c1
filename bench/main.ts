// The bench runner: `npm run bench` lists the benches, `npm run bench -- NAME` runs one, alone or
// beside js-libp2p. The only table of benches; each is loaded when it is run.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { profileChildren } from "./lib/child.js";
import { guard } from "./lib/guard.js";
import { installLibp2p, libp2pVersion } from "./lib/libp2p.js";
import { runAll, writePerformance } from "./lib/performance.js";
import { printProfiles, profileHere, readProfiles } from "./lib/profile.js";
import type { BenchOptions } from "./lib/report.js";
import { runSizes, writeScale } from "./lib/scale-report.js";
import { parseLines } from "./lib/run-bench.js";

interface Bench {
  readonly measures: string;
  /** A bench of docs/performance.md, and the roles of ours whose profiles stand there. */
  readonly hotRoles?: readonly string[];
  load(): Promise<{ run(options: BenchOptions): Promise<void> }>;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  actors: {
    measures: "tells and asks per second, here and across threads, beside fastq and MessagePort",
    hotRoles: ["bench"],
    load: () => import("./actors.js"),
  },
  codec: {
    measures: "frames and bytes per second, encoded and decoded, beside bare cbor-x",
    hotRoles: ["bench"],
    load: () => import("./codec.js"),
  },
  bulk: {
    measures: "64 KiB payloads a second through lanes and a handler, beside bare TLS",
    hotRoles: ["bulk-vibecoin-sender", "bulk-vibecoin-receiver"],
    load: () => import("./bulk.js"),
  },
  messages: {
    measures: "188-byte messages a second, decoded and routed, beside bare TLS with cbor-x",
    hotRoles: ["messages-vibecoin-sender", "messages-vibecoin-receiver"],
    load: () => import("./messages.js"),
  },
  reqresp: {
    measures: "requests and answers on one connection, one at a time and 16 in flight",
    hotRoles: ["asker", "answerer"],
    load: () => import("./reqresp.js"),
  },
  connections: {
    measures: "connections accepted per processor second, and memory of idle ones",
    hotRoles: ["acceptor"],
    load: () => import("./connections.js"),
  },
  crowd: {
    measures: "what 200,000 connections that come and go leave, and 5,000 idle ones hold",
    load: () => import("./crowd.js"),
  },
  gossip: {
    measures: "transactions from one publisher to eight subscribers: latency, cost, bytes",
    hotRoles: ["nodes"],
    load: () => import("./gossip.js"),
  },
  "gossip-rate": {
    measures: "the highest rate that the network of the gossip bench sustains",
    hotRoles: ["nodes"],
    load: () => import("./gossip-rate.js"),
  },
  compact: {
    measures: "a tip block in compact form: until it is passed on, and validated, and its bytes",
    load: () => import("./compact.js"),
  },
  start: {
    measures: "a process until peers can connect, on 100,000 blocks, beside a bare node:tls",
    hotRoles: [],
    load: () => import("./start.js"),
  },
  sync: {
    measures: "a full sync between two processes beside bare signature checks; pings, loop delay",
    hotRoles: ["holder", "syncer"],
    load: () => import("./sync.js"),
  },
  reorg: {
    measures: "a move to a heavier branch: loop delay, memory, transactions that come back",
    load: () => import("./reorg.js"),
  },
  sim: {
    measures: "simulated networks of 10 to 1,000 nodes: block propagation, bytes, connections",
    load: () => import("./sim.js"),
  },
  workers: {
    measures: "checked transactions per second by pool threads; a network beside a busy host",
    hotRoles: ["checker"],
    load: () => import("./workers.js"),
  },
  overload: {
    measures: "ten times the transactions that a node can check: blocks, pings, drops, recovery",
    load: () => import("./overload.js"),
  },
  hostile: {
    measures: "a node under hostile sockets and floods: rules, memory, what honest peers notice",
    load: () => import("./hostile.js"),
  },
};

const USAGE =
  "usage: npm run bench -- NAME [--smoke | --full] [--json] [--vs libp2p] [--profile]; " +
  "--list for the names, guard, report or report-scale [--from FILE]";
const ROUNDS = 3;
const BUILD = join(".build", "bench");

process.exitCode = await main(process.argv.slice(2));

/** Answers the exit code: 2 for what cannot be asked for. */
async function main(args: string[]): Promise<number> {
  const asked = parse(args);
  if (asked === undefined) return refuse(USAGE);
  const { name, list, options, profile, from } = asked;
  if (list || name === undefined) {
    for (const [known, { measures }] of Object.entries(BENCHES)) {
      console.log(list ? known : `${known.padEnd(13)}${measures}`);
    }
    return 0;
  }
  if (name === "guard") return (await guard()) ? 0 : 1;
  if (name === "report") return report(options, from);
  if (name === "report-scale") return scale(from);
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (bench === undefined) {
    return refuse(`${name} is no bench: there are ${Object.keys(BENCHES).join(", ")}`);
  }
  if (options.libp2p) installLibp2p();
  if (options.json) console.log(JSON.stringify({ bench: name, ...machine(options) }));
  const loaded = await bench.load();
  if (profile) await runProfiled(name, () => loaded.run(options), options);
  else await loaded.run(options);
  return 0;
}

/** The profiles of the bench's own thread and of all threads of its children. */
async function runProfiled(
  name: string,
  run: () => Promise<void>,
  { json }: BenchOptions,
): Promise<void> {
  const directory = join(process.cwd(), BUILD, "profiles", name);
  rmSync(directory, { recursive: true, force: true });
  profileChildren(directory);
  const ended = await profileHere();
  await run();
  const profiles = [await ended(), ...readProfiles(directory)];
  if (json) {
    for (const profile of profiles) console.log(JSON.stringify({ bench: name, ...profile }));
  } else {
    printProfiles(profiles);
    console.log(`\nThe profiles of its processes are in ${directory}.`);
  }
}

/** Measures and profiles into docs/performance.md; from stored lines without measuring. */
async function report({ smoke }: BenchOptions, from: string | undefined): Promise<number> {
  const file = from ?? join(BUILD, "report.jsonl");
  const reported = Object.entries(BENCHES).flatMap(([name, { hotRoles }]) =>
    hotRoles === undefined ? [] : { name, hotRoles },
  );
  mkdirSync(BUILD, { recursive: true });
  if (from === undefined) await runAll(reported, smoke ? ["--smoke"] : [], file);
  writePerformance("docs", parseLines(readFileSync(file, "utf8")));
  console.log(`docs/performance.md is written from ${file}.`);
  return 0;
}

/** How simulated networks grow, into docs/scale.md; from stored lines without simulating. */
async function scale(from: string | undefined): Promise<number> {
  const file = from ?? join(BUILD, "scale.jsonl");
  mkdirSync(BUILD, { recursive: true });
  if (from === undefined) await runSizes(file);
  writeScale("docs", readFileSync(file, "utf8"));
  console.log(`docs/scale.md is written from ${file}.`);
  return 0;
}

function refuse(sentence: string): number {
  console.error(sentence);
  return 2;
}

function parse(args: string[]) {
  const flag = { type: "boolean", default: false } as const;
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        smoke: flag,
        full: flag,
        json: flag,
        list: flag,
        profile: flag,
        vs: { type: "string" },
        from: { type: "string" },
      },
    });
    const { smoke, full, json, list, profile, vs, from } = values;
    if (positionals.length > 1 || (smoke && full)) return undefined;
    if (vs !== undefined && vs !== "libp2p") return undefined;
    const rounds = smoke || profile ? 1 : ROUNDS;
    const options: BenchOptions = {
      smoke,
      json,
      profiled: profile,
      libp2p: vs === "libp2p",
      rounds,
    };
    return { name: positionals[0], list, profile, options, from };
  } catch {
    return undefined;
  }
}

/** What a figure is worth nothing without. */
function machine({ smoke, libp2p }: BenchOptions) {
  return {
    size: smoke ? "smoke" : "full",
    machine: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    load: loadavg()[0],
    node: process.version,
    ...(libp2p ? { libp2p: libp2pVersion() } : {}),
    commit: commit(),
    date: new Date().toISOString(),
  };
}

function commit(): string {
  try {
    const git = ["describe", "--always", "--dirty", "--abbrev=12"];
    return execFileSync("git", git, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}
