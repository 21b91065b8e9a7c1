// The composition root: the only place that constructs adapters and wires them. main, the library,
// the network thread and the simulator all build their nodes here.

import { equalBytes } from "./bytes/compare.js";
import { createPowConsensus } from "./chain/consensus.js";
import { KINDS } from "./protocol/types/message.js";
import { createMempool } from "./chain/mempool.js";
import { NETWORKS } from "./chain/networks.js";
import { powRulesModule } from "./chain/rules.js";
import { readTransaction } from "./chain/transaction.js";
import type { ChainParams } from "./chain/params.js";
import type { HashHex } from "./types/chain.js";
import { resolveConfig, type NetworkConfig, type NetworkConfigInput } from "./config.js";
import { CodedError, errorText, invariant, isCoded } from "./errors.js";
import { callersLog, silentLog } from "./log.js";
import { networkHandle, type Network, type NetworkParts } from "./network.js";
import type {
  BlockStore,
  Consensus,
  Log,
  Mempool,
  PeerStore,
  ServiceProtocol,
  StoredBlock,
  TxStore,
} from "./ports.js";
import { chainView } from "./storage/chain-view.js";
import type { Disk, DiskWatch } from "./storage/disk-watch.js";
import type { StartingPool } from "./workers/jobs.js";
import type { NodeEnv } from "./actors/env.js";
import { CAPABILITIES } from "./actors/peer/local-info.js";
import { eventBus } from "./actors/events/event-bus.js";
import { gaveUp, type ActorLost } from "./actors/service/given-up.js";
import { protocolLink } from "./actors/service/protocol-link.js";
import { networkService } from "./actors/service/network-service.js";
import type { StoreFailed } from "./actors/integration/consensus-integration.js";
import { nothingUntold } from "./actors/integration/chain-commits.js";
import { nothingFollowed } from "./actors/integration/mempool-follower.js";
import { guardConsensus } from "./actors/integration/guarded-consensus.js";
import type { ListenOutcome } from "./actors/service/listener.js";
import { checkProtocols } from "./protocol/kinds/own.js";
import {
  addressInvalid,
  formatAddress,
  isDialableByOthers,
  parseAddress,
  parseDialable,
  type Endpoint,
} from "./protocol/address.js";
import { createActorSystem, type FaultReport } from "./runtime/actor-system.js";
import { defineActor, type ActorRef } from "./runtime/actor.js";
import { systemClock } from "./runtime/clock.js";
import { createLoopHealth } from "./runtime/loop-health.js";
import { createSystemRandom } from "./runtime/random.js";
import { createScheduler, type Scheduler } from "./runtime/scheduler.js";

/** A caller's own ports; what is absent is built from the configuration. */
export interface OwnPorts {
  readonly blockStore?: BlockStore;
  readonly txStore?: TxStore;
  readonly peerStore?: PeerStore;
  readonly mempool?: Mempool;
  readonly consensus?: Consensus;
  readonly protocols?: readonly ServiceProtocol[];
  readonly log?: Log;
}

/** Closes in the order given; a failure does not keep the rest open. */
type Closers = (() => unknown)[];

export const AGENT = "vibecoin-network/0.1.0";

