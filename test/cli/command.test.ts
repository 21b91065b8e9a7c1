// The installed command: how a shell, a service manager or a container starts it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { temporaryDirectory } from "./child.js";

const manifest = fileURLToPath(import.meta.resolve("vibecoin-network/package.json"));
const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: Record<string, string> };
const command = path.join(path.dirname(manifest), bin["vibecoin-node"]!);

test("the command's first line is understood everywhere: it hands its program no options", (t) => {
  const [first] = readFileSync(command, "utf8").split("\n");
  t.regex(first!, /^#!(\/bin\/sh|\/usr\/bin\/env node)$/);
});

test("the command becomes the node, with V8's flags, also through a link", async (t) => {
  if (process.platform === "win32") return t.pass("a shell script");
  const directory = await temporaryDirectory(t);
  const link = path.join(directory, "vibecoin-node");
  symlinkSync(command, link);
  const child = spawn(link, ["run"], { stdio: ["ignore", "pipe", "inherit"] });
  t.teardown(() => child.kill("SIGKILL"));
  const ended = once(child, "exit");
  let output = "";
  for await (const chunk of child.stdout.setEncoding("utf8")) {
    output += chunk as string;
    if (output.includes('"node is ready"')) break;
  }
  if (process.platform === "linux") {
    const cmdline = readFileSync(`/proc/${child.pid}/cmdline`, "utf8").split("\0");
    t.true(cmdline.includes("--v8-pool-size=1"), cmdline.join(" "));
    t.true(cmdline.includes("--max-semi-space-size=4"), cmdline.join(" "));
  }
  // There is no process between whoever signals and the node.
  child.kill("SIGTERM");
  t.deepEqual(await ended, [0, null]);
});
