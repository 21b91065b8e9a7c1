// `run` as an operator meets it: what it refuses, how it starts, how it ends. One at a time: each
// test starts whole processes.

import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import test from "ava";
import { longerThanTogether, runCli, startCli, temporaryDirectory } from "./child.js";

const LISTEN = ["--listen", "127.0.0.1:0"];

function isOneSentence(text: string): boolean {
  return /^vibecoin-node: [^\n]+\n$/.test(text);
}

const REFUSED: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["an unknown network", ["--network", "moon"], /network moon is unknown.*vibecoin-dev/],
  ["a seed that is no address", ["--seed", "nowhere"], /"nowhere" is not valid/],
  ["a seed of another transport", ["--seed", "carrier://pigeon:1"], /no transport for carrier/],
  ["a port beyond all ports", ["--listen", "127.0.0.1:99999"], /127\.0\.0\.1:99999.*65535/],
  ["an address of another machine", ["--listen", "192.0.2.1:8765"], /192\.0\.2\.1:8765.*bound/],
  ["a peer id that is none", ["--trusted", "me"], /trustedPeers\.0.*64 lower-case hex/],
  ["a missing file", ["--config", "/missing.json"], /configuration file \/missing\.json .*read/],
  ["a bad HTTP address", ["--http", "localhost"], /"localhost" is not valid/],
];

for (const [what, flags, sentence] of REFUSED) {
  test.serial(`run refuses ${what} with one sentence and exit 2`, async (t) => {
    const { code, stdout, stderr } = await runCli(t, "run", "--log-level", "error", ...flags);
    t.is(code, 2);
    t.regex(stderr, sentence);
    t.true(isOneSentence(stderr), stderr);
    t.is(stdout, "");
  });
}

test.serial(
  "run refuses configuration files that are no JSON or say what is not known",
  async (t) => {
    const directory = await temporaryDirectory(t);
    const file = path.join(directory, "node.json");
    const cases: [string, RegExp][] = [
      ["{ maxInbound: 3 }", /node\.json is not JSON/],
      ['{ "maxInbuond": 3 }', /node\.json is invalid: .*maxInbuond/],
      ['{ "mempool": { "countMax": "many" } }', /node\.json is invalid: mempool\.countMax: /],
      ['{ "memoryBudgetBytes": 1048576 }', /memoryBudgetBytes is 1/],
    ];
    for (const [json, sentence] of cases) {
      await writeFile(file, json);
      const { code, stderr } = await runCli(t, "run", "--config", file);
      t.is(code, 2);
      t.regex(stderr, sentence);
      t.true(isOneSentence(stderr), stderr);
    }
  },
);

test.serial("a configuration file may begin with a byte order mark", async (t) => {
  const file = path.join(await temporaryDirectory(t), "node.json");
  await writeFile(file, '\uFEFF{ "bindAddr": "tcp://127.0.0.1:0" }');
  const node = startCli(t, ["run", "--config", file]);
  t.regex(
    String((await node.line("node is ready"))["listenAddress"]),
    /^tcp:\/\/127\.0\.0\.1:\d+$/,
  );
});

test.serial("run refuses data directories that it cannot use", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "file");
  await writeFile(file, "");
  const notDirectory = await runCli(t, "run", "--data", file);
  t.is(notDirectory.code, 2);
  t.true(isOneSentence(notDirectory.stderr), notDirectory.stderr);
  t.true(notDirectory.stderr.includes(file));

  const damaged = path.join(directory, "damaged");
  await mkdir(damaged);
  await writeFile(path.join(damaged, "node.key"), "no key");
  const badKey = await runCli(t, "run", "--data", damaged);
  t.is(badKey.code, 2);
  t.true(isOneSentence(badKey.stderr), badKey.stderr);
  t.regex(badKey.stderr, /node\.key holds no ed25519 private key/);
});

test.serial("run refuses ports that are taken, for peers and for HTTP", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  const taken = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const flag of ["--listen", "--http"]) {
    const { code, stderr } = await runCli(t, "run", flag, taken);
    t.is(code, 2);
    t.true(isOneSentence(stderr), stderr);
    t.true(stderr.includes(taken) && stderr.includes("in use"), stderr);
  }
});

