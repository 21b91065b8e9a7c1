// js-libp2p as a peer to compare with: installed on first use in bench/peers/libp2p, which has its
// own package.json and lock file, so that it never is a dependency of this project. Its roles speak
// to their bench like ours (child.ts).

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startChild, type Child, type Methods } from "./child.js";

const FOLDER = new URL("../../../bench/peers/libp2p/", import.meta.url);

/**
 * Starts the role of bench/peers/libp2p/MODULE.mjs. It runs with Node's own flags, as its users
 * start it: ours are tuned for us.
 */
export function startLibp2p<M extends Methods>(module: string, role: string): Promise<Child<M>> {
  return startChild<M>(new URL(`${module}.mjs`, FOLDER), role, []);
}

/** Installs what the lock file names unless that was done; throws when npm fails. */
export function installLibp2p(): void {
  const stamp = new URL("node_modules/.installed", FOLDER);
  const lock = readFileSync(new URL("package-lock.json", FOLDER));
  const wanted = createHash("sha256").update(lock).update(process.version).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.error("Installing js-libp2p in bench/peers/libp2p ...");
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env.npm_execpath;
  const [command, first] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
  execFileSync(command, [...first, ...args], {
    cwd: fileURLToPath(FOLDER),
    stdio: ["ignore", 2, 2],
    shell: command === "npm" && process.platform === "win32",
  });
  writeFileSync(stamp, wanted);
}

/** The version that is compared with. */
export function libp2pVersion(): string {
  const file = new URL("node_modules/libp2p/package.json", FOLDER);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
