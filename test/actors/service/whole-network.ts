// A whole network of actors on a virtual clock, whose connections are fakes that speak real bytes.

import { nothingFollowed } from "../../../src/actors/integration/mempool-follower.js";
import { nothingUntold } from "../../../src/actors/integration/chain-commits.js";
import { eventBus } from "../../../src/actors/events/event-bus.js";
import type { StoreFailed } from "../../../src/actors/integration/consensus-integration.js";
import type { ActorLost } from "../../../src/actors/service/given-up.js";
import type { ListenOutcome } from "../../../src/actors/service/listener.js";
import { networkService } from "../../../src/actors/service/network-service.js";
import type { NetworkMessage } from "../../../src/actors/service/network-messages.js";
import { CodedError } from "../../../src/errors.js";
import type {
  Connection,
  ListenHandler,
  Transport,
  TransportListener,
} from "../../../src/ports.js";
import type { Endpoint } from "../../../src/protocol/address.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { createHarness, peerIdOf, type HarnessOptions } from "../support.js";
import { FakeConnection, RemotePeer } from "../remote-peer.js";

/** Listens when asked to; nobody can be dialed. */
export class FakeTransport implements Transport {
  readonly scheme = "tcp";
  handler: ListenHandler | undefined;
  listening = false;
  dials = 0;

  async listen(endpoint: Endpoint, handler: ListenHandler): Promise<TransportListener> {
    this.handler = handler;
    this.listening = true;
    const close = async (): Promise<void> => void (this.listening = false);
    return { endpoint: { ...endpoint, port: 41_000 }, close };
  }

  dial(): Promise<Connection> {
    this.dials++;
    return Promise.reject(new CodedError("DIAL_FAILED", "nobody is there"));
  }

  async close(): Promise<void> {}
}

export const BIND = "tcp://127.0.0.1:0";

export async function startNetworkService(options: HarnessOptions = {}) {
  const transport = new FakeTransport();
  const harness = createHarness({
    ...options,
    env: { transports: new Map([["tcp", transport]]), ...options.env },
  });
  const started = harness.probe<ActorLost | ListenOutcome | StoreFailed>();
  const events = harness.spawn(eventBus, { mailboxMax: 1_000 });
  const service = harness.spawn(networkService, {
    started: started.ref,
    events,
    untold: nothingUntold(),
    followed: nothingFollowed(),
  });
  await harness.settle();
  return {
    ...harness,
    transport,
    started,
    service,
    async ask<R>(question: (replyTo: ActorRef<R>) => NetworkMessage): Promise<R | undefined> {
      const asker = harness.probe<R>();
      service.tell(question(asker.ref));
      await harness.settle();
      return asker.last;
    },
    async join(number = 1): Promise<RemotePeer> {
      const post = (fn: () => void): void => harness.scheduler.post(fn);
      const connection = new FakeConnection({
        peerId: peerIdOf(number),
        openedAtMs: harness.clock.monotonicMs(),
        post,
      });
      const remote = new RemotePeer(connection);
      transport.handler?.onConnection(connection);
      remote.handshake();
      await harness.settle();
      return remote;
    },
    paths: () => harness.system.figures().map(({ path }) => path.replace("/test/network", "")),
    handled: (name: string) =>
      harness.system.figures().find(({ path }) => path === `/test/network/${name}`)!,
  };
}
