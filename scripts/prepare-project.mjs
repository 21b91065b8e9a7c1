// Brings a clone to the state that a command needs: packages installed, TypeScript built. Each
// step leaves a stamp of what it was made from and is skipped while that still holds. Used by
// every script here; imports nothing but Node's own modules, since nothing may be installed yet.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

const lockWaitMsMax = 10 * 60_000;
const lockPollMs = 200;
const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"];
const sourceFolders = ["src", "test", "bench", "examples"];
const configFiles = ["package.json", "package-lock.json", "tsconfig.json"];

/**
 * Runs one command in the project's root and resolves with its exit code. A signal sent to this
 * process meanwhile goes on to the command, so that none is left behind, and then ends both.
 * With `onOutput` its output goes there, as text, instead of to the terminal.
 */
export function run(command, args, { onOutput, ...options } = {}) {
  const stdio = onOutput ? ["ignore", "pipe", "pipe"] : "inherit";
  const child = spawn(command, args, { cwd: root, stdio, ...options });
  for (const stream of onOutput ? [child.stdout, child.stderr] : []) {
    stream?.setEncoding("utf8").on("data", onOutput);
  }
  let received;
  const forward = (signal) => {
    received = signal;
    child.kill(signal);
  };
  for (const signal of endSignals) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      for (const name of endSignals) process.off(name, forward);
      if (received) process.exit(code || 128 + constants.signals[received]);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** The script behind a package's own command: `tool("typescript", "tsc")`. */
export function tool(packageName, binName = packageName) {
  const folder = path.join(root, "node_modules", packageName);
  const { bin } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  return path.join(folder, typeof bin === "string" ? bin : bin[binName]);
}

/** Installs and builds what is missing or stale; ends the process when that fails. */
export async function prepare() {
  const code = await withLock(async () => (await ensureInstalled()) || (await ensureBuilt()));
  if (code !== 0) process.exit(code);
}

/** Installs alone, for commands that need the tools but no build. */
export async function prepareTools() {
  const code = await withLock(ensureInstalled);
  if (code !== 0) process.exit(code);
}

/** Runs a script or a built program of the project in this Node.js. */
export function runNode(script, args, options) {
  return run(process.execPath, [script, ...args], options);
}

async function ensureInstalled() {
  const stampFile = path.join(root, "node_modules", ".vibecoin-installed");
  const nodeMajor = process.versions.node.split(".")[0];
  const lock = readFileSync(path.join(root, "package-lock.json"));
  const stamp = [digest(lock), `node ${nodeMajor}`, process.platform, process.arch].join(" ");
  if (readStamp(stampFile) === stamp) return 0;
  // Development packages are part of every command here, whatever NODE_ENV says.
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env.npm_execpath;
  console.error("Installing packages ...");
  const code = npm?.endsWith(".js")
    ? await runNode(npm, args, { stdio: ["ignore", 2, 2] })
    : await run("npm", args, { stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (code === 0) writeFileSync(stampFile, stamp);
  return code;
}

async function ensureBuilt() {
  const stampFile = path.join(root, "dist", ".built");
  const sources = sourceFolders.flatMap((folder) => filesUnder(folder));
  const inputs = [...sources, ...configFiles].map((file) => {
    const { size, mtimeMs } = statSync(path.join(root, file));
    return `${file} ${size} ${mtimeMs}`;
  });
  const stamp = digest(inputs.join("\n"));
  if (readStamp(stampFile) === stamp) return 0;
  rmSync(stampFile, { force: true });
  removeStaleOutput(new Set(sources));
  console.error("Building ...");
  const code = await runNode(tool("typescript", "tsc"), []);
  if (code === 0) writeFileSync(stampFile, stamp);
  return code;
}

/** A test or module whose source is gone must not run from what an earlier build left. */
function removeStaleOutput(sources) {
  for (const file of filesUnder("dist")) {
    const output = /^dist[\\/](.+?)(\.d\.ts|\.js|\.js\.map)$/.exec(file);
    if (output && !sources.has(`${output[1]}.ts`)) rmSync(path.join(root, file));
  }
}

function filesUnder(folder) {
  if (!existsSync(path.join(root, folder))) return [];
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes("node_modules"))
    .sort();
}

/** Two commands started at once on a fresh clone: the second waits for the first to prepare. */
async function withLock(work) {
  const folder = path.join(root, ".build");
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, "prepare.lock");
  const deadline = performance.now() + lockWaitMsMax;
  while (!tryLock(file)) {
    if (performance.now() > deadline) throw new Error(`still locked: ${file}`);
    await delay(lockPollMs);
  }
  const unlock = () => rmSync(file, { force: true });
  process.once("exit", unlock);
  try {
    return await work();
  } finally {
    process.off("exit", unlock);
    unlock();
  }
}

function tryLock(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  const owner = Number(readStamp(file));
  if (owner > 0 && !isAlive(owner)) rmSync(file, { force: true });
  return false;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function readStamp(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function digest(content) {
  return createHash("sha256").update(content).digest("hex");
}
