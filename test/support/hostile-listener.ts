// A peer that is dialed, over real TCP and TLS: the real session without its limits, which a test makes
// answer what it likes and write past it.

import type { ExecutionContext } from "ava";
import { DEFAULTS } from "../../src/config.js";
import type { Breach } from "../../src/types/breach.js";
import { formatAddress, parseAddress } from "../../src/protocol/address.js";
import type { DisconnectReason, HandshakeInfo, Message } from "../../src/protocol/index.js";
import { systemClock } from "../../src/runtime/clock.js";
import { Session } from "../../src/sim/byzantine/session.js";
import { createTcpTransport } from "../../src/transport/tcp.js";
import { handshakeInfo, identityOf } from "./raw-peer.js";

export interface HostileListenerOptions {
  /** Of its identity. */
  readonly number: number;
  readonly networkId: string;
  readonly info?: Partial<HandshakeInfo>;
  readonly host?: string;
  /** Undefined: silence. */
  readonly answer: (message: Message, requestId: number, session: Session) => Message | undefined;
}

export interface HostileListener {
  readonly address: string;
  readonly peerId: string;
  readonly sessions: readonly Session[];
  /** What came, in order. */
  readonly received: readonly Message[];
  /** How its connections ended, by what the node said. */
  readonly ends: readonly (DisconnectReason | undefined)[];
  readonly breaches: readonly Breach[];
}

/** It is gone when the test ends. */
export async function listenAs(
  t: ExecutionContext,
  { number, networkId, info, host = "127.0.0.1", answer }: HostileListenerOptions,
): Promise<HostileListener> {
  const identity = identityOf(number);
  const clock = systemClock;
  const transport = createTcpTransport({ clock, identity, config: DEFAULTS });
  const sessions: Session[] = [];
  const received: Message[] = [];
  const ends: (DisconnectReason | undefined)[] = [];
  const breaches: Breach[] = [];
  const listener = await transport.listen(parseAddress(`tcp://${host}:0`), {
    onConnection(connection) {
      const session = new Session({
        connection,
        clock,
        windowBytes: DEFAULTS.lanes.windowInitialBytes,
        own: identity.peerId,
        info: handshakeInfo(networkId, info),
        isMute: false,
        onReady: () => undefined,
        onMessage(from, message, requestId) {
          received.push(message);
          const reply = answer(message, requestId, from);
          if (reply !== undefined) from.send(reply, requestId);
        },
        onBreach: (_from, breach) => void breaches.push(breach),
        onClosed: (_closed, reason) => void ends.push(reason),
      });
      sessions.push(session);
    },
    onRefused: () => undefined,
  });
  t.teardown(() => transport.close());
  const address = formatAddress(listener.endpoint);
  return { address, peerId: identity.peerId, sessions, received, ends, breaches };
}
