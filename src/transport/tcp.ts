// The TCP transport: TLS 1.3 with mutual self-signed ed25519 certificates, the only adapter of
// node:net and node:tls. It gives the listener and dialer actors connections whose peer id is
// proven; everything that broke a rule before that is refused by its name and destroyed.

import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { SecureContext, TLSSocket } from "node:tls";

import type { NetworkConfig } from "../config.js";
import { CodedError, isCoded } from "../errors.js";
import type {
  Clock,
  Connection,
  DialOptions,
  Direction,
  ListenHandler,
  Transport,
  TransportHeld,
  TransportListener,
} from "../ports.js";
import { formatAddress } from "../protocol/address.js";
import type { Endpoint } from "../protocol/address.js";
import { ALPN_PROTOCOL } from "./acceptance.js";
import { checkBindable, checkDialable } from "./check-endpoint.js";
import { startFairTimer } from "./fair-timer.js";
import { InboundLimits } from "./inbound-limits.js";
import type { InboundLimitsConfig } from "./inbound-limits.js";
import { startAttempts } from "./tcp-attempts.js";
import { TcpConnection } from "./tcp-connection.js";
import { TcpFeed } from "./tcp-feed.js";
import { createTlsContext, ignore, watchHandshake } from "./tcp-handshake.js";
import { endsOf, SOCKET_OPTIONS, TcpListener } from "./tcp-listener.js";
import type { ConnectionFacts } from "./tcp-listener.js";
import { TcpTurns } from "./tcp-turns.js";
import type { Identity } from "./tls-identity.js";

/** The part of NetworkConfig that this transport obeys. */
export interface TcpConfig {
  readonly handshake: Pick<NetworkConfig["handshake"], "timeoutMs">;
  readonly inbound: InboundLimitsConfig;
  readonly lanes: Pick<NetworkConfig["lanes"], "socketBufferBytes">;
  readonly shutdown: Pick<NetworkConfig["shutdown"], "drainMs">;
  readonly tls: NetworkConfig["tls"];
}

export interface TcpTransportOptions {
  readonly clock: Clock;
  readonly identity: Pick<Identity, "privateKeyPem" | "certificatePem">;
  readonly config: TcpConfig;
  /** The IP addresses of a name, the best first. Default: the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** What the transport holds, for status and for tests of leaks. */
export interface TcpFigures {
  readonly pendingInbound: number;
  readonly pendingDials: number;
  readonly connections: number;
}

export interface TcpTransport extends Transport {
  figures(): TcpFigures;
}

export function createTcpTransport(options: TcpTransportOptions): TcpTransport {
  return new NodeTcpTransport(options);
}

class NodeTcpTransport implements TcpTransport {
  readonly scheme = "tcp";
  readonly #clock: Clock;
  readonly #config: TcpConfig;
  readonly #context: SecureContext;
  readonly #limits: InboundLimits;
  readonly #turns: TcpTurns;
  readonly #resolve: (host: string) => Promise<readonly string[]>;
  readonly #listeners = new Set<TcpListener>();
  readonly #dials = new Set<(error: Error) => void>();
  readonly #sockets = new Set<TLSSocket>();
  readonly #connections = new Set<TcpConnection>();
  #closed = false;

  constructor(options: TcpTransportOptions) {
    this.#clock = options.clock;
    this.#config = options.config;
    this.#limits = new InboundLimits(options.config.inbound);
    this.#context = createTlsContext(options.identity);
    this.#turns = new TcpTurns(options.clock);
    this.#resolve = options.resolve ?? systemResolve;
  }

  figures(): TcpFigures {
    return {
      pendingInbound: this.#limits.pending,
      pendingDials: this.#dials.size,
      connections: this.#sockets.size,
    };
  }

