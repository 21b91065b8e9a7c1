// The composition root: the only place that constructs adapters and wires them. main, the library,
// the network thread and the simulator all build their nodes here.

import type { NodeParts } from "./actors/node-memory.js";
import { runName } from "./actors/events/event-ids.js";
import { memoryInWords } from "./actors/memory-ledger.js";
import { CAPABILITIES } from "./actors/peer/local-info.js";
import type { ListenOutcome } from "./actors/service/listener.js";
import { createPowConsensus } from "./chain/consensus.js";
import {
  checkBlockBytes,
  checkIndex,
  checkStore,
  defaultMempool,
  genesisOf,
  networkParams,
} from "./compose/chain-parts.js";
import { openStores } from "./compose/open-stores.js";
import { openWorkers } from "./compose/open-workers.js";
import { checkHandlers, checkOwnPorts, type Closers, type OwnPorts } from "./compose/own-ports.js";
import { handleOf, spawnNode, type SpawnedNode, type SpawnOptions } from "./compose/spawn-node.js";
import { resolveConfig, type NetworkConfig, type NetworkConfigInput } from "./config.js";
import { invariant, type CodedError } from "./errors.js";
import { callersLog, silentLog } from "./log.js";
import type { Network, NetworkParts } from "./network.js";
import type { Log } from "./ports.js";
import {
  addressInvalid,
  formatAddress,
  isDialableByOthers,
  parseAddress,
  parseDialable,
  type Endpoint,
} from "./protocol/address.js";
import { checkProtocols } from "./protocol/kinds/own.js";
import type { FaultReport } from "./runtime/actor-system.js";
import { systemClock } from "./runtime/clock.js";
import { createLoopHealth } from "./runtime/loop-health.js";
import { anonymousBytes } from "./runtime/process-memory.js";
import { createSystemRandom } from "./runtime/random.js";
import { createScheduler } from "./runtime/scheduler.js";

export { defaultMempool, genesisOf, networkParams } from "./compose/chain-parts.js";
export { openWorkers } from "./compose/open-workers.js";
export { checkOwnPorts, type OwnPorts } from "./compose/own-ports.js";
export { handleOf, spawnNode, type SpawnedNode } from "./compose/spawn-node.js";

export const AGENT = "vibecoin-network/0.1.0";

/**
 * Builds and starts a node on real adapters: TCP, threads, LMDB or memory. Rejects with a coded
 * error whose message is one plain sentence, and leaves nothing open. Threads that cannot start end
 * the network, see `stopped`.
 */
