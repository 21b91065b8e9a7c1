// A peer that waits to be dialed, over real TCP and TLS: a session without limits, which answers
// what it is told to.

import { DEFAULTS } from "../../config.js";
import { formatAddress, parseAddress } from "../../protocol/address.js";
import type { Message } from "../../protocol/index.js";
import { systemClock } from "../../runtime/clock.js";
import { Session } from "../../sim/byzantine/session.js";
import { createTcpTransport } from "../../transport/tcp.js";
import type { Identity } from "../../transport/tls-identity.js";
import { handshakeInfo } from "./raw-peer.js";

export interface LurkingPeerOptions {
  readonly identity: Identity;
  /** An address of 127.0.0.0/8. */
  readonly host: string;
  readonly networkId: string;
  /** Undefined: silence. */
  readonly answer: (message: Message) => Message | undefined;
}

export interface LurkingPeer {
  /** `tcp://host:port` */
  readonly address: string;
  close(): Promise<void>;
}

export async function lurk(options: LurkingPeerOptions): Promise<LurkingPeer> {
  const { identity, host, networkId, answer } = options;
  const transport = createTcpTransport({ clock: systemClock, identity, config: DEFAULTS });
  const { endpoint } = await transport.listen(parseAddress(`tcp://${host}:0`), {
    onConnection(connection) {
      new Session({
        connection,
        clock: systemClock,
        windowBytes: DEFAULTS.lanes.windowInitialBytes,
        own: identity.peerId,
        info: handshakeInfo(networkId),
        isMute: false,
        onReady: () => undefined,
        onMessage(from, message, requestId) {
          const reply = answer(message);
          if (reply !== undefined) from.send(reply, requestId);
        },
        onBreach: () => undefined,
        onClosed: () => undefined,
      });
    },
    onRefused: () => undefined,
  });
  return { address: formatAddress(endpoint), close: () => transport.close() };
}