export function networkParams(name: string): ChainParams {
  const params = NETWORKS.get(name);
  if (params !== undefined) return params;
  const known = [...NETWORKS.keys()].join(", ");
  throw new CodedError("CONFIG_INVALID", `network ${name} is unknown: this node knows ${known}`);
}

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
  checkAddresses(config);
  checkProtocols(own.protocols ?? [], CAPABILITIES);
  const closers: Closers = [];
  try {
    const built = await buildEnv(config, own, closers);
    const scheduler = createScheduler(built.env.clock);
    const onFailure = (reason: CodedError): void => reportEnd(own.log, reason);
    const { protocols = [] } = own;
    const end = { onFailure, close: () => closeAll(closers) };
    return await runNode(built, { scheduler, protocols }, end);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** Starts the actors on an environment; `end.close` releases it after they stopped. */
async function runNode(
  { env, threadsStarted, failed, diskWaitMs }: BuiltEnv,
  given: Pick<SpawnOptions, "scheduler" | "protocols">,
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
  const listenAddresses = outcome.endpoints.map(formatAddress);
  // The threads still load; what they are to check and write waits for them. A caller must not wait
  // too, or blocks connect before it can subscribe: threads that cannot start end the network.
  const threadsFailed = new Promise<CodedError>((onFailed) => void threadsStarted.catch(onFailed));
  const serviceGone = Promise.race([spawned.serviceGone, threadsFailed, failed]);
  return handleOf(env, { ...spawned, serviceGone }, { listenAddresses, diskWaitMs, ...end });
}

export interface SpawnOptions {
  readonly scheduler: Scheduler;
  readonly protocols?: readonly ServiceProtocol[];
  /** The first segment of every actor's path; default "node". */
  readonly name?: string;
  readonly onFault: (report: FaultReport) => void;
  /** Called when the node listens or cannot, and again after each restart of the service. */
  readonly onStarted: (outcome: ListenOutcome) => void;
}

export type SpawnedNode = Pick<
  NetworkParts,
  "system" | "service" | "serviceGone" | "missed" | "links"
>;

/** The actors of a node, spawned and not yet run: nothing happens before the scheduler's turn. */
export function spawnNode(env: NodeEnv, options: SpawnOptions): SpawnedNode {
  const { clock, random, log } = env;
  const { scheduler, name = "node", protocols = [], onFault, onStarted } = options;
  const linked = protocols.map(({ name: protocol, kinds }, index) => {
    // A copy: what was checked and told to peers stays as it is.
    const own = { name: protocol, kinds: structuredClone(kinds) };
    const link = protocolLink(own, () => ({ system, service }), env.config.calls.timeoutMs);
    return { ...own, service: protocols[index]!, link };
  });
  const consensus = guardConsensus(env.consensus, log);
  const guarded: NodeEnv = { ...env, consensus, protocols: linked };
  // A fault that escalates is reported where it began first, and that is what ends the network.
  let last: Pick<FaultReport, "path" | "error"> = { path: "network", error: "it stopped" };
  const onReport = (report: FaultReport): void => {
    if (report.error !== last.error) last = report;
    onFault(report);
  };
  const kernel = { env: guarded, clock, random, scheduler, name, onFault: onReport };
  const system = createActorSystem(kernel);
  let onServiceGone: (reason: CodedError) => void = () => undefined;
  const serviceGone = new Promise<CodedError>((resolve) => (onServiceGone = resolve));
  const onGone = (failure: CodedError | undefined): void => {
    const reason = failure ?? gaveUp(last.path, last.error);
    onServiceGone(reason);
    onStarted({ type: "ListenFailed", error: reason });
  };
  const started = system.spawn(startTap, { onStarted, onGone }, { name: "start" });
  // Beside the network, not below it: who subscribed stays subscribed when the network restarts.
  const mailboxMax = env.config.mailbox.dataMax;
  const missed = { count: 0 };
  const onMissed = (): void => void missed.count++;
  const events = system.spawn(eventBus, { mailboxMax, onMissed }, { name: "events" });
  // Nor is lost which facts it had still to publish, and which blocks its mempool had to follow.
  const args = { started, events, untold: nothingUntold(), followed: nothingFollowed() };
  const service = system.spawn(networkService, args, { name: "network" });
  for (const actor of [events, service]) started.tell({ type: "Watch", actor });
  const links = new Map(linked.map(({ name: protocol, link }) => [protocol, link]));
  return { system, service, serviceGone, missed, links };
}

/** The handle of a spawned node. */
export function handleOf(
  { peerId, blocks, config }: NodeEnv,
  spawned: SpawnedNode,
  rest: Pick<NetworkParts, "listenAddresses" | "close" | "diskWaitMs">,
): Network {
  const askTimeoutMs = config.calls.timeoutMs;
  const { drainMs } = config.shutdown;
  return networkHandle({ ...spawned, peerId, blocks, drainMs, askTimeoutMs, ...rest });
}

interface StartTapArgs {
  /** Called with every answer; what a restart says after the first one is not awaited. */
  readonly onStarted: (outcome: ListenOutcome) => void;
  /** The service or the event bus stopped for good; absent: by a fault of its own. */
  readonly onGone: (failure: CodedError | undefined) => void;
}

type StartTapMessage =
  | ListenOutcome
  | StoreFailed
  | ActorLost
  | { readonly type: "Watch"; readonly actor: ActorRef<never> }
  | { readonly type: "Gone" };

/** Turns the fate of the service into calls. */
const startTap = defineActor<
  StartTapArgs,
  StartTapMessage,
  StartTapArgs & { failure?: CodedError },
  unknown
>({
  name: "start",
  mailbox: { dataMax: 64, controlMax: 64, overflow: "dropOldest" },
  onFault: { kind: "stop" },
  init: (_context, args) => ({ ...args }),
  receive(state, message, context) {
    if (message.type === "Watch") context.watch(message.actor);
    else if (message.type === "Gone") state.onGone(state.failure);
    else if (message.type === "StoreFailed" || message.type === "ActorLost") {
      state.failure ??= message.error;
    } else state.onStarted(message);
  },
  signal(_state, signal, context) {
    // Signals overtake messages, and the one that says why may still wait.
    if (signal.type === "terminated") context.self.tell({ type: "Gone" });
  },
});

/** Throws ADDRESS_INVALID: an operator's mistake is told at the start, not by failing dials. */
function checkAddresses({ bindAddr, advertise, seedPeers }: NetworkConfig): void {
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
  for (const text of seedPeers) check(text, parseDialable(text));
  for (const text of advertise) {
    const address = parseDialable(text);
    check(text, address);
    if (!isDialableByOthers(address)) throw addressInvalid(text, "no other node can dial it");
  }
}

interface BuiltEnv {
  readonly env: NodeEnv;
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
  const env: NodeEnv = {
    config,
    clock,
    random,
    log,
    health,
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

/** What a message of blocks holds of one: its heads take up to seven bytes. */
const BLOCK_BYTES_MAX = KINDS.ResponseBlockRange.payloadBytesMax - 7;

/** Throws CONFIG_INVALID: blocks could not be sent, or a producer not tell what fits into one. */
function checkBlockBytes({ blockBytesMax, envelopeBytesMax = 0 }: Consensus): void {
  if (!isWithin(blockBytesMax, 1, BLOCK_BYTES_MAX)) {
    throw new CodedError(
      "CONFIG_INVALID",
      `blockBytesMax of the consensus is ${blockBytesMax}: it must be a whole number of bytes ` +
        `from 1 to ${BLOCK_BYTES_MAX}, which is what a message holds`,
    );
  }
  if (isWithin(envelopeBytesMax, 0, blockBytesMax - 1)) return;
  throw new CodedError(
    "CONFIG_INVALID",
    `envelopeBytesMax of the consensus is ${envelopeBytesMax}: it must be a whole number of bytes ` +
      `from 0 to below blockBytesMax, which is ${blockBytesMax}`,
  );
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

type NodeStores = Pick<NodeEnv, "blocks" | "store" | "transactions" | "peers"> & {
  readonly started: Promise<void>;
  /** Resolves to why, once nothing can be written any more, or the store proves to be damaged. */
  readonly storesFailed: Promise<CodedError>;
  readonly diskWaitMs: () => number;
};

async function openStores(
  config: NetworkConfig,
  own: OwnPorts,
  genesis: StoredBlock,
  closers: Closers,
  log: Log,
): Promise<NodeStores> {
  let stores;
  let diskWaitMs = (): number => 0;
  if (config.dataDir === null) {
    const { openMemoryStores } = await import("./storage/memory-stores.js");
    stores = openMemoryStores({ genesis });
    closers.push(stores.close);
  } else {
    const { openLmdbStores } = await import("./storage/lmdb-environment.js");
    stores = await openLmdbStores({ directory: config.dataDir, genesis, clock: systemClock });
    const { disk, close } = stores;
    closers.push(close);
    const watch = await openDiskWatch(disk, config.dataDir, log);
    closers.push(() => watch.stop());
    diskWaitMs = () => watch.waitMs();
  }
  const joined = (): TxStore =>
    own.blockStore === undefined ? stores.joinIndex() : stores.transactions;
  const transactions = own.txStore ?? (config.txIndex ? joined() : undefined);
  const store = own.blockStore ?? stores.blocks;
  return {
    store,
    blocks: chainView(store),
    ...(transactions === undefined ? {} : { transactions }),
    peers: own.peerStore ?? stores.peers,
    started: stores.started,
    storesFailed: stores.failed,
    diskWaitMs,
  };
}

async function openDiskWatch(disk: Disk, directory: string, log: Log): Promise<DiskWatch> {
  const { watchDisk } = await import("./storage/disk-watch.js");
  return watchDisk(disk, {
    clock: systemClock,
    onSlow: (waitMs) =>
      log.write("error", "the disk does not answer", { directory, waitMs: Math.round(waitMs) }),
    onAnswer: () => log.write("warn", "the disk answers again", { directory }),
  });
}

/** The genesis block as stores are opened with it. Throws CONFIG_INVALID when it cannot be read. */
export function genesisOf({ rules, genesis }: Consensus): StoredBlock {
  const refuse = (why: string, cause?: unknown): CodedError => {
    const sentence = `the genesis block of the consensus cannot be read by its own rules: ${why}`;
    return new CodedError("CONFIG_INVALID", sentence, { cause });
  };
  try {
    const parts = rules.splitBlock(genesis);
    if (!parts.ok) throw refuse(parts.fault.detail);
    const header = rules.readHeader(parts.value.header);
    if (!header.ok) throw refuse(header.fault.detail);
    return { header: header.value, headerBytes: parts.value.header, bytes: genesis };
  } catch (error) {
    throw isCoded(error) ? error : refuse(errorText(error), error);
  }
}

/** Throws CONFIG_INVALID when a caller's store holds another chain. */
function checkStore(store: BlockStore, { header: { hash } }: StoredBlock): void {
  const stored = firstHash(store);
  if (stored === hash) return;
  const holds =
    stored === undefined ? "no genesis block" : `another chain: its genesis is ${stored}`;
  const sentence = `the block store holds ${holds}, that of the consensus is ${hash}`;
  throw new CodedError("CONFIG_INVALID", sentence);
}

function firstHash(store: BlockStore): HashHex | undefined {
  try {
    return store.hashAt(0);
  } catch (cause) {
    const sentence = `the block store cannot be read: ${errorText(cause)}`;
    throw new CodedError("CONFIG_INVALID", sentence, { cause });
  }
}

/** The pool for these rules, or the inline executor where the configuration says so. */
export async function openWorkers(
  config: NetworkConfig,
  consensus: Consensus,
  log: Log,
): Promise<StartingPool> {
  const { pool } = config;
  const { allocateSignatureCache, openSignatureCache, SIGNATURE_CACHE_SALT_BYTES } =
    await import("./workers/signature-cache.js");
  const salt = createSystemRandom().bytes(SIGNATURE_CACHE_SALT_BYTES);
  const cache =
    pool.signatureCacheEntries === 0
      ? undefined
      : allocateSignatureCache(pool.signatureCacheEntries, salt);
  if (pool.inline) {
    const { loadSignatures } = await import("./chain/signatures.js");
    const { createInlineExecutor } = await import("./workers/inline-executor.js");
    const { verify } = await loadSignatures();
    const known = cache === undefined ? {} : { signatureCache: openSignatureCache(cache) };
    const executor = createInlineExecutor({ rules: consensus.rules, verify, ...known });
    return { ...executor, started: Promise.resolve(), broken: new Promise(() => undefined) };
  }
  const { openWorkerPool } = await import("./workers/pool.js");
  return openWorkerPool({
    rulesModule: consensus.rulesModule,
    threads: pool.threads,
    queueMax: pool.queueMax,
    heapMiB: pool.heapMiB,
    nice: pool.nice,
    ...(cache === undefined ? {} : { signatureCache: cache }),
    closeWaitMs: config.shutdown.drainMs,
    taskMsMax: pool.taskMsMax,
    threadEndsMax: pool.threadEndsMax,
    clock: systemClock,
    onTrouble: (what, fields) => log.write("error", what, { ...fields }),
  });
}

/**
 * For the default transactions, by the constants of their chain. Throws CONFIG_INVALID for a chain
 * with others: it brings a mempool of its own.
 */
export function defaultMempool(
  config: NetworkConfig,
  consensus: Consensus = createPowConsensus(networkParams(config.network)),
): Mempool {
  const params = paramsOf(consensus, config.network);
  return createMempool(config.mempool, (bytes) => readTransaction(bytes, params));
}

/** The constants of a chain with the default transactions. */
function paramsOf({ rulesModule, genesis }: Consensus, network: string): ChainParams {
  const shipped = powRulesModule(networkParams(network));
  if (
    rulesModule.moduleUrl === shipped.moduleUrl &&
    rulesModule.exportName === shipped.exportName
  ) {
    return rulesModule.options as ChainParams;
  }
  // Rules of its own over the network's own transactions.
  const params = networkParams(network);
  if (equalBytes(genesis, createPowConsensus(params).genesis)) return params;
  const sentence =
    `a consensus with rules of its own needs a mempool of its own: the default one takes ` +
    `transactions of ${network} alone`;
  throw new CodedError("CONFIG_INVALID", sentence);
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
