// A node in a worker thread that connects to another one and pings it at a steady rate, whether or
// not the last ping has come back. Posts the round trips in milliseconds, sorted.
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { startNetwork } from "vibecoin-network";

interface Task {
  readonly address: string;
  readonly peerId: string;
  readonly pings: number;
  readonly everyMs: number;
}

const { address, peerId, pings, everyMs } = workerData as Task;
const network = await startNetwork();
await network.connect(address);

const answers: Promise<number | undefined>[] = [];
const startMs = performance.now();
for (let i = 0; i < pings; i++) {
  await setTimeout(Math.max(0, startMs + i * everyMs - performance.now()));
  answers.push(network.pingPeer(peerId));
}
const elapsedMs = (await Promise.all(answers)).filter((answer) => answer !== undefined);
parentPort?.postMessage(elapsedMs.sort((a, b) => a - b));
await network.stop();
