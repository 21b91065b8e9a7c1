// The bench of the peer handler: one connection, its neighbours and the peer at its other end.

import { TrafficCounts } from "../../../src/protocol/session/traffic.js";
import { LocalInfo } from "../../../src/actors/peer/local-info.js";
import { peerHandler } from "../../../src/actors/peer/peer-handler.js";
import type { Incoming, PeerAnswer } from "../../../src/actors/peer/peer-handler-messages.js";
import { banText } from "../../../src/actors/peer/ban-list.js";
import type { PeerHandlerArgs } from "../../../src/actors/peer/peer-handler-state.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import type { Message } from "../../../src/protocol/types/message.js";
import type { HandshakeInfo } from "../../../src/protocol/types/node-info.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { createHarness, type HarnessOptions } from "../support.js";
import { FakeConnection, RemotePeer, type FakeConnectionOptions } from "../remote-peer.js";

export const HASH = "ab".repeat(32);
export const KIB = 1024;
export const MIB = 1024 * KIB;

export interface StartOptions extends HarnessOptions {
  readonly connection?: FakeConnectionOptions;
  readonly refusal?: PeerHandlerArgs["refusal"];
  readonly routerMax?: number;
  /** Takes what the router is told. */
  readonly route?: (message: MessageRouterMessage) => void;
}

export function start(options: StartOptions = {}) {
  const harness = createHarness(options);
  const registry = harness.probe<RegistryMessage>();
  const router = harness.probe<MessageRouterMessage>(options.route, options.routerMax);
  const reputation = harness.probe<ReputationMessage>();
  const post = (fn: () => void): void => harness.scheduler.post(fn);
  const connection = new FakeConnection({ post, ...options.connection });
  const handler = harness.spawn(peerHandler, {
    connection,
    connectionId: 7,
    registry: registry.ref,
    router: router.ref,
    reputation: reputation.ref,
    traffic: new TrafficCounts(),
    local: new LocalInfo(harness.env),
    ...(options.refusal === undefined ? {} : { refusal: options.refusal }),
  });
  const remote = new RemotePeer(connection);
  const outcomes = harness.probe<{ readonly tag: number } & PeerAnswer>();

  return {
    ...harness,
    registry,
    router,
    reputation,
    connection,
    handler,
    remote,
    outcomes,
    /** Sends a request of ours. */
    ask: (message: Message, tag: number): boolean => {
      const { path } = outcomes.ref;
      const tell = (answer: PeerAnswer): boolean => outcomes.ref.tell({ tag, ...answer });
      const replyTo = { path, tell } as ActorRef<PeerAnswer>;
      return handler.tell({ type: "Request", message, replyTo });
    },
    incoming: (): Incoming[] => router.of("Incoming"),
    closing: () => registry.of("HandlerClosing")[0]?.gone,
    blames: () =>
      reputation
        .of("Report")
        .map(({ event, rule, detail }) =>
          banText({ reason: event, ...(rule && { rule }), detail }),
        ),
    gone: (): boolean => !handler.tell({ type: "Drained" }),
  };
}

/** Another peer of the same node, past the handshake. */
export async function join(bench: ReturnType<typeof start>, peerId: string) {
  const post = (fn: () => void): void => bench.scheduler.post(fn);
  const connection = new FakeConnection({ post, peerId });
  const args = {
    connection,
    connectionId: Number.parseInt(peerId, 16),
    registry: bench.registry.ref,
    router: bench.router.ref,
    reputation: bench.reputation.ref,
    traffic: new TrafficCounts(),
    local: new LocalInfo(bench.env),
  };
  const handler = bench.spawn(peerHandler, args, `peer-${peerId.slice(-4)}`);
  const remote = new RemotePeer(connection);
  remote.handshake();
  await bench.settle();
  return { connection, handler, remote };
}

/** Past the handshake and the first ping. */
export async function ready(options: StartOptions & { info?: Partial<HandshakeInfo> } = {}) {
  const harness = start(options);
  harness.remote.handshake(options.info);
  await harness.settle();
  harness.remote.pong();
  await harness.settle();
  harness.remote.heard();
  return harness;
}

export const requestBlock: Message = { kind: "RequestBlock", hash: HASH };
export const responseBlock: Message = { kind: "ResponseBlock", block: new Uint8Array(100) };