test.serial("several addresses are listened on, or none when one of them is taken", async (t) => {
  const both = ["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"];
  const node = startCli(t, ["run", ...both]);
  const ready = await node.line("node is ready");
  const addresses = ready["listenAddresses"] as string[];
  t.deepEqual(
    addresses.map((address) => address.replace(/\d+$/, "")),
    ["tcp://127.0.0.1:", "tcp://127.0.0.2:"],
  );
  const taken = ["--listen", "127.0.0.3:0", "--listen", addresses[1]!];
  const { code, stderr } = await runCli(t, "run", ...taken);
  t.is(code, 2);
  t.true(isOneSentence(stderr) && stderr.includes(addresses[1]!), stderr);
});

test.serial("what commander refuses ends with exit 2 too", async (t) => {
  for (const args of [["run", "--bogus"], ["fly"], ["run", "--max-inbound", "-1"], ["chain"]]) {
    const { code, stderr } = await runCli(t, ...args);
    t.is(code, 2, args.join(" "));
    t.notRegex(stderr, /\n\s+at .+:\d+/);
  }
  const { code, stdout } = await runCli(t, "--version");
  t.is(code, 0);
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/);
});

test.serial(
  "a second node on a data directory in use is refused, and the first one goes on",
  async (t) => {
    const data = await temporaryDirectory(t);
    const first = startCli(t, ["run", "--data", data]);
    await first.line("node is ready");
    const second = await runCli(t, "run", "--data", data);
    t.is(second.code, 2);
    t.true(isOneSentence(second.stderr), second.stderr);
    t.regex(second.stderr, new RegExp(`${data} is in use by process ${first.pid}`));
    first.kill("SIGTERM");
    t.is((await first.ended).code, 0);
    t.is((await runCli(t, "chain", "verify", "--data", data)).code, 0);
  },
);

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test.serial(`${signal} says goodbye to the peers and ends with exit 0`, async (t) => {
    const server = startCli(t, ["run", ...LISTEN]);
    const { listenAddress } = await server.line("node is ready");
    const client = startCli(t, ["run", "--seed", String(listenAddress)]);
    await client.line("peer connected");
    server.kill(signal);
    const { code, stdout, stderr } = await server.ended;
    t.is(code, 0);
    t.is(stderr, "");
    t.regex(stdout, /"msg":"stopped"\}\n$/);
    t.throws(() => process.kill(server.pid, 0), { code: "ESRCH" });
    const gone = await client.line("peer disconnected");
    t.is(gone["reason"], "Shutdown");
    t.true(gone["byPeer"]);
  });
}

test.serial("a second signal ends it at once with exit 1", async (t) => {
  // Its threads never say that they ended, so the stop is never done.
  const hook = `import { Worker } from 'node:worker_threads';
    Worker.prototype.terminate = () => new Promise(() => undefined);`;
  const node = startCli(t, ["run"], {
    nodeArgs: ["--import", `data:text/javascript,${hook}`],
  });
  await node.line("node is ready");
  node.kill("SIGINT");
  await node.line("stopping");
  await longerThanTogether();
  node.kill("SIGTERM");
  const { code, stdout } = await node.ended;
  t.is(code, 1);
  t.regex(stdout, /ended by a second signal/);
});

test.serial("two signals at once, as GNU timeout sends them, are one", async (t) => {
  const node = startCli(t, ["run"]);
  await node.line("node is ready");
  // Both wait when it continues, and are taken together.
  node.kill("SIGSTOP");
  node.kill("SIGTERM");
  node.kill("SIGINT");
  node.kill("SIGCONT");
  const { code, stdout } = await node.ended;
  t.is(code, 0);
  t.regex(stdout, /"msg":"stopped"\}\n$/);
});

test.serial("an unexpected fault is logged and ends it with exit 1", async (t) => {
  const hook = "process.on('SIGUSR2', () => { throw new Error('planned') })";
  const node = startCli(t, ["run"], {
    nodeArgs: ["--import", `data:text/javascript,${hook}`],
  });
  await node.line("node is ready");
  node.kill("SIGUSR2");
  const { code, stdout } = await node.ended;
  t.is(code, 1);
  t.regex(stdout, /"error":"Error: planned.*"msg":"unexpected fault"/);
});

test.serial("the node keeps the identity that keygen made", async (t) => {
  const data = await temporaryDirectory(t);
  const made = await runCli(t, "keygen", "--data", data);
  t.regex(made.stdout, /^[0-9a-f]{64}\n$/);
  t.deepEqual(await runCli(t, "keygen", "--data", data), made);
  const node = startCli(t, ["run", "--data", data]);
  t.is((await node.line("node is ready"))["peerId"], made.stdout.trim());
  const unkept = await runCli(t, "keygen");
  t.regex(unkept.stdout, /^[0-9a-f]{64}\n-----BEGIN PRIVATE KEY-----\n/);
});
