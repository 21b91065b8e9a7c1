// The part of a node between the socket and its handlers, of the product's own pieces: TCP with TLS,
// registry, reputation, peer handler with its lanes, router. A bench registers handlers of its own
// where a node has the chain's, so that what it measures is the network and not validation.

import { eventBus } from "../../src/actors/events/event-bus.js";
import { MemoryLedger } from "../../src/actors/memory-ledger.js";
import { Throttle } from "../../src/actors/throttle/throttle.js";
import type { NodeEnv } from "../../src/actors/env.js";
import { advancedPeerRegistry } from "../../src/actors/peer/advanced-peer-registry.js";
import { peerReputation } from "../../src/actors/peer/peer-reputation.js";
import type { RegistryMessage } from "../../src/actors/peer/peer-table.js";
import {
  messageRouter,
  type MessageRouterMessage,
} from "../../src/actors/service/message-router.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import { AGENT, defaultMempool, genesisOf, networkParams } from "../../src/compose.js";
import { resolveConfig, type NetworkConfigInput } from "../../src/config.js";
import { silentLog } from "../../src/log.js";
import type { Connection } from "../../src/ports.js";
import { createActorSystem, type ActorSystem } from "../../src/runtime/actor-system.js";
import type { ActorRef } from "../../src/runtime/actor.js";
import { systemClock } from "../../src/runtime/clock.js";
import { createLoopHealth } from "../../src/runtime/loop-health.js";
import { createSystemRandom } from "../../src/runtime/random.js";
import { createScheduler } from "../../src/runtime/scheduler.js";
import { chainView } from "../../src/storage/chain-view.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { formatAddress, parseAddress } from "../../src/protocol/address.js";
import { createTcpTransport } from "../../src/transport/tcp.js";
import { createIdentity, generateSeed } from "../../src/transport/tls-identity.js";
import { createInlineExecutor } from "../../src/workers/inline-executor.js";

const LOOPBACK = parseAddress("tcp://127.0.0.1:0");
const DIAL_TIMEOUT_MS = 5_000;

export interface WireNode {
  readonly system: ActorSystem<NodeEnv>;
  /** Handlers register here for kinds of messages. */
  readonly router: ActorRef<MessageRouterMessage>;
  /** Tells its subscribers which peers are ready. */
  readonly registry: ActorRef<RegistryMessage>;
  /** Resolves with the address. */
  listen(): Promise<string>;
  dial(address: string): Promise<void>;
  stop(): Promise<void>;
}

/** What is measured is how fast a connection can be, not how fast a peer may send. */
const ANY_RATE = 4_000_000_000;
const UNLIMITED: NetworkConfigInput = {
  receive: {
    blocksPerSecond: ANY_RATE,
    blocksBurst: ANY_RATE,
    blockBytesPerSecond: ANY_RATE,
    blockBytesBurst: ANY_RATE,
    transactionsPerSecond: ANY_RATE,
    transactionsBurst: ANY_RATE,
    transactionBytesPerSecond: ANY_RATE,
    transactionBytesBurst: ANY_RATE,
  },
};

export async function startWireNode(): Promise<WireNode> {
  const config = resolveConfig(UNLIMITED);
  const clock = systemClock;
  const random = createSystemRandom();
  const consensus = createPowConsensus(networkParams(config.network));
  const stores = openMemoryStores({ genesis: genesisOf(consensus) });
  const identity = createIdentity(generateSeed(random));
  const tcp = createTcpTransport({ clock, identity, config });
  const health = createLoopHealth(clock);
  const { verify } = await loadSignatures();
  const env: NodeEnv = {
    config,
    clock,
    random,
    log: silentLog,
    health,
    memory: new MemoryLedger(config),
    throttle: new Throttle(config, clock),
    shortIdKey: random.bytes(16),
    peerId: identity.peerId,
    agent: AGENT,
    transports: new Map([[tcp.scheme, tcp]]),
    workers: createInlineExecutor({ rules: consensus.rules, verify }),
    store: stores.blocks,
    blocks: chainView(stores.blocks),
    peers: stores.peers,
    mempool: defaultMempool(config),
    consensus,
  };
  const scheduler = createScheduler(clock);
  const system = createActorSystem({ env, clock, random, scheduler, name: "wire" });
  const mailboxMax = config.mailbox.dataMax;
  const events = system.spawn(eventBus, { mailboxMax }, { name: "events" });
  const reputation = system.spawn(peerReputation, { mailboxMax }, { name: "reputation" });
  const router = system.spawn(messageRouter, { mailboxMax }, { name: "router" });
  const args = { router, reputation, events };
  const registry = system.spawn(advancedPeerRegistry, args, { name: "registry" });
  const connected = (connection: Connection): void =>
    void registry.tell({ type: "Connected", connection });
  return {
    system,
    router,
    registry,
    async listen() {
      const handler = { onConnection: connected, onRefused: () => undefined };
      return formatAddress((await tcp.listen(LOOPBACK, handler)).endpoint);
    },
    async dial(address) {
      connected(await tcp.dial(parseAddress(address), { timeoutMs: DIAL_TIMEOUT_MS }));
    },
    async stop() {
      await system.stop();
      await tcp.close();
      health.stop();
    },
  };
}