  held(): TransportHeld {
    let openBytes = 0;
    let closingBytes = 0;
    for (const connection of this.#connections) {
      if (connection.ended) closingBytes += connection.unsentBytes;
      else openBytes += connection.unsentBytes;
    }
    return { openBytes, closingBytes, pendingInbound: this.#limits.pending };
  }

  async listen(endpoint: Endpoint, handler: ListenHandler): Promise<TransportListener> {
    this.#assertOpen();
    checkBindable(this.scheme, endpoint);
    const listener = new TcpListener({
      clock: this.#clock,
      context: this.#context,
      limits: this.#limits,
      handshakeTimeoutMs: this.#config.handshake.timeoutMs,
      handler,
      feed: (raw) => this.#feed(raw),
      establish: (tls, feed, facts) => this.#establish(tls, feed, "inbound", facts),
      boundAt: (port) => [...this.#listeners].find((own) => own.endpoint.port === port),
      onClosed: (closed) => this.#listeners.delete(closed),
    });
    await listener.bind(endpoint);
    if (this.#closed) {
      await listener.close();
      this.#assertOpen();
    }
    this.#listeners.add(listener);
    return listener;
  }

  async dial(endpoint: Endpoint, options: DialOptions): Promise<Connection> {
    this.#assertOpen();
    checkDialable(this.scheme, endpoint);
    return new Promise((resolve, reject) => this.#dial(endpoint, options, resolve, reject));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    for (const fail of this.#dials) fail(transportClosed());
    const gone = [...this.#sockets].map(
      (socket) => new Promise<void>((resolve) => void socket.once("close", () => resolve())),
    );
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(gone);
  }

  #dial(
    address: Endpoint,
    options: DialOptions,
    resolve: (connection: Connection) => void,
    reject: (error: Error) => void,
  ): void {
    const openedAtMs = this.#clock.monotonicMs();
    const remote: Endpoint = { scheme: "tcp", host: address.host, port: address.port };
    let undo = ignore;
    const settle = (): boolean => {
      timer.cancel();
      return this.#dials.delete(fail);
    };
    const fail = (error: Error): void => {
      if (!settle()) return;
      undo();
      reject(error);
    };
    const refuse = (reason: string, cause?: Error): void => {
      const sentence = `Cannot dial ${formatAddress(remote)}: ${reason}.`;
      fail(new CodedError("DIAL_FAILED", sentence, cause === undefined ? {} : { cause }));
    };
    const timer = startFairTimer(this.#clock, options.timeoutMs, () =>
      refuse(`handshake-timeout (not finished within ${options.timeoutMs} ms)`),
    );
    this.#dials.add(fail);
    const secure = (raw: Socket): void => {
      const feed = this.#feed(raw);
      const tls = connectTls({
        socket: feed,
        secureContext: this.#context,
        ALPNProtocols: [ALPN_PROTOCOL],
        rejectUnauthorized: false,
      });
      undo = () => void tls.destroy();
      watchHandshake(tls, feed, "secureConnect", (judgement) => {
        if (!judgement.ok) return refuse(`${judgement.rule} (${judgement.detail})`);
        const expected = address.peerId ?? judgement.peerId;
        if (judgement.peerId !== expected) {
          return refuse(`the peer there is ${judgement.peerId}, not ${expected}`);
        }
        if (!settle()) return undefined;
        const { peerId } = judgement;
        const { local } = endsOf(raw);
        resolve(this.#establish(tls, feed, "outbound", { peerId, local, remote, openedAtMs }));
      });
    };
    this.#addressesOf(address.host).then(
      (addresses) => {
        // It may have been refused meanwhile.
        if (!this.#dials.has(fail)) return;
        const attempts = startAttempts({
          addresses,
          clock: this.#clock,
          connect: (host) => connectTcp({ host, port: address.port, ...SOCKET_OPTIONS }),
          onConnected: secure,
          onFailed: (errors) =>
            refuse(errors.map(({ code, message }) => code ?? message).join(", "), errors[0]),
        });
        undo = () => attempts.cancel();
      },
      (error: NodeJS.ErrnoException) =>
        refuse(isCoded(error) ? error.message : (error.code ?? error.message), error),
    );
  }

  async #addressesOf(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    const addresses = await this.#resolve(host);
    if (addresses.length === 0) throw new Error("the name has no address");
    return addresses;
  }

  #feed(raw: Socket): TcpFeed {
    return new TcpFeed({ raw, limits: this.#config.tls, turns: this.#turns });
  }

  #establish(
    socket: TLSSocket,
    feed: TcpFeed,
    direction: Direction,
    facts: ConnectionFacts,
  ): Connection {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#connections.delete(connection);
    });
    const connection = new TcpConnection({
      socket,
      feed,
      ...facts,
      direction,
      clock: this.#clock,
      bufferBytesMax: this.#config.lanes.socketBufferBytes,
      closeTimeoutMs: this.#config.shutdown.drainMs,
    });
    this.#connections.add(connection);
    return connection;
  }

  #assertOpen(): void {
    if (this.#closed) throw transportClosed();
  }
}

function transportClosed(): CodedError {
  return new CodedError("CLOSED", "The transport is closed.");
}

async function systemResolve(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
