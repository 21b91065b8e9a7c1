// `npm run test:package`: packs the project, installs the tarball as a user would, with
// engine-strict, on each Node.js that it is meant for, and tries it there: every export is
// imported, the command prints its version, and a node starts, answers /status and stops. Other
// versions of Node.js are installed from the registry, once for a clone.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";

import { report } from "./checks.mjs";
import { prepare, root, run } from "./prepare-project.mjs";
import { countResults } from "./results.mjs";

const majors = [20, 22, 24];
/** A registry may be slow once; a node that says nothing for so long is stuck. */
const installsMax = 2;
const patienceMs = 60_000;
const folder = path.join(root, ".build", "package");
const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));

const counts = countResults();
await prepare();
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const packed = ["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder];
await npm(process.execPath, packed, root);
const tarball = path.join(folder, `${manifest.name}-${manifest.version}.tgz`);
for (const major of majors) {
  const startedAt = performance.now();
  let ok = false;
  try {
    await tryOn(major, await nodeOf(major));
    ok = true;
  } catch (error) {
    console.log(error.message);
  }
  counts[ok ? "passed" : "failed"] += 1;
  report(ok, `package on Node.js ${major}`, startedAt);
}

/** The Node.js of this major version: this one, or one from the registry. */
async function nodeOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const home = path.join(root, ".build", "nodes", String(major));
  const binary = path.join(home, "node_modules", "node", "bin", "node");
  if (!existsSync(binary)) await install(process.execPath, home, `node@${major}`);
  return binary;
}

async function tryOn(major, node) {
  const home = path.join(folder, `on-${major}`);
  await install(node, home, tarball);
  // The command finds this Node.js as `node`, and little else.
  const bin = path.join(home, "path");
  mkdirSync(bin);
  symlinkSync(node, path.join(bin, "node"));
  const env = { ...process.env, PATH: `${bin}:/usr/bin:/bin`, NODE_OPTIONS: "" };
  const names = Object.keys(manifest.exports).filter((name) => !name.endsWith(".json"));
  const imports = names.map((name) => `await import("${path.posix.join(manifest.name, name)}");`);
  writeFileSync(path.join(home, "imports.mjs"), imports.join("\n"));
  await tryCommand(node, ["imports.mjs"], { cwd: home, env });
  const command = path.join(home, "node_modules", ".bin", "vibecoin-node");
  const version = await tryCommand(command, ["--version"], { cwd: home, env });
  if (version.trim() !== manifest.version) throw new Error(`--version says ${version}`);
  await tryNode(command, { cwd: home, env });
}

/** Starts a node, asks it for its status and stops it. */
async function tryNode(command, options) {
  const addresses = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
  const args = ["run", ...addresses, "--data", "data", "--produce"];
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "inherit"] });
  const watchdog = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  const ended = new Promise((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  let status;
  try {
    const { http } = await readyLine(child.stdout);
    status = await (await fetch(`${http}/status`)).json();
  } finally {
    child.kill("SIGTERM");
    await ended.finally(() => clearTimeout(watchdog));
  }
  if (typeof status.height !== "number") throw new Error("/status says no height");
  if ((await ended) !== 0) throw new Error(`the node ended with ${await ended}`);
}

async function readyLine(stdout) {
  for await (const line of createInterface({ input: stdout })) {
    const entry = JSON.parse(line);
    if (entry.msg !== "node is ready") continue;
    stdout.resume();
    return entry;
  }
  throw new Error("the node ended before it was ready");
}

/** Resolves with what it printed. */
async function tryCommand(command, args, options) {
  let output = "";
  const code = await run(command, args, { ...options, onOutput: (text) => (output += text) });
  if (code !== 0) throw new Error(`${[command, ...args].join(" ")} ended with ${code}:\n${output}`);
  return output;
}

/** Into a project of its own, with engine-strict. */
async function install(node, home, what) {
  const flags = ["--engine-strict", "--prefer-offline", "--no-audit", "--no-fund"];
  for (let tries = 1; ; tries++) {
    rmSync(home, { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    writeFileSync(path.join(home, "package.json"), JSON.stringify({ name: "user", private: true }));
    try {
      return await npm(node, ["install", ...flags, "--loglevel=error", what], home);
    } catch (error) {
      if (tries >= installsMax || error.message.includes("EBADENGINE")) throw error;
    }
  }
}

/** npm as this command was started by, run by the Node.js whose engine is to be judged. */
async function npm(node, args, cwd) {
  const script = process.env.npm_execpath;
  if (script === undefined) throw new Error("start this by npm run test:package");
  await tryCommand(node, [script, ...args], { cwd });
}
