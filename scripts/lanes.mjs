// Where each test file runs. By folder, or by file where one differs from its folder (the longest
// name that fits holds):
//   shared  many files in one process, their tests one after another. For files that start no
//           process, thread or socket and leave nothing changed behind them.
//   own     a process for each file.
//   slow    a process for each file, and with `npm test -- --all` only, which CI runs. For files
//           that take more than about 5 s of processor time.
// Run alone, a check: each test file has a lane, and no shared file does what it must not.

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { root } from "./prepare-project.mjs";

const lanes = {
  shared: [
    "actors",
    "api",
    "bench",
    "bytes",
    "chain",
    "config",
    "drill",
    "log",
    "protocol",
    "runtime",
    "sim",
    "storage/chain-view",
    "workers",
  ],
  own: [
    "api/event-source",
    "api/events",
    "api/guard",
    "api/peer-routes",
    "api/server",
    "bytes/release",
    "cli",
    "compose",
    "embedding",
    "fuzz",
    "network",
    "node",
    "runtime/clocks",
    "runtime/thread-life",
    "runtime/threads",
    "storage",
    "transport",
    "workers/differential",
    "workers/thread-watch",
  ],
  slow: [
    "cli/chain",
    "cli/damaged-store",
    "cli/data-directory",
    "cli/drill",
    "cli/link-local",
    "cli/run",
    "cli/sim",
    "cli/standard-output",
    "compat",
    "embedding/examples",
    "embedding/network-thread",
    "lint",
    "node/hostile-bytes",
    "node/restart",
    "sim/byzantine",
    "sim/byzantine-swarm",
    "sim/crash-storm",
    "sim/determinism",
    "sim/eclipse",
    "sim/hostile-servers",
    "sim/newcomers",
    "sim/swarm",
    "sim/throttle",
    "sim/withholders",
    "storage/lmdb-environment",
    "types",
    "workers/pool",
  ],
};

const places = Object.entries(lanes).flatMap(([lane, names]) =>
  names.map((name) => ({ lane, name })),
);

/** What a shared file would do to the others in its process. */
const notShared =
  /node:(child_process|cluster|dgram|http|https|net|tls|worker_threads)\b|\btest\.(serial|before|after|beforeEach|afterEach)\b|\bprocess\.(env|on|once|exit|exitCode|chdir)\b|\bmock\b/;

/** Compiled test files by lane: `{ shared: ["dist/test/chain/block.test.js", …], own, slow }`. */
export function filesByLane() {
  const files = { shared: [], own: [], slow: [] };
  for (const name of testNames()) files[placeOf(name)?.lane]?.push(`dist/test/${name}.test.js`);
  return files;
}

/** Of a file by its path under `test`, without its ending: `chain/block`. */
function placeOf(name) {
  const fitting = places.filter((place) => `${name}/`.startsWith(`${place.name}/`));
  return fitting.sort((one, other) => other.name.length - one.name.length)[0];
}

function testNames() {
  return readdirSync(path.join(root, "test"), { recursive: true })
    .map((file) => file.replaceAll(path.sep, "/"))
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => file.slice(0, -".test.ts".length))
    .sort();
}

function* faults() {
  const used = new Set();
  for (const name of testNames()) {
    const place = placeOf(name);
    used.add(place);
    if (place === undefined) yield `test/${name}.test.ts is in no lane.`;
    if (place?.lane !== "shared") continue;
    const found = notShared.exec(readFileSync(path.join(root, "test", `${name}.test.ts`), "utf8"));
    if (found) yield `test/${name}.test.ts shares a process, but has ${found[0]}.`;
  }
  for (const place of places) {
    const twice = places.some((other) => other !== place && other.name === place.name);
    if (twice) yield `${place.name} is named twice.`;
    if (!used.has(place)) yield `${place.name} (${place.lane}) holds for no test file.`;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const fault of faults()) {
    console.error(`${fault} See scripts/lanes.mjs.`);
    process.exitCode = 1;
  }
}
