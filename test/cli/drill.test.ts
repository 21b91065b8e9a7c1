// `drill` as an operator meets it: whole processes, so one test at a time.

import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import type { ReportCard } from "../../src/drill/report-card.js";
import { runCli, startCli, temporaryDirectory, type Ended } from "./child.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FLOOD = {
  in: "protocol/session/control-limits.js",
  find: 'return isDue ? undefined : violation("flood", "too many pings");',
  with: "return undefined;",
};

/** The directory below which drills make theirs. */
async function ownTemporary(t: ExecutionContext): Promise<string> {
  const directory = await temporaryDirectory(t);
  process.env["TMPDIR"] = directory;
  t.teardown(() => delete process.env["TMPDIR"]);
  return directory;
}

function cardsOf({ stdout }: Ended): readonly ReportCard[] {
  const lines = stdout.trim().split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as ReportCard);
}

test.serial("drills attack the operator's configuration and leave nothing behind", async (t) => {
  t.timeout(110_000);
  const given = await temporaryDirectory(t);
  const temporary = await ownTemporary(t);
  const dataDir = path.join(given, "mine");
  const file = path.join(given, "node.json");
  await writeFile(file, JSON.stringify({ dataDir, maxInbound: 12 }));
  const flags = ["--config", file, "--json", "--seconds", "1"];
  const ended = await runCli(t, "drill", "frame-length-bomb", "ping-flood", ...flags);
  t.is(ended.stderr, "");
  const cards = cardsOf(ended);
  t.deepEqual(
    cards.map(({ name, failures }) => [name, failures]),
    [
      ["frame-length-bomb", []],
      ["ping-flood", []],
    ],
  );
  t.true(ended.stdout.endsWith("\n2 passed, 0 failed\n"));
  t.is(ended.code, 0);
  for (const { node, honest, attacker } of cards) {
    t.true(attacker.connections > 0 && attacker.cpuSeconds > 0);
    t.true(honest.blocksMade > 0);
    t.true(node.worstCaseMiB > node.leasedPeakMiB);
    t.true((node.rssAnonPeakMiB ?? 1) > 0);
  }
  t.true(cards[1]!.node.ends["flood"]! > 0);
  t.deepEqual(await readdir(temporary), []);
  t.deepEqual(await readdir(given), ["node.json"]);
});

test.serial("a node without a defence fails the drill that is about it", async (t) => {
  t.timeout(110_000);
  await ownTemporary(t);
  // Beside the build, where its packages are found.
  const copy = path.join(await temporaryDirectory(t), "copy");
  await mkdir(path.join(copy, "dist"), { recursive: true });
  await cp(path.join(ROOT, "dist", "src"), path.join(copy, "dist", "src"), { recursive: true });
  await cp(path.join(ROOT, "package.json"), path.join(copy, "package.json"));
  await symlink(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"));
  const module = path.join(copy, "dist", "src", FLOOD.in);
  const code = await readFile(module, "utf8");
  t.is(code.split(FLOOD.find).length, 2, "its text is there");
  await writeFile(module, code.replace(FLOOD.find, FLOOD.with));
  const main = path.join(copy, "dist", "src", "main.js");
  const ended = await startCli(t, ["drill", "ping-flood", "--json", "--seconds", "1"], { main })
    .ended;
  t.is(ended.code, 1);
  t.true(ended.stdout.endsWith("\n0 passed, 1 failed\n"));
  const [card] = cardsOf(ended);
  t.true(card!.failures.includes("nothing was ended by flood"), card!.failures.join("; "));
});

test.serial("an interrupted drill ends every process that it started", async (t) => {
  const temporary = await ownTemporary(t);
  const drill = startCli(t, ["drill", "ping-flood", "--seconds", "60"]);
  const children = await childrenOf(drill.pid, 4);
  drill.kill("SIGINT");
  const { code, stderr } = await drill.ended;
  t.is(code, 1);
  t.is(stderr, "vibecoin-node: the drill was ended by SIGINT.\n");
  for (const pid of children) await ends(pid);
  t.deepEqual(await readdir(temporary), []);
});

test.serial("drill refuses what there is not with one sentence and exit 2", async (t) => {
  for (const [args, sentence] of [
    [["ping-floood"], /There is no drill "ping-floood"/],
    [["all", "--config", "/missing.json"], /configuration file \/missing\.json/],
  ] as const) {
    const { code, stderr } = await runCli(t, "drill", ...args);
    t.is(code, 2);
    t.regex(stderr, sentence);
    t.regex(stderr, /^vibecoin-node: [^\n]+\n$/);
  }
});

/** Waits until it has so many. */
async function childrenOf(pid: number, count: number): Promise<readonly string[]> {
  for (;;) {
    const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    const children = text.trim().split(" ");
    if (children.length >= count) return children;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Resolves when there is no such process. */
async function ends(pid: string): Promise<void> {
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
    if (stat === undefined || /\) Z /.test(stat)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
