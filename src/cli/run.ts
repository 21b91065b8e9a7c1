// `run`: a node from its flags until a signal, or until it cannot go on. Owns the order in which
// things start and end. The log is written out before the process ends, as far as it can be.

import { startNode } from "../compose.js";
import { peerSlots } from "../config/memory-plan.js";
import { resolveConfig, type NetworkConfig } from "../config.js";
import { CodedError } from "../errors.js";
import type { Network } from "../network.js";
import type { HttpServer } from "../api/server.js";
import { forgetAddress, tellAddress } from "../api/whereabouts.js";
import { parseAddress } from "../protocol/address.js";
import { endSignal } from "./end-signal.js";
import { describe, EXIT_FAULT, EXIT_OK, exitCodeOf } from "./exit.js";
import { descriptorsMax, fewDescriptors, LOADING_DESCRIPTORS, watchDescriptors } from "./limits.js";
import { leave } from "./leave.js";
import { openOutput, type Output } from "./output.js";
import { networkInput, type RunFlags } from "./run-flags.js";

/** Ends the process; the promise never resolves. */
export async function run(flags: RunFlags): Promise<void> {
  const input = networkInput(flags);
  if (flags.http !== undefined) parseAddress(flags.http);
  const config = resolveConfig(input);
  checkLimits(config);
  const output = await openOutput(flags.logLevel);
  let network: Network | undefined;
  const end: End = (code, signal = "SIGKILL") =>
    leave({ code, output, signal, diskWaitMs: () => network?.diskWaitMs() ?? 0 });
  const signal = catchSignals(output, end);
  catchFaults(output, end);
  watchDescriptors((error) => descriptorsChanged(output, error));
  let http: HttpServer | undefined;
  let code = EXIT_OK;
  try {
    // Loaded before, so that its metrics count from the node's first block on.
    const openHttp = flags.http === undefined ? undefined : await loadHttp(flags, config);
    network = await startNode(input, { log: output.log });
    output.watch(network);
    if (config.dataDir !== null) await forgetAddress(config.dataDir);
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
  await end(code);
}

type End = (code: number, signal?: NodeJS.Signals) => Promise<never>;

/** Throws CONFIG_INVALID when the slots of this configuration need more files than there may be. */
function checkLimits(config: NetworkConfig): void {
  const sockets = peerSlots(config) + config.inbound.pendingMax;
  const refusal = fewDescriptors(LOADING_DESCRIPTORS + sockets);
  if (refusal !== undefined) throw new CodedError("CONFIG_INVALID", `With its peers ${refusal}.`);
}

function descriptorsChanged({ log }: Output, error: Error | undefined): void {
  if (error === undefined) return log.write("warn", "there are file descriptors again");
  const limit = descriptorsMax() ?? null;
  log.write("error", "no file descriptor is left", { limit, error: error.message });
}

type OpenHttp = (network: Network, output: Output) => Promise<HttpServer>;

async function loadHttp(
  { http: address = "", httpTokenFile }: RunFlags,
  { http, dataDir }: NetworkConfig,
): Promise<OpenHttp> {
  const { openHttpServer } = await import("../api/server.js");
  const { loadOrCreateToken, tokenFileIn } = await import("../api/token.js");
  const file = httpTokenFile ?? (dataDir === null ? undefined : tokenFileIn(dataDir));
  return async (network, { log }) => {
    const token = file === undefined ? undefined : await loadOrCreateToken(file);
    if (token?.isOpen === true) log.write("warn", "others can read the HTTP token", { file });
    const given = token === undefined ? {} : { token: token.text };
    const server = await openHttpServer({ address, network, log, config: http, ...given });
    if (dataDir === null) return server;
    await tellAddress(dataDir, server.address);
    return {
      address: server.address,
      async close() {
        await forgetAddress(dataDir);
        await server.close();
      },
    };
  };
}

function announce(network: Network, http: HttpServer | undefined, { log }: Output): void {
  const { height, hash } = network.head();
  log.write("info", "node is ready", {
    peerId: network.peerId,
    listenAddress: network.listenAddress,
    listenAddresses: network.listenAddresses,
    http: http?.address ?? null,
    height,
    headHash: hash,
  });
}

function catchSignals(output: Output, end: End): Promise<NodeJS.Signals> {
  return endSignal({
    source: process,
    nowMs: () => performance.now(),
    underNpm: process.env["npm_lifecycle_event"] !== undefined,
    onSecond(signal) {
      output.log.write("warn", "ended by a second signal", { signal });
      void end(EXIT_FAULT, signal);
    },
  });
}

/** What nobody caught: said in the log, and the end. A node in an unknown state must not go on. */
function catchFaults(output: Output, end: End): void {
  let ending = false;
  const onFault = (error: unknown): void => {
    output.log.write("error", "unexpected fault", { error: describe(error) });
    if (ending) return;
    ending = true;
    void end(EXIT_FAULT);
  };
  process.on("uncaughtException", onFault);
  process.on("unhandledRejection", onFault);
}
