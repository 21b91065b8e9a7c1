// Commands about the peers of a running node, as an operator meets them. Each is a process.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import test, { type ExecutionContext } from "ava";
import { startNetwork, type Network } from "../../src/index.js";
import { MAIN, runCli, startCli, temporaryDirectory, type Cli, type Ended } from "./child.js";

interface Running {
  readonly data: string;
  readonly node: Cli;
  readonly http: string;
  readonly peer: Network;
  /** A command about this node. */
  readonly command: (...args: string[]) => Promise<Ended>;
}

/** A node in a process of its own, with a peer. */
async function start(t: ExecutionContext): Promise<Running> {
  const data = await temporaryDirectory(t);
  const free = "127.0.0.1:0";
  const node = startCli(t, ["run", "--data", data, "--listen", free, "--http", free]);
  const ready = await node.line("node is ready");
  const peer = await startNetwork({ pool: { inline: true }, bindAddr: free });
  t.teardown(() => peer.stop());
  await peer.connect(String(ready["listenAddress"]));
  return {
    data,
    node,
    http: String(ready["http"]),
    peer,
    command: (name, ...args) => runCli(t, name, "--data", data, ...args),
  };
}

function isOneSentence(text: string): boolean {
  return /^vibecoin-node: [^\n]+\.\n$/.test(text);
}

test("an operator shows, explains, bans, trusts, sends away and connects peers", async (t) => {
  const { data, node, http, peer, command } = await start(t);
  const { peerId } = peer;
  const short = peerId.slice(0, 10);
  t.is((await stat(path.join(data, "http.token"))).mode & 0o777, 0o600);
  const [table, json, byAddress, explained] = await Promise.all([
    command("peers"),
    command("peers", "--json"),
    runCli(t, "peers", "--http", http),
    command("explain", short),
  ]);
  const [head = "", line = "", ...more] = table.stdout.trimEnd().split("\n");
  t.is(head.replace(/ +/g, " "), "PEER WAY KIND ADDRESS AGE PING SCORE CLASS CLAIMS IN OUT AGENT");
  t.regex(
    line,
    new RegExp(`^${peerId.slice(0, 8)} +in +full +127\\.0\\.0\\.1:\\d+ .* good .*vibecoin`),
  );
  t.deepEqual([more, table.code, table.stderr], [[], 0, ""]);
  t.like(JSON.parse(json.stdout), [{ id: peerId, direction: "inbound" }]);
  t.is(byAddress.stdout.split("\n")[0]?.slice(0, 4), "PEER");
  t.regex(explained.stdout, new RegExp(`^Peer ${peerId}\n`));
  t.regex(explained.stdout, /It came from tcp:\/\/127\.0\.0\.1:\d+; the connection is ready/);

  const banned = await command("ban", short, "--for", "2h", "--reason", "a test");
  t.regex(banned.stdout, new RegExp(`^${peerId} is banned until \\d{4}-.*Z\\.\n$`), banned.stderr);
  const said = await node.line("a peer was banned by the operator");
  t.like(said, { peerId, by: "HTTP from 127.0.0.1", reason: "a test" });
  t.regex(
    (await command("explain", short)).stdout,
    /banned by the operator, for another 1h59m: a test/,
  );
  t.is((await command("trust", short)).stdout, `${peerId} is trusted.\n`);
  const refused = await command("ban", short);
  t.is(refused.code, 2);
  t.is(refused.stderr, "vibecoin-node: This peer is trusted: untrust it first.\n");
  t.is((await command("untrust", short)).stdout, `${peerId} is trusted no longer.\n`);
  const connected = await command("connect", peer.listenAddress!);
  t.is(connected.stdout, `${peerId} is connected at ${peer.listenAddress}.\n`);
  const away = await command("disconnect", short, "--for", "90s");
  t.is(away.stdout, `${peerId} is disconnected, and stays away for 1m30s.\n`);
  t.regex((await command("explain", short)).stdout, /sent it away: .* for another 1m2\ds\.\n/);
  t.is((await command("unban", peerId)).stdout, `${peerId} may come again.\n`);
  node.kill("SIGTERM");
  t.is((await node.ended).code, 0);
});

