// The release that others run: its packed tarball, unpacked once for a clone within the project, so
// that it finds the packages that it needs.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { projectRoot } from "../vectors/generate.js";

const RELEASE = "vibecoin-network-3201433";

/** Its `main.js`. */
export function formerMain(): string {
  const root = projectRoot();
  const home = path.join(root, ".build", "compat", RELEASE);
  if (!existsSync(home)) {
    const unpacking = `${home}-${process.pid}`;
    mkdirSync(unpacking, { recursive: true });
    const tarball = path.join(root, "test", "compat", `${RELEASE}.tgz`);
    execFileSync("tar", ["-xzf", tarball, "-C", unpacking]);
    // Whole or not at all, whoever else unpacks it now.
    try {
      renameSync(unpacking, home);
    } catch {
      rmSync(unpacking, { recursive: true });
    }
  }
  return path.join(home, "package", "dist", "src", "main.js");
}
