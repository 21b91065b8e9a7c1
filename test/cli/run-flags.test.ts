import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { LOADING_DESCRIPTORS } from "../../src/cli/limits.js";
import { createProgram } from "../../src/cli/program.js";
import { networkInput } from "../../src/cli/run-flags.js";
import { peerSlots } from "../../src/config/memory-plan.js";
import { DEFAULTS, resolveConfig } from "../../src/config.js";
import { temporaryDirectory } from "./child.js";

const logLevel = "info";

test("flags win over the file, and the file over the defaults", async (t) => {
  const config = path.join(await temporaryDirectory(t), "node.json");
  const said = { maxInbound: 3, maxOutbound: 4, produce: true, mempool: { countMax: 5 } };
  await writeFile(config, JSON.stringify(said));
  const input = networkInput({ config, maxOutbound: 6, produce: false, logLevel });
  const resolved = resolveConfig(input);
  t.is(resolved.maxInbound, 3);
  t.is(resolved.maxOutbound, 6);
  t.false(resolved.produce);
  t.is(resolved.mempool.countMax, 5);
  t.is(resolved.mempool.perSenderMax, resolveConfig().mempool.perSenderMax);
});

test("a node is alone only when it is told so", (t) => {
  t.false(resolveConfig(networkInput({ logLevel })).alone);
  t.true(resolveConfig(networkInput({ alone: true, logLevel })).alone);
});

test("a name for HTTP leaves the rest of what the file says of it", async (t) => {
  const config = path.join(await temporaryDirectory(t), "node.json");
  await writeFile(config, JSON.stringify({ http: { hosts: ["a"], perAddressMax: 9 } }));
  const { http } = resolveConfig(networkInput({ config, httpHost: ["node.example"], logLevel }));
  t.deepEqual(http.hosts, ["node.example"]);
  t.is(http.perAddressMax, 9);
});

test("without flags nothing is said, so a node listens nowhere and keeps nothing", (t) => {
  t.deepEqual(networkInput({ logLevel }), {});
});

test("every flag reaches its field, and the directory is made absolute", (t) => {
  const input = networkInput({
    listen: ["127.0.0.1:1", "[::1]:1"],
    advertise: ["192.0.2.1:1"],
    seed: ["127.0.0.1:2"],
    data: "here",
    network: "vibecoin-test",
    nodeId: "me",
    trusted: ["ab"],
    maxInbound: 0,
    memory: 2,
    logLevel,
  });
  t.deepEqual(input, {
    bindAddr: ["127.0.0.1:1", "[::1]:1"],
    advertise: ["192.0.2.1:1"],
    seedPeers: ["127.0.0.1:2"],
    dataDir: path.resolve("here"),
    network: "vibecoin-test",
    nodeId: "me",
    trustedPeers: ["ab"],
    maxInbound: 0,
    memoryBudgetBytes: 2_097_152,
  });
});

test("the help names defaults as they are, in the unit that a flag takes", (t) => {
  const { commands } = createProgram();
  const helpOf = (name: string): string =>
    commands.find((each) => each.name() === name)?.helpInformation() ?? "";
  const memory = /--memory <MiB>.*default: (\d+)/.exec(helpOf("run"))?.[1];
  t.is(Number(memory) * 1_024 ** 2, DEFAULTS.memoryBudgetBytes);
  t.regex(helpOf("drill"), /--cpu <percent>.*\(default: 50%\)/);
});

test("the document says how many file descriptors a node with the defaults needs", async (t) => {
  const document = new URL("../../../docs/operations.md", import.meta.url);
  const needed = LOADING_DESCRIPTORS + peerSlots(DEFAULTS) + DEFAULTS.inbound.pendingMax;
  const text = await readFile(document, "utf8");
  t.true(
    text.replace(/\s+/g, " ").includes(`a file descriptor for each slot, ${needed} by default`),
  );
});
