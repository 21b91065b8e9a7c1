// The registry and the dialer on a transport whose dials the test ends; the peers at the other ends speak
// real bytes.

import { advancedPeerRegistry } from "../../../src/actors/peer/advanced-peer-registry.js";
import type { PeerTableEvent, RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type {
  DialerMessage,
  DialOutcome,
  DialStatus,
} from "../../../src/actors/service/dial-messages.js";
import { dialer } from "../../../src/actors/service/dialer.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import { CodedError } from "../../../src/errors.js";
import { formatAddress, parseAddress, type Endpoint } from "../../../src/protocol/address.js";
import type { DisconnectReason } from "../../../src/protocol/types/message.js";
import type { Connection, DialOptions, Transport } from "../../../src/ports.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { createHarness, peerIdOf, type HarnessOptions } from "../support.js";
import { FakeConnection, RemotePeer } from "../remote-peer.js";

interface Dial {
  readonly address: string;
  readonly options: DialOptions;
  resolve(connection: Connection): void;
  reject(error: Error): void;
}

class FakeTransport implements Transport {
  readonly scheme = "tcp";
  /** Under way, the oldest first. */
  readonly dials: Dial[] = [];

  dial(endpoint: Endpoint, options: DialOptions): Promise<Connection> {
    const address = formatAddress(endpoint);
    return new Promise((resolve, reject) => this.dials.push({ address, options, resolve, reject }));
  }

  listen(): never {
    throw new Error("not here");
  }

  async close(): Promise<void> {}
}

export async function start(
  config: HarnessOptions["config"] = {},
  env: NonNullable<HarnessOptions["env"]> = {},
) {
  const transport = new FakeTransport();
  const transports = new Map<string, Transport>([["tcp", transport]]);
  const harness = createHarness({ config, env: { transports, ...env } });
  const router = harness.probe<MessageRouterMessage>();
  const reputation = harness.probe<ReputationMessage>();
  const events = harness.probe<EventBusMessage>();
  const registry: ActorRef<RegistryMessage> = harness.spawn(advancedPeerRegistry, {
    router: router.ref,
    reputation: reputation.ref,
    events: events.ref,
  });
  const subscriber = harness.probe<PeerTableEvent>();
  registry.tell({ type: "Subscribe", subscriber: subscriber.ref });
  const dialing: ActorRef<DialerMessage> = harness.spawn(dialer, { registry });
  await harness.settle();
  const remoteOf = (
    peerId: string,
    direction: "inbound" | "outbound",
    host?: string,
  ): RemotePeer => {
    const post = (fn: () => void): void => harness.scheduler.post(fn);
    const openedAtMs = harness.clock.monotonicMs();
    return new RemotePeer(
      new FakeConnection({
        peerId,
        direction,
        post,
        openedAtMs,
        ...(host === undefined ? {} : { host }),
      }),
    );
  };
  const handshake = async (remote: RemotePeer): Promise<RemotePeer> => {
    await harness.settle();
    remote.handshake();
    await harness.settle();
    return remote;
  };
  return {
    ...harness,
    transport,
    registry,
    reputation,
    subscriber,
    dialing,
    dials: (): string[] => transport.dials.map(({ address }) => address),
    /** The oldest dial succeeds; its peer has not shaken hands yet. */
    async succeed(peerId = peerIdOf(1)): Promise<RemotePeer> {
      const remote = remoteOf(peerId, "outbound");
      transport.dials.shift()!.resolve(remote.connection);
      await harness.settle();
      return remote;
    },
    async fail(why = "refused"): Promise<void> {
      transport.dials.shift()!.reject(new CodedError("DIAL_FAILED", why));
      await harness.settle();
    },
    handshake,
    /** A peer that dialed us. */
    async join(peerId: string, host?: string): Promise<RemotePeer> {
      const remote = remoteOf(peerId, "inbound", host);
      registry.tell({ type: "Connected", connection: remote.connection });
      return handshake(remote);
    },
    async goodbye(remote: RemotePeer, reason: DisconnectReason = "Shutdown"): Promise<void> {
      remote.send({ kind: "Disconnect", reason, detail: "" });
      await harness.settle();
    },
    async connect(address: string): Promise<{ outcome: DialOutcome | undefined }> {
      const asked: { outcome: DialOutcome | undefined } = { outcome: undefined };
      const asker = harness.probe<DialOutcome>((outcome) => {
        if (asked.outcome !== undefined) throw new Error("answered twice");
        asked.outcome = outcome;
      });
      registry.tell({ type: "Connect", endpoint: parseAddress(address), replyTo: asker.ref });
      await harness.settle();
      return asked;
    },
    async status(): Promise<DialStatus> {
      const asker = harness.probe<DialStatus>();
      registry.tell({ type: "GetDialStatus", replyTo: asker.ref });
      await harness.settle();
      return asker.last!;
    },
    /** Time passes while the peers at the other ends keep answering pings. */
    async awake(remotes: readonly RemotePeer[], durationMs: number): Promise<void> {
      for (let passedMs = 0; passedMs < durationMs; passedMs += 1_000) {
        await harness.advance(Math.min(1_000, durationMs - passedMs));
        for (const remote of remotes) remote.pong();
        await harness.settle();
      }
    },
    async untilDials(stepMs = 500): Promise<void> {
      for (let i = 0; transport.dials.length === 0; i++) {
        if (i > 10_000) throw new Error("nothing is dialed");
        await harness.advance(stepMs);
      }
    },
  };
}

export const seeds = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `tcp://10.0.0.${i + 1}:8765`);
