// `run`: a node from its flags until a signal, or until it cannot go on. Owns the order in which
// things start and end; whatever happens, the log is written out before the process ends.

import { startNode } from "../compose.js";
import { resolveConfig, type NetworkConfig } from "../config.js";
import type { Network } from "../network.js";
import type { HttpServer } from "../api/server.js";
import { parseAddress } from "../protocol/address.js";
import { endSignal } from "./end-signal.js";
import { describe, EXIT_FAULT, EXIT_OK, exitCodeOf } from "./exit.js";
import { openOutput, type Output } from "./output.js";
import { networkInput, type RunFlags } from "./run-flags.js";

/** Ends the process; the promise never resolves. */
export async function run(flags: RunFlags): Promise<void> {
  const input = networkInput(flags);
  if (flags.http !== undefined) parseAddress(flags.http);
  const output = await openOutput(flags.logLevel);
  const signal = catchSignals(output);
  catchFaults(output);
  let network: Network | undefined;
  let http: HttpServer | undefined;
  let code = EXIT_OK;
  try {
    // Loaded before, so that its metrics count from the node's first block on.
    const openHttp =
      flags.http === undefined ? undefined : await loadHttp(flags.http, resolveConfig(input));
    network = await startNode(input, { log: output.log });
    output.watch(network);
    http = await openHttp?.(network, output);
    announce(network, http, output);
    const ended = await Promise.race([signal, network.stopped]);
    if (ended !== undefined) output.log.write("info", "stopping", { signal: ended });
  } catch (error) {
    code = exitCodeOf(error);
    if (code === EXIT_FAULT)
      output.log.write("error", "the node failed", { error: describe(error) });
  }
  try {
    await http?.close();
    await network?.stop();
    if (code === EXIT_OK) output.log.write("info", "stopped");
  } catch (error) {
    output.log.write("error", "stopping failed", { error: describe(error) });
    code = EXIT_FAULT;
  }
  await output.end();
  process.exit(code);
}

type OpenHttp = (network: Network, output: Output) => Promise<HttpServer>;

async function loadHttp(address: string, { http }: NetworkConfig): Promise<OpenHttp> {
  const { openHttpServer } = await import("../api/server.js");
  return (network, { log }) => openHttpServer({ address, network, log, config: http });
}

function announce(network: Network, http: HttpServer | undefined, { log }: Output): void {
  const { height, hash } = network.head();
  log.write("info", "node is ready", {
    peerId: network.peerId,
    listenAddress: network.listenAddress,
    http: http?.address ?? null,
    height,
    headHash: hash,
  });
}

function catchSignals(output: Output): Promise<NodeJS.Signals> {
  return endSignal({
    source: process,
    nowMs: () => performance.now(),
    underNpm: process.env["npm_lifecycle_event"] !== undefined,
    onSecond(signal) {
      output.log.write("warn", "ended by a second signal", { signal });
      void output.end().finally(() => process.exit(EXIT_FAULT));
    },
  });
}

/** What nobody caught: said in the log, and the end. A node in an unknown state must not go on. */
function catchFaults(output: Output): void {
  let ending = false;
  const onFault = (error: unknown): void => {
    output.log.write("error", "unexpected fault", { error: describe(error) });
    if (ending) return;
    ending = true;
    void output.end().finally(() => process.exit(EXIT_FAULT));
  };
  process.on("uncaughtException", onFault);
  process.on("unhandledRejection", onFault);
}