export async function startNode(
  input: NetworkConfigInput = {},
  own: OwnPorts = {},
): Promise<Network> {
  const config = resolveConfig(input);
  checkOwnPorts(own);
  checkAddresses(config);
  checkProtocols(own.protocols ?? [], CAPABILITIES);
  checkHandlers(own.protocols ?? []);
  const closers: Closers = [];
  try {
    const built = await buildEnv(config, own, closers);
    const scheduler = createScheduler(built.env.clock);
    const onFailure = (reason: CodedError): void => reportEnd(own.log, reason);
    const { protocols = [] } = own;
    const run = runName(built.env.random);
    const end = { onFailure, close: () => closeAll(closers) };
    return await runNode(built, { scheduler, protocols, run }, end);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** Starts the actors on an environment; `end.close` releases it after they stopped. */
async function runNode(
  { env, threadsStarted, failed, diskWaitMs }: BuiltEnv,
  given: Pick<SpawnOptions, "scheduler" | "protocols" | "run">,
  end: Pick<NetworkParts, "close" | "onFailure">,
): Promise<Network> {
  const onFault = (report: FaultReport): void => reportFault(env.log, report);
  let spawned: SpawnedNode | undefined;
  const outcome = await new Promise<ListenOutcome>((onStarted) => {
    spawned = spawnNode(env, { ...given, onFault, onStarted });
  });
  invariant(spawned !== undefined, "the service was spawned");
  if (outcome.type === "ListenFailed") {
    await spawned.system.stop();
    throw outcome.error;
  }
  env.log.write("info", "memory plan", memoryInWords(spawned.memory.report()));
  const listenAddresses = outcome.endpoints.map(formatAddress);
  // The threads still load; what they are to check and write waits for them. A caller must not wait
  // too, or blocks connect before it can subscribe: threads that cannot start end the network.
  const threadsFailed = new Promise<CodedError>((onFailed) => void threadsStarted.catch(onFailed));
  const serviceGone = Promise.race([spawned.serviceGone, threadsFailed, failed]);
  return handleOf(env, { ...spawned, serviceGone }, { listenAddresses, diskWaitMs, ...end });
}

/** Throws ADDRESS_INVALID: an operator's mistake is told at the start, not by failing dials. */
function checkAddresses({ bindAddr, advertise, seedPeers, staticPeers }: NetworkConfig): void {
  const check = (text: string, { scheme }: Endpoint): void => {
    if (scheme !== "tcp") throw addressInvalid(text, `there is no transport for ${scheme}`);
  };
  const bound = new Set<string>();
  for (const text of bindAddr) {
    const endpoint = parseAddress(text);
    check(text, endpoint);
    const form = formatAddress(endpoint);
    // Any free port may be asked for more than once.
    if (bound.has(form) && endpoint.port !== 0) throw addressInvalid(text, "it is given twice");
    bound.add(form);
  }
  for (const text of [...staticPeers, ...seedPeers]) check(text, parseDialable(text));
  for (const text of advertise) {
    const address = parseDialable(text);
    check(text, address);
    if (!isDialableByOthers(address)) throw addressInvalid(text, "no other node can dial it");
  }
}

interface BuiltEnv {
  readonly env: NodeParts;
  readonly threadsStarted: Promise<unknown>;
  /** Resolves to why, once nothing can be written, or the pool's rules prove to be unsound. */
  readonly failed: Promise<CodedError>;
  readonly diskWaitMs: () => number;
}

async function buildEnv(config: NetworkConfig, own: OwnPorts, closers: Closers): Promise<BuiltEnv> {
  const clock = systemClock;
  const random = createSystemRandom();
  const log = own.log === undefined ? silentLog : callersLog(own.log);
  const consensus = own.consensus ?? createPowConsensus(networkParams(config.network));
  checkBlockBytes(consensus);
  const genesis = genesisOf(consensus);
  if (own.blockStore !== undefined) checkStore(own.blockStore, genesis);
  if (own.txStore !== undefined) checkIndex(own.txStore);
  const health = createLoopHealth(clock);
  closers.push(() => health.stop());

  const opened = await openStores(config, own, genesis, closers, log);
  const { started, storesFailed, diskWaitMs, ...stores } = opened;
  // The adapters below take long to load: each is imported only where it is used.
  const { createIdentity, generateSeed, loadOrCreateIdentity } =
    await import("./transport/tls-identity.js");
  const identity =
    config.dataDir === null
      ? createIdentity(generateSeed(random))
      : await loadOrCreateIdentity(config.dataDir, random);
  const { createTcpTransport } = await import("./transport/tcp.js");
  const { createNameResolver } = await import("./transport/tcp-names.js");
  const names = createNameResolver({ clock, timeoutMs: config.dial.resolveTimeoutMs });
  const resolve = names.resolve.bind(names);
  const tcp = createTcpTransport({ clock, identity, config, resolve });
  closers.push(
    () => tcp.close(),
    () => names.close(),
  );
  const workers = await openWorkers(config, consensus, log);
  closers.push(() => workers.close());
  const env: NodeParts = {
    config,
    clock,
    random,
    log,
    health: { loopDelayMs: () => health.loopDelayMs(), anonymousBytes },
    peerId: identity.peerId,
    agent: AGENT,
    transports: new Map([[tcp.scheme, tcp]]),
    workers,
    ...stores,
    mempool: own.mempool ?? defaultMempool(config, consensus),
    consensus,
  };
  const threadsStarted = Promise.all([started, workers.started]);
  // Nobody waits for it when the node cannot listen.
  threadsStarted.catch(() => undefined);
  const failed = Promise.race([storesFailed, workers.broken]);
  return { env, threadsStarted, failed, diskWaitMs };
}

function reportFault(log: Log, { path, action, error }: FaultReport): void {
  const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log.write("error", "an actor failed", { path, action, error: shown });
}

/** A host that gave no log hears of it too: a network must not vanish without a word. */
function reportEnd(log: Log | undefined, { code, message }: CodedError): void {
  if (log === undefined) {
    process.emitWarning(`the network ended by itself: ${message}`, "NetworkEnded", code);
  } else {
    log.write("error", "the network ended by itself", { code, error: message });
  }
}

async function closeAll(closers: Closers): Promise<void> {
  // The youngest first: the stores go last, when nobody writes any more.
  for (const close of closers.splice(0).reverse()) {
    await Promise.resolve()
      .then(close)
      .catch(() => undefined);
  }
}
