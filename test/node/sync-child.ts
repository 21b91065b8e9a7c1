// A node in a process of its own, for the restart test: syncs from the address it is given and says
// what is durable, line by line, before it does anything else. At the height where it is told to
// die it kills itself with SIGKILL, so that nothing gets the chance to be tidy.

import { writeSync } from "node:fs";
import { startNode } from "../../src/compose.js";

const [dataDir, seed, dieAt, endAt] = process.argv.slice(2) as [string, string, string, string];

/** On the pipe when it returns: what dies next cannot take it along. */
function print(line: string): void {
  writeSync(1, `${line}\n`);
}

const network = await startNode({ dataDir, pool: { threads: 1 } });
print(`open ${network.head().height}`);
const done = new Promise<void>((resolve) => {
  network.subscribe(["BlockConnected"], ({ height, hash }) => {
    print(`connected ${height} ${hash}`);
    if (height >= Number(dieAt)) process.kill(process.pid, "SIGKILL");
    if (height >= Number(endAt)) resolve();
  });
});
void network.connect(seed);
await done;
await network.stop();
