// `npm start`: prepares the project, then becomes a node on the development network that produces
// blocks. Arguments go to the node's `run` command, where a later option wins over an earlier one;
// `--listen`, of which there may be several, comes in place of the default.
// A second node, in a second terminal:
//
//   npm start -- --no-produce --no-alone --data .vibecoin/second --seed 127.0.0.1:8765 \
//     --listen 127.0.0.1:8767 --http 127.0.0.1:8768
//
// The node runs in this very process: there is no child that could outlive it, signals need no
// forwarding, and the node's exit code is this command's. For the same reason package.json says
// `exec node`: a shell in between would die of a signal without passing it on.

import path from "node:path";
import { pathToFileURL } from "node:url";

import { prepare, root } from "./prepare-project.mjs";

const parentPollMs = 1_000;
const data = path.join(root, ".vibecoin", "dev");
const args = process.argv.slice(2);
const listens = args.some((arg) => arg === "--listen" || arg.startsWith("--listen="));
const defaults = [
  ...["--network", "vibecoin-dev", "--data", data, "--produce", "--alone"],
  ...["--http", "127.0.0.1:8766", ...(listens ? [] : ["--listen", "127.0.0.1:8765"])],
];

const parent = process.ppid;
await prepare();
if (process.env.npm_lifecycle_event === "start") stopWithParent();

const main = path.join(root, "dist", "src", "main.js");
process.argv = [process.execPath, main, "run", ...defaults, ...args];
await import(pathToFileURL(main).href);

/** A killed npm cannot pass a signal on; the node must not outlive it unnoticed. */
function stopWithParent() {
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, parentPollMs);
  timer.unref();
}
