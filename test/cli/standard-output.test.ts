// What a node does when nobody takes what it says: a full disk, a reader that stopped reading or
// left, a terminal that vanished.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { get } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { MAIN, temporaryDirectory } from "./child.js";

/** As from a shell, even when npm runs the tests. */
const { npm_lifecycle_event: _, ...env } = process.env;
/** A node that is silent for so long is stuck. */
const PATIENCE_MS = 60_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Nothing that it says can be read, so its health says when it runs. */
async function healthy(port: number): Promise<true> {
  const untilMs = Date.now() + PATIENCE_MS;
  while (Date.now() < untilMs) {
    const status = await new Promise<number | undefined>((resolve) => {
      get({ port, host: "127.0.0.1", path: "/health" }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on("error", () => resolve(undefined));
    });
    if (status === 200) return true;
    await delay(20);
  }
  throw new Error("the node does not answer");
}

function startTo(t: ExecutionContext, stdout: number, args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env,
    stdio: ["ignore", stdout, "ignore"],
  });
  const watchdog = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const ended = once(child, "exit").finally(() => clearTimeout(watchdog)) as Promise<
    [number | null, string | null]
  >;
  t.teardown(() => child.kill("SIGKILL"));
  return { child, ended };
}

/** A line for each block, and more. */
const TALKATIVE = ["--log-level", "debug", "--produce"];

test.serial("a node whose log disk is full goes on, and stops in order", async (t) => {
  const port = await freePort();
  const full = openSync("/dev/full", "w");
  const { child, ended } = startTo(t, full, ["run", "--http", `127.0.0.1:${port}`, ...TALKATIVE]);
  closeSync(full);
  t.true(await healthy(port));
  child.kill("SIGTERM");
  t.deepEqual(await ended, [0, null]);
});

test.serial("an error that cannot be said anywhere keeps its exit code", async (t) => {
  const full = openSync("/dev/full", "w");
  const child = spawn(process.execPath, [MAIN, "run", "--network", "moon"], {
    env,
    stdio: ["ignore", full, full],
  });
  closeSync(full);
  t.deepEqual(await once(child, "exit"), [2, null]);
});

test.serial("a command whose result cannot be written has failed", async (t) => {
  const full = openSync("/dev/full", "w");
  const { ended } = startTo(t, full, ["keygen"]);
  closeSync(full);
  t.deepEqual(await ended, [1, null]);
});

/** A node below a shell, which says its process id, and in the end its exit code, on standard error. */
function inShell(t: ExecutionContext, args: readonly string[], around: (node: string) => string) {
  const command = [process.execPath, MAIN, "run", ...args].join(" ");
  const node = `sh -c 'echo pid $$ >&2; exec ${command}'; echo code $? >&2`;
  const shell = spawn("/bin/sh", ["-c", around(node)], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    // Its own process group, which goes with the test.
    detached: true,
  });
  let text = "";
  let onText = (): void => undefined;
  shell.stderr.setEncoding("utf8").on("data", (part: string) => {
    text += part;
    onText();
  });
  shell.stdout.resume();
  t.teardown(() => process.kill(-shell.pid!, "SIGKILL"));
  return async (word: "pid" | "code" | "terminal"): Promise<number> => {
    const watchdog = setTimeout(() => process.kill(-shell.pid!, "SIGKILL"), PATIENCE_MS);
    try {
      return await new Promise<number>((resolve, reject) => {
        onText = () => {
          const number = new RegExp(`${word} (\\d+)\n`).exec(text)?.[1];
          if (number !== undefined) resolve(Number(number));
        };
        shell.once("exit", () => reject(new Error(`the shell ended: ${text}`)));
        onText();
      });
    } finally {
      clearTimeout(watchdog);
    }
  };
}

test.serial("a node whose reader stopped reading goes on, and stops in order", async (t) => {
  const port = await freePort();
  const args = ["--http", `127.0.0.1:${port}`, ...TALKATIVE];
  // The pipe is full before the node writes its first line.
  const say = inShell(t, args, (node) => `{ head -c 65536 /dev/zero; ${node}; } | sleep 100`);
  const pid = await say("pid");
  t.true(await healthy(port));
  process.kill(pid, "SIGTERM");
  t.is(await say("code"), 0);
});

test.serial("a node whose reader left goes on, and stops in order", async (t) => {
  const port = await freePort();
  const args = ["--http", `127.0.0.1:${port}`, ...TALKATIVE];
  const say = inShell(t, args, (node) => `{ ${node}; } | true; sleep 100`);
  const pid = await say("pid");
  t.true(await healthy(port));
  process.kill(pid, "SIGTERM");
  t.is(await say("code"), 0);
});

const hasPty = spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0;
const onTerminal = hasPty ? test.serial : test.serial.skip;

onTerminal("a node whose terminal vanished goes on, and stops in order", async (t) => {
  const port = await freePort();
  const files = await temporaryDirectory(t);
  const [said, terminal] = [path.join(files, "said"), path.join(files, "terminal")];
  const args = ["--http", `127.0.0.1:${port}`, ...TALKATIVE];
  // A session of its own gets no SIGHUP. `script` is the terminal; it is killed, and with it goes it.
  const say = inShell(
    t,
    args,
    (node) => `
      cat > ${files}/node.sh <<'END'
      exec 2>${said}
      ${node}
END
      touch ${said}
      script -qfec "setsid --wait sh ${files}/node.sh" ${terminal} & echo terminal $! >&2
      tail -f ${said} >&2`,
  );
  const pid = await say("pid");
  t.true(await healthy(port));
  t.regex(await readFile(terminal, "utf8"), /node is ready/);
  process.kill(await say("terminal"), "SIGKILL");
  t.true(await healthy(port));
  process.kill(pid, "SIGTERM");
  t.is(await say("code"), 0);
});

onTerminal("a terminal that is stopped does not stop the node", async (t) => {
  const port = await freePort();
  const files = await temporaryDirectory(t);
  const args = ["--http", `127.0.0.1:${port}`, ...TALKATIVE];
  // Ctrl-S comes before the node's first line.
  const say = inShell(
    t,
    args,
    (node) => `
      cat > ${files}/node.sh <<'END'
      exec 2>${files}/said
      ${node}
END
      touch ${files}/said
      { printf '\\023'; sleep 100; } | script -qec "sleep 1; sh ${files}/node.sh" /dev/null &
      tail -f ${files}/said >&2`,
  );
  const pid = await say("pid");
  t.true(await healthy(port));
  process.kill(pid, "SIGTERM");
  t.is(await say("code"), 0);
});
