// A node and the disk under it: no room, no answer, files that somebody removes; and the limits of
// a process that end it without a word when nobody looks at them.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import test, { type ExecutionContext } from "ava";
import { longerThanTogether, MAIN, runCli, startCli, temporaryDirectory } from "./child.js";

interface Said {
  readonly code: number | null;
  readonly text: string;
}

/** A command of a shell, in which $NODE is the command line. */
async function inShell(
  t: ExecutionContext,
  script: string,
  prefix: readonly string[] = [],
): Promise<Said> {
  const { npm_lifecycle_event: _, ...env } = process.env;
  const [command, ...args] = [...prefix, "/bin/sh", "-c", script];
  const child = spawn(command, args, {
    env: { ...env, NODE: `${process.execPath} ${MAIN}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => (text += part));
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, text };
}

for (const args of [
  ["run", "--data", ""],
  ["run", "--data", " "],
  ["run", "--config", ""],
  ["keygen", "--data", ""],
  ["chain", "verify", "--data", ""],
  ["chain", "generate", "--blocks", "1", "--txs", "0", "--data", ""],
]) {
  test.serial(`an empty path is refused: ${JSON.stringify(args)}`, async (t) => {
    const { code, stderr } = await runCli(t, ...args);
    t.is(code, 2);
    t.regex(stderr, /It must not be empty/);
  });
}

for (const command of ["run", "keygen"]) {
  test.serial(`${command} in a place that takes no directories is refused`, async (t) => {
    if (process.platform !== "linux") return t.pass("only Linux has such a place by name");
    const data = ["--data", "/proc/nothing/can/be/here"];
    const { code, stdout, stderr } = await runCli(t, command, ...data);
    t.is(code, 2, stdout);
    t.regex(stderr, /\/proc\/nothing\/can\/be\/here cannot be .*ENOENT/);
  });
}

test.serial("a node whose directory is removed says so and ends", async (t) => {
  const data = await temporaryDirectory(t);
  const node = startCli(t, ["run", "--data", data]);
  await node.line("node is ready");
  await rm(data, { recursive: true });
  const { code, stdout, stderr } = await node.ended;
  t.is(code, 1);
  t.regex(stderr, /^vibecoin-node: Writing to .* failed: \S+ was removed or replaced while .*\n$/);
  t.regex(stdout, /was removed or replaced/);
});

test.serial(
  "a disk that does not answer is told of, and a second signal ends the node",
  async (t) => {
    const files = await temporaryDirectory(t);
    const [data, hangs, fifo] = ["data", "hangs", "fifo"].map((name) => path.join(files, name));
    execFileSync("mkfifo", [fifo!]);
    // The writer opens a pipe that nobody reads: it waits in the kernel, as for a disk.
    const hook = path.join(files, "hook.mjs");
    await writeFile(
      hook,
      `import { existsSync, openSync } from "node:fs";
    import { isMainThread, parentPort, workerData } from "node:worker_threads";
    if (!isMainThread && workerData?.mapSizeBytes !== undefined) {
      const on = parentPort.on.bind(parentPort);
      parentPort.on = (event, listener) =>
        on(event, (message) => {
          if (event === "message" && existsSync(${JSON.stringify(hangs)})) {
            openSync(${JSON.stringify(fifo)});
          }
          listener(message);
        });
    }`,
    );
    const args = ["run", "--data", data!, "--produce", "--http", "127.0.0.1:0"];
    const node = startCli(t, args, { nodeArgs: ["--import", pathToFileURL(hook).href] });
    const { http } = await node.line("node is ready");
    t.is((await fetch(`${String(http)}/health`)).status, 200);
    await writeFile(hangs!, "");
    const told = await node.line("the disk does not answer");
    t.true(Number(told["waitMs"]) > 0);
    const health = await fetch(`${String(http)}/health`);
    t.is(health.status, 503);
    t.regex(await health.text(), /the disk has not answered a write for \d+ s/);
    node.kill("SIGTERM");
    await node.line("stopping");
    await longerThanTogether();
    node.kill("SIGTERM");
    const { code, stdout } = await node.ended;
    // By the signal itself: Node waits for its threads when it exits, and one never ends.
    t.is(code, null);
    t.regex(stdout, /ended by a second signal/);
  },
);

const MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"];
const canMount =
  spawnSync(MOUNTS[0]!, [...MOUNTS.slice(1), "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;
const onSmallDisk = canMount ? test.serial : test.serial.skip;

onSmallDisk("a disk that fills ends the node with a sentence; with room it goes on", async (t) => {
  const disk = await temporaryDirectory(t);
  const data = path.join(disk, "data");
  const generate = `$NODE chain generate --blocks 400 --txs 10 --data ${data}`;
  const { text } = await inShell(
    t,
    `mount -t tmpfs -o size=2m none ${disk}
    ${generate}; echo filled $?
    $NODE run --data ${data}; echo full $?
    $NODE keygen --data ${disk}/new; echo key $?
    mount -o remount,size=64m ${disk}
    $NODE chain verify --data ${data}; echo verified $?
    timeout 4 $NODE run --data ${data} --produce; echo stopped $?`,
    MOUNTS,
  );
  t.regex(text, /Writing to .* failed: the disk is full \(\d+ KiB are free\); .*\.\nfilled 1\n/);
  t.regex(text, /cannot be used: the disk is full \(\d+ KiB are free\); .*\.\nfull 2\n/);
  t.regex(text, /ENOSPC.*\nkey 2\n/);
  t.regex(text, /blocks are valid.*\nverified 0\n/);
  t.regex(text, /"msg":"stopped"\}\nstopped 124\n/);
});

onSmallDisk("a new directory on a full disk is refused with one sentence", async (t) => {
  const disk = await temporaryDirectory(t);
  const { text } = await inShell(
    t,
    `mount -t tmpfs -o size=1m none ${disk}; mkdir ${disk}/data; cat /dev/zero > ${disk}/other
    $NODE run --data ${disk}/data; echo ended $?`,
    MOUNTS,
  );
  t.regex(text, /vibecoin-node: The data directory .* the disk is full .*: make room.*\nended 2\n/);
});

const onLinux = existsSync("/proc/self/limits") ? test.serial : test.serial.skip;

onLinux("too few addresses for the map are refused with one sentence", async (t) => {
  const data = await temporaryDirectory(t);
  const generate = ["chain", "generate", "--blocks", "1", "--txs", "0"];
  t.is((await runCli(t, ...generate, "--data", data)).code, 0);
  for (const command of ["run", "chain verify"]) {
    const { code, text } = await inShell(t, `ulimit -v 200000000; $NODE ${command} --data ${data}`);
    t.is(code, 2, command);
    t.regex(text, /^vibecoin-node: .* may use 190 GiB of addresses .*ulimit -v unlimited.*\n$/);
  }
});

for (const count of [24, 64, 150]) {
  onLinux(`${count} file descriptors are refused as too few with one sentence`, async (t) => {
    const { code, text } = await inShell(t, `ulimit -n ${count}; $NODE run`);
    t.is(code, 2);
    t.regex(text, new RegExp(`^vibecoin-node: .* may hold ${count} file descriptors open.*\n$`));
  });
}

onLinux(
  "a node that runs out of file descriptors leaves a line, and one when it has some",
  async (t) => {
    const hook = `import fs from 'node:fs';
    const held = [];
    process.on('SIGUSR2', () => {
      if (held.length > 0) return held.splice(0).forEach((fd) => fs.closeSync(fd));
      try { for (;;) held.push(fs.openSync('/dev/null')); } catch {}
    });`;
    const url = `data:text/javascript,${encodeURIComponent(hook)}`;
    // Without a pool: its threads load files when the node is ready.
    const config = path.join(await temporaryDirectory(t), "node.json");
    await writeFile(config, '{ "pool": { "inline": true } }');
    const node = startCli(t, ["run", "--config", config], { nodeArgs: ["--import", url] });
    await node.line("node is ready");
    node.kill("SIGUSR2");
    t.regex(String((await node.line("no file descriptor is left"))["error"]), /EMFILE/);
    node.kill("SIGUSR2");
    await node.line("there are file descriptors again");
    node.kill("SIGTERM");
    t.is((await node.ended).code, 0);
  },
);

test.serial("what a node that was killed leaves is no obstacle to the next one", async (t) => {
  const data = path.join(await temporaryDirectory(t), "data");
  await mkdir(data);
  const first = startCli(t, ["run", "--data", data]);
  await first.line("node is ready");
  first.kill("SIGKILL");
  await first.ended;
  const next = startCli(t, ["run", "--data", data]);
  await next.line("node is ready");
  next.kill("SIGTERM");
  t.is((await next.ended).code, 0);
  t.deepEqual((await readdir(data)).sort(), ["data.mdb", "lock.mdb", "node.cert", "node.key"]);
});
