// A bound port of the TCP transport: raw connections pass the inbound limits, then the TLS
// handshake within its deadline; what broke a rule is refused by its name and destroyed.

import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { SecureContext } from "node:tls";

import { CodedError, invariant } from "../errors.js";
import type {
  Clock,
  Connection,
  ListenHandler,
  PeerId,
  RefusalRule,
  TransportListener,
} from "../ports.js";
import { addressInvalid, formatAddress } from "../protocol/address.js";
import type { Endpoint } from "../protocol/address.js";
import { ALPN_PROTOCOL } from "./acceptance.js";
import type { Judgement } from "./acceptance.js";
import { startFairTimer } from "./fair-timer.js";
import type { InboundLimits } from "./inbound-limits.js";
import type { TcpFeed } from "./tcp-feed.js";
import { ignore, watchHandshake } from "./tcp-handshake.js";

/** Both ends: the halves of a connection end one by one, as TLS wants them. */
export const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  allowHalfOpen: true,
} as const;

/** What a finished handshake established about the other side. */
export interface ConnectionFacts {
  readonly peerId: PeerId;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly openedAtMs: number;
}

export interface TcpListenerArgs {
  readonly clock: Clock;
  readonly context: SecureContext;
  readonly limits: InboundLimits;
  readonly handshakeTimeoutMs: number;
  readonly handler: ListenHandler;
  readonly feed: (raw: Socket) => TcpFeed;
  readonly establish: (tls: TLSSocket, feed: TcpFeed, facts: ConnectionFacts) => Connection;
  /** The listener of this transport that has the port already. */
  readonly boundAt: (port: number) => TransportListener | undefined;
  readonly onClosed: (listener: TcpListener) => void;
}

export class TcpListener implements TransportListener {
  readonly #args: TcpListenerArgs;
  readonly #server: Server;
  /** The handshakes in progress; each function ends one. */
  readonly #pending = new Set<(judgement: Judgement) => void>();
  #endpoint: Endpoint | undefined;

  constructor(args: TcpListenerArgs) {
    this.#args = args;
    this.#server = createServer(SOCKET_OPTIONS, (raw) => this.#accept(raw));
  }

  get endpoint(): Endpoint {
    invariant(this.#endpoint !== undefined, "a listener is bound before it is handed out");
    return this.#endpoint;
  }

  bind(address: Endpoint): Promise<void> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        const own = this.#args.boundAt(address.port);
        reject(bindError(address, error, own));
      });
      server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
        server.removeAllListeners("error");
        // Later errors are failed accepts, such as a lack of file descriptors.
        server.on("error", (error) => this.#refused(NOBODY, "pending-limit", error.message));
        const bound = server.address();
        const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
        this.#endpoint = { ...address, port };
        resolve();
      });
    });
  }

  /** The port is free when this resolves; node itself would wait for every connection to end. */
  async close(): Promise<void> {
    this.#server.close();
    this.#args.onClosed(this);
    for (const end of this.#pending) {
      end({ ok: false, rule: "tls-failed", detail: "the listener closed" });
    }
  }

  #accept(raw: Socket): void {
    const { clock, context, limits, handshakeTimeoutMs } = this.#args;
    const openedAtMs = clock.monotonicMs();
    raw.on("error", ignore);
    const { local, remote } = endsOf(raw);
    const limit = limits.admit(remote.host, openedAtMs);
    if (limit !== undefined) {
      // A reset leaves the kernel nothing to remember, which an orderly close would.
      raw.resetAndDestroy();
      this.#refused(remote, limit, "refused before TLS");
      return;
    }
    const feed = this.#args.feed(raw);
    const tls = new TLSSocket(feed, {
      isServer: true,
      secureContext: context,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: [ALPN_PROTOCOL],
    });
    const end = (judgement: Judgement): void => {
      if (!this.#pending.delete(end)) return;
      timer.cancel();
      limits.release();
      if (judgement.ok) {
        const { peerId } = judgement;
        const facts = { peerId, local, remote, openedAtMs };
        const connection = this.#args.establish(tls, feed, facts);
        this.#args.handler.onConnection(connection);
        return;
      }
      tls.destroy();
      this.#refused(remote, judgement.rule, judgement.detail);
    };
    const timer = startFairTimer(clock, handshakeTimeoutMs, () => {
      const detail = `not finished within ${handshakeTimeoutMs} ms`;
      end({ ok: false, rule: "handshake-timeout", detail });
    });
    this.#pending.add(end);
    watchHandshake(tls, feed, "secure", end);
  }

  #refused(remote: Endpoint, rule: RefusalRule, detail: string): void {
    this.#args.handler.onRefused({ remote, rule, detail });
  }
}

/** Of a connection that could not even be accepted. */
const NOBODY: Endpoint = { scheme: "tcp", host: "", port: 0 };

/** Both ends of a socket; what is absent because it is gone already is empty. */
export function endsOf(raw: Socket): { readonly local: Endpoint; readonly remote: Endpoint } {
  const end = (address = "", port = 0): Endpoint => {
    return { scheme: "tcp", host: address.replace(/^::ffff:/, ""), port };
  };
  return {
    local: end(raw.localAddress, raw.localPort),
    remote: end(raw.remoteAddress, raw.remotePort),
  };
}

function bindError(
  address: Endpoint,
  error: NodeJS.ErrnoException,
  own: TransportListener | undefined,
): CodedError {
  const text = formatAddress(address);
  if (error.code === "EADDRINUSE") {
    const by =
      own === undefined
        ? " by another process"
        : `: this node listens on ${formatAddress(own.endpoint)} already`;
    const sentence = `The address ${text} is in use${by}.`;
    return new CodedError("ADDRESS_IN_USE", sentence, { cause: error });
  }
  return addressInvalid(text, `it cannot be bound (${error.code ?? error.message})`);
}