test("an operator shows bans, who is trusted and limits, and sets these", async (t) => {
  const { data, http, peer, command } = await start(t);
  const { peerId } = peer;
  const [nobody, untrusted, unlimited] = await Promise.all([
    command("bans"),
    command("trusted"),
    command("limits"),
  ]);
  t.deepEqual([nobody.stdout, untrusted.stdout], ["Nobody is banned.\n", "Nobody is trusted.\n"]);
  t.regex(unlimited.stdout, /^upload {4}.* of no limit, each peer of no limit\n/);
  await command("ban", peerId, "--for", "2h", "--reason", "a test");
  const [banned, bans] = await Promise.all([
    runCli(t, "bans", "--http", http),
    command("bans", "--json"),
  ]);
  t.is(banned.stdout, `${peerId}  for another 1h59m, by the operator: a test\n`, banned.stderr);
  t.like(JSON.parse(bans.stdout), [{ peerId, inForce: true }]);
  await command("trust", peerId);
  const [listed, trusted] = await Promise.all([command("trusted"), command("trusted", "--json")]);
  t.is(listed.stdout, `${peerId}  by the operator\n`);
  t.deepEqual(JSON.parse(trusted.stdout), [{ peerId, by: "operator" }]);
  const set = await command("limits", "uploadBytesPerSec=2MiB", "historyBytesPerDay=1073741824");
  t.deepEqual([set.code, set.stderr], [0, ""]);
  const [upload, download, history] = set.stdout.split("\n");
  t.regex(upload!, /of 2\.0 MiB\/s, each peer of no limit$/);
  t.regex(download!, /of no limit, each peer of no limit$/);
  t.is(history, "history   0 B served of 1.0 GiB a day");
  const [limits, ...ended] = await Promise.all([
    command("limits", "--json"),
    command("limits", "upload=5"),
    command("limits", "uploadBytesPerSec=1"),
    runCli(t, "limits", "uploadBytesPerSec=0", "--http", http),
    runCli(t, "limits", "fast", "--data", data),
  ]);
  t.like(JSON.parse(limits.stdout), { upload: { bytesPerSecond: 2 * 1_024 ** 2 } });
  t.deepEqual(
    ended.map(({ code }) => code),
    [2, 2, 2, 2],
  );
  const said = ended.map(({ stderr }) => stderr);
  t.true(said.slice(0, 3).every(isOneSentence), said.join());
  for (const [index, sentence] of [
    /"upload"/,
    /limits\.uploadBytesPerSec/,
    /the node's token/,
    /It must be as uploadBytesPerSec=2MiB/,
  ].entries()) {
    t.regex(said[index]!, sentence);
  }
});

test("peers --watch writes tables until Ctrl-C, which ends it with 0", async (t) => {
  const { data } = await start(t);
  const watching = spawn(process.execPath, [MAIN, "peers", "--watch", "--data", data]);
  t.teardown(() => watching.kill("SIGKILL"));
  const ended = once(watching, "exit");
  watching.stdout.setEncoding("utf8");
  let text = "";
  for await (const part of watching.stdout) {
    text += String(part);
    if (text.split("PEER").length < 3) continue;
    watching.kill("SIGINT");
    break;
  }
  t.deepEqual(await ended, [0, null]);
  t.regex(text, /^PEER .*\n.{8} {2}in .*\nPEER /);
});

test("what cannot be asked is told in one sentence, and exit 2", async (t) => {
  const { data, node, command, http } = await start(t);
  const [empty, silent] = [await temporaryDirectory(t), await temporaryDirectory(t)];
  const quiet = startCli(t, ["run", "--data", silent]);
  await quiet.line("node is ready");
  const other = createServer((_request, response) => response.end("<p>hello</p>"));
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  t.teardown(() => other.close());
  const strange = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  const wrong = path.join(empty, "token");
  await writeFile(wrong, `${"cd".repeat(32)}\n`);
  const id = "ab".repeat(32);
  const cases: [string[], RegExp][] = [
    [["peers"], /--data DIR or --http HOST:PORT/],
    [["peers", "--data", empty], /No node runs on the data directory/],
    [["peers", "--data", path.join(empty, "none")], /cannot be read \(ENOENT\)/],
    [["peers", "--data", silent], /serves no HTTP: start it with --http/],
    [
      ["peers", "--http", "127.0.0.1:1"],
      /No node answers at http:\/\/127\.0\.0\.1:1: ECONNREFUSED/,
    ],
    [["peers", "--http", strange], /no node of this network/],
    [["ban", id, "--http", http], /token: say --data DIR or --token-file/],
    [
      ["ban", id, "--http", http, "--token-file", wrong],
      /has another token: say its --data DIR or --token-file/,
    ],
    [["explain", "nobody", "--data", data], /no peer id/],
    [["explain", id, "--data", data], /Nothing is known/],
  ];
  for (const [args, sentence] of cases) {
    const { code, stderr, stdout } = await runCli(t, ...args);
    t.is(code, 2, args.join(" "));
    t.regex(stderr, sentence);
    t.true(isOneSentence(stderr), stderr);
    t.is(stdout, "");
  }
  const told = await readFile(path.join(data, "http.address"), "utf8");
  t.is(told, `${http}\n`);
  node.kill("SIGKILL");
  await node.ended;
  const dead = await command("unban", id);
  t.is(dead.code, 2);
  t.regex(dead.stderr, /No node runs on the data directory/, "whatever a crash left in it");
});
