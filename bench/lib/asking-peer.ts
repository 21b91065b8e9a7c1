// A peer that asks: the product's own registry, router and peer handlers without a chain behind
// them, and an actor that sends requests to the one peer it has. A node would ask by its sync and
// its handlers; here a load does.

import { AGENT, defaultMempool, genesisOf, openWorkers } from "../../src/compose.js";
import { resolveConfig } from "../../src/config.js";
import { invariant } from "../../src/errors.js";
import { silentLog } from "../../src/log.js";
import type { Message } from "../../src/protocol/index.js";
import type { NodeEnv } from "../../src/actors/env.js";
import {
  advancedPeerRegistry,
  eventBus,
  messageRouter,
  peerReputation,
  type PeerHandlerMessage,
  type PeerTableEvent,
  type RequestOutcome,
} from "../../src/actors/index.js";
import {
  createActorSystem,
  createScheduler,
  createSystemRandom,
  defineActor,
  systemClock,
  type ActorRef,
} from "../../src/runtime/index.js";
import { createLoopHealth } from "../../src/runtime/loop-health.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { createTcpTransport } from "../../src/transport/tcp.js";
import { createIdentity, generateSeed } from "../../src/transport/tls-identity.js";
import { consensus } from "./sync-chain.js";

const DIAL_TIMEOUT_MS = 5_000;

type OnOutcome = (outcome: RequestOutcome) => void;

interface AskerArgs {
  readonly onReady: (handler: ActorRef<PeerHandlerMessage>) => void;
  /** What waits for its outcome, by tag. */
  readonly waiting: Map<number, OnOutcome>;
}

const asker = defineActor<AskerArgs, PeerTableEvent | RequestOutcome, AskerArgs, unknown>({
  name: "asker",
  mailbox: { dataMax: 1_024, controlMax: 64, overflow: "reject" },
  onFault: { kind: "stop" },
  init: (_context, args) => args,
  receive({ onReady, waiting }, message) {
    if (message.type === "PeerReady") onReady(message.handler);
    if (message.type !== "RequestOutcome") return;
    const onOutcome = waiting.get(message.tag);
    invariant(onOutcome !== undefined, "an outcome has its request");
    waiting.delete(message.tag);
    onOutcome(message);
  },
});

export interface AskingPeer {
  /** Sends a request and calls back once, from the asker's turn. */
  ask(message: Message, items: number, onOutcome: OnOutcome): void;
}

export async function connectAskingPeer(address: string): Promise<AskingPeer> {
  const env = await createEnv();
  const system = createActorSystem({
    env,
    clock: env.clock,
    random: env.random,
    scheduler: createScheduler(env.clock),
    onFault({ path, error }) {
      throw new Error(`${path} failed`, { cause: error });
    },
  });
  const mailboxMax = env.config.mailbox.dataMax;
  const events = system.spawn(eventBus, { mailboxMax }, { name: "events" });
  const reputation = system.spawn(peerReputation, { mailboxMax }, { name: "reputation" });
  const router = system.spawn(messageRouter, { mailboxMax }, { name: "router" });
  const registry = system.spawn(
    advancedPeerRegistry,
    { router, reputation, events },
    { name: "registry" },
  );
  const waiting = new Map<number, OnOutcome>();
  let self: ActorRef<PeerTableEvent | RequestOutcome> | undefined;
  const ready = new Promise<ActorRef<PeerHandlerMessage>>((onReady) => {
    self = system.spawn(asker, { onReady, waiting }, { name: "asker" });
    registry.tell({ type: "Subscribe", subscriber: self });
  });
  const tcp = env.transports.get("tcp")!;
  const connection = await tcp.dial(address, { timeoutMs: DIAL_TIMEOUT_MS });
  registry.tell({ type: "Connected", connection, dialed: address });
  const handler = await ready;
  let tags = 0;
  return {
    ask(message, items, onOutcome) {
      const tag = ++tags;
      waiting.set(tag, onOutcome);
      const taken = handler.tell({ type: "Request", message, tag, items, replyTo: self! });
      invariant(taken, "the handler takes a request");
    },
  };
}

async function createEnv(): Promise<NodeEnv> {
  const config = resolveConfig({ pool: { inline: true } });
  const random = createSystemRandom();
  const identity = createIdentity(generateSeed(random));
  const tcp = createTcpTransport({ clock: systemClock, identity, config });
  const { blocks, peers } = openMemoryStores({ genesis: genesisOf(consensus) });
  return {
    config,
    clock: systemClock,
    random,
    log: silentLog,
    health: createLoopHealth(systemClock),
    peerId: identity.peerId,
    agent: AGENT,
    transports: new Map([[tcp.scheme, tcp]]),
    workers: await openWorkers(config, consensus, silentLog),
    blocks,
    peers,
    mempool: defaultMempool(config),
    consensus,
  };
}
