// Each example runs as a user would run it, in a process of its own. What it loaded is read off
// V8's coverage, which names every script of the process and its threads.

import test from "ava";
import type { ExecutionContext } from "ava";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

/** dist/, wherever it is. */
const built = path.resolve(import.meta.dirname, "../..");
const source = path.join(built, "..", "examples");

interface Run {
  readonly lines: readonly string[];
  /** URLs. */
  readonly loaded: readonly string[];
}

async function run(t: ExecutionContext, example: string): Promise<Run> {
  const coverage = await mkdtemp(path.join(tmpdir(), "vibecoin-example-"));
  t.teardown(() => rm(coverage, { recursive: true }));
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [path.join(built, "examples", `${example}.js`)],
    { env: { ...process.env, NODE_V8_COVERAGE: coverage }, timeout: 90_000 },
  );
  t.is(stderr, "");
  const loaded = new Set<string>();
  for (const file of await readdir(coverage)) {
    const report = JSON.parse(await readFile(path.join(coverage, file), "utf8")) as {
      result: { url: string }[];
    };
    for (const { url } of report.result) loaded.add(url);
  }
  return { lines: stdout.trimEnd().split("\n"), loaded: [...loaded] };
}

/** The heavy packages that one run has loaded. */
function heavy({ loaded }: Run): string[] {
  const packages = ["comlink", "fastify", "lmdb", "pino", "piscina", "sodium-native", "zod"];
  return packages.filter((name) => loaded.some((url) => url.includes(`/node_modules/${name}/`)));
}

async function lineCount(example: string): Promise<number> {
  const text = await readFile(path.join(source, `${example}.ts`), "utf8");
  return text.trimEnd().split("\n").length;
}

test.serial("the library in ten lines syncs one node from another", async (t) => {
  t.true((await lineCount("library")) <= 11, "ten lines under their title");
  const result = await run(t, "library");
  t.regex(result.lines.join("\n"), /^height [3-9], 1 peer, head [0-9a-f]{64}$/);
  t.true(heavy(result).includes("piscina"));
  t.true(heavy(result).includes("sodium-native"), "what pool threads load is seen too");
});

test.serial("two nodes chat in 30 lines, by a protocol of their own", async (t) => {
  t.true((await lineCount("chat")) <= 30);
  const { lines } = await run(t, "chat");
  t.deepEqual(lines, ["Ann hears: hello Ann", "Bob hears: hello Bob"]);
});

test.serial("the reputation actor runs alone, in 30 lines and without a native part", async (t) => {
  t.true((await lineCount("reputation-alone")) <= 30);
  const result = await run(t, "reputation-alone");
  t.deepEqual(result.lines, ["client-1 is banned for InvalidBlock: seen by the gateway"]);
  t.deepEqual(heavy(result), ["comlink"]);
  const own = result.loaded.filter((url) => url.includes("/dist/src/"));
  t.true(own.some((url) => url.endsWith("/actors/peer/peer-reputation.js")));
  const adapters = /\/src\/(storage|transport|workers|compose|chain\/signatures)/;
  t.deepEqual(
    own.filter((url) => adapters.test(url)),
    [],
  );
});

test.serial("the reputation actor runs in a thread", async (t) => {
  const { lines } = await run(t, "reputation-thread");
  t.regex(lines.join(" "), /the thread says .*PeerBanned.*client-1.*InvalidBlock.*a wrong root/);
  t.is(lines.at(-1), "client-2 is neutral with a score of -10");
});

test.serial("a chain developer's own mempool and network decide", async (t) => {
  const { lines } = await run(t, "enhanced-network");
  t.deepEqual(lines, [
    "the stranger's order: invalid",
    "the member's order: taken",
    "block 1 confirms 1 transaction",
  ]);
});

test.serial(
  "a chain developer's own chain is simulated, and a planted mistake found",
  async (t) => {
    const { lines } = await run(t, "simulate-tea");
    t.is(lines.length, 2);
    t.regex(lines[0]!, /^members only: [1-9]\d+ blocks, all checks hold$/);
    t.regex(lines[1]!, /^open to all: no tea for strangers: the head of n\d serves one$/);
  },
);

test.serial("own parts are made in the network's thread", async (t) => {
  const { lines } = await run(t, "enhanced-thread");
  t.deepEqual(lines, [
    "the member's order: taken",
    "block 1 confirms 1 transaction",
    "the thread has ended in good order",
  ]);
});

test.serial(
  "a host that blocks its own loop does not harm pings of a network thread",
  async (t) => {
    const { lines } = await run(t, "network-thread");
    t.log(...lines);
    const p99Of = (where: string): number => {
      const line = lines.find((each) => each.startsWith(`${where}: 200 pings`));
      return Number(/p99 ([0-9.]+) ms$/.exec(line ?? "")?.[1]);
    };
    t.true(p99Of("in a thread") < 150);
    // The proof that the host does block: the same network in its own loop answers with its delay.
    t.true(p99Of("in the host's loop") >= 150);
  },
);
