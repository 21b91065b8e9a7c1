// How long `vibecoin-node run` takes until peers can connect, on a store of 100,000 blocks: from
// spawning the process to its first accepted TCP connection, and until a peer that dials then has
// finished the handshake. Beside it the limit: a bare node process that imports node:tls and listens.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startNode } from "../src/compose.js";
import { NODE_FLAGS } from "./lib/child.js";
import { Report, type BenchOptions } from "./lib/report.js";
import { chainDirectory } from "./lib/sync-chain.js";

const MAIN = fileURLToPath(new URL("../src/main.js", import.meta.url));
const POLL_INTERVAL_MS = 2;
const START_MS_MAX = 20_000;
const LISTENING_MS_MAX = 700;

export async function run(options: BenchOptions): Promise<void> {
  const { smoke } = options;
  const report = new Report("start", options);
  const chain = await chainDirectory({
    blocks: smoke ? 200 : 100_000,
    transactionsPerBlock: 1,
  });
  // The first round reads what the others find in the page cache.
  for (let round = -1; round < (smoke ? 1 : 10); round++) {
    const figures = await startOnce(chain);
    const limitMs = await bareStart();
    if (round < 0) continue;
    report.sample("vibecoin", "listening", "ms", figures.listeningMs);
    report.sample("limit", "listening", "ms", limitMs);
    report.sample("vibecoin", "handshake", "ms", figures.handshakeMs);
  }
  report.ratio("vibecoin", "limit", "listening");
  report.print();
  const fastestMs = Math.min(...report.values("vibecoin", "listening"));
  if (smoke || fastestMs <= LISTENING_MS_MAX) return;
  throw new Error(`no start took less than ${LISTENING_MS_MAX} ms: ${fastestMs.toFixed(0)} ms`);
}

interface StartFigures {
  readonly listeningMs: number;
  readonly handshakeMs: number;
}

async function startOnce(chain: string): Promise<StartFigures> {
  const port = await freePort();
  const peer = await startNode({ pool: { inline: true } });
  const args = ["run", "--data", chain, "--listen", `127.0.0.1:${port}`, "--log-level", "warn"];
  const startMs = performance.now();
  const child = start([...NODE_FLAGS, MAIN, ...args]);
  try {
    await child.accepts(port);
    const listeningMs = performance.now() - startMs;
    const connected = new Promise<void>((resolve) => {
      peer.subscribe(["PeerConnected"], () => resolve());
    });
    void peer.connect(`tcp://127.0.0.1:${port}`);
    await connected;
    return { listeningMs, handshakeMs: performance.now() - startMs };
  } finally {
    await peer.stop();
    await child.end();
  }
}

async function bareStart(): Promise<number> {
  const port = await freePort();
  const code = `require("node:tls").createServer().listen(${port}, "127.0.0.1")`;
  const startMs = performance.now();
  const child = start([...NODE_FLAGS, "-e", code]);
  try {
    await child.accepts(port);
    return performance.now() - startMs;
  } finally {
    await child.end();
  }
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(child, "exit");
  return {
    async accepts(port: number): Promise<void> {
      const untilMs = performance.now() + START_MS_MAX;
      while (!(await isAccepted(port))) {
        if (child.exitCode !== null) throw new Error(`the process ended with ${child.exitCode}`);
        if (performance.now() > untilMs) throw new Error(`nobody listens on ${port}`);
        await sleep(POLL_INTERVAL_MS);
      }
    },
    async end(): Promise<void> {
      child.kill();
      await ended;
    },
  };
}

function isAccepted(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const settle = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => settle(true)).once("error", () => settle(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
