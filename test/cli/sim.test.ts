import test from "ava";
import { startCli } from "./child.js";

test("sim prints a verdict a run, the same for the same seed", async (t) => {
  const args = ["sim", "--nodes", "3", "--minutes", "0.1", "--seed", "7", "--runs", "2", "--json"];
  const ended = await Promise.all([startCli(t, args).ended, startCli(t, args).ended]);
  const verdicts = ended.map(({ stdout }) =>
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  );
  for (const { code, stderr } of ended) {
    t.is(code, 0);
    t.is(stderr, "");
  }
  t.deepEqual(
    verdicts[0]!.map(({ ok, seed, nodes }) => ({ ok, seed, nodes })),
    [
      { ok: true, seed: "7/0", nodes: 3 },
      { ok: true, seed: "7/1", nodes: 3 },
    ],
  );
  t.deepEqual(
    verdicts[0]!.map(({ traceHash }) => traceHash),
    verdicts[1]!.map(({ traceHash }) => traceHash),
  );
});

test("sim refuses what makes no sense with one sentence and exit code 2", async (t) => {
  for (const args of [
    ["--nodes", "0"],
    ["--minutes", "soon"],
    ["--faults", "some"],
    ["--byzantine", "most"],
    ["--byzantine", "60%"],
    ["--producers", "9", "--nodes", "3"],
    ["--producers", "2", "--nodes", "2", "--byzantine", "50%"],
    ["--swarm", "--nodes", "3"],
    ["--swarm", "--traffic", "1"],
    ["--crashes", "--faults", "wild"],
    ["--large"],
    ["--nodes", "99999999999"],
    ["--minutes", "1e12"],
    ["--traffic", "1000000000"],
    ["--trace", "n1", "--runs", "2"],
    ["--trace", "n99"],
    ["--trace", "b0"],
    ["--trace", "abc"],
  ]) {
    const { code, stdout, stderr } = await startCli(t, ["sim", ...args]).ended;
    t.is(code, 2, args.join(" "));
    t.is(stdout, "");
    const sentences = stderr.split("\n").filter((line) => /^[^(\s]/.test(line));
    t.is(sentences.length, 1, stderr);
  }
});

test("sim says so when a trace shows nothing", async (t) => {
  const args = ["sim", "--nodes", "1", "--minutes", "0.05", "--trace", "#0123456789abcdef"];
  const { code, stdout, stderr } = await startCli(t, args).ended;
  t.is(code, 0);
  t.is(stdout.trim().split("\n").length, 1);
  t.regex(stderr, /Nothing of this run mentions #0123456789abcdef/);
});
