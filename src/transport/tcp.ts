// The TCP transport: TLS 1.3 with mutual self-signed ed25519 certificates, the only adapter of
// node:net and node:tls. It gives the listener and dialer actors connections whose peer id is
// proven; everything that broke a rule before that is refused by its name and destroyed.

import { constants } from "node:crypto";
import { connect as connectTcp, createServer, isIP } from "node:net";
import type { LookupFunction, Server, Socket } from "node:net";
import { connect as connectTls, createSecureContext, TLSSocket } from "node:tls";
import type { SecureContext } from "node:tls";

import type { NetworkConfig } from "../config.js";
import { CodedError, isCoded } from "../errors.js";
import type {
  Clock,
  Connection,
  DialOptions,
  Direction,
  ListenHandler,
  PeerId,
  RefusalRule,
  Timer,
  Transport,
  TransportListener,
} from "../ports.js";
import { addressInvalid, formatAddress, parseAddress } from "../protocol/address.js";
import type { Address } from "../protocol/address.js";
import { ALPN_PROTOCOL, judgeFailure, judgePeer } from "./acceptance.js";
import type { Judgement } from "./acceptance.js";
import { InboundLimits } from "./inbound-limits.js";
import type { InboundLimitsConfig } from "./inbound-limits.js";
import { TcpConnection } from "./tcp-connection.js";
import type { Identity } from "./tls-identity.js";

/** The part of NetworkConfig that this transport obeys. */
export interface TcpConfig {
  readonly handshake: Pick<NetworkConfig["handshake"], "timeoutMs">;
  readonly inbound: InboundLimitsConfig;
  readonly lanes: Pick<NetworkConfig["lanes"], "socketBufferBytes">;
  readonly shutdown: Pick<NetworkConfig["shutdown"], "drainMs">;
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

const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 } as const;

class NodeTcpTransport implements TcpTransport {
  readonly scheme = "tcp";
  readonly #clock: Clock;
  readonly #config: TcpConfig;
  readonly #context: SecureContext;
  readonly #limits: InboundLimits;
  readonly #listeners = new Set<TcpListener>();
  readonly #dials = new Set<(error: Error) => void>();
  readonly #lookup: LookupFunction | undefined;
  readonly #sockets = new Set<TLSSocket>();
  #closed = false;

  constructor(options: TcpTransportOptions) {
    this.#clock = options.clock;
    this.#config = options.config;
    this.#lookup = options.resolve && lookupBy(options.resolve);
    this.#limits = new InboundLimits(options.config.inbound);
    this.#context = createSecureContext({
      key: options.identity.privateKeyPem,
      cert: options.identity.certificatePem,
      minVersion: "TLSv1.3",
      maxVersion: "TLSv1.3",
      ciphers: "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384",
      ecdhCurve: "X25519",
      // Node keeps no session on the server's side either, so none can ever be resumed.
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
  }

  figures(): TcpFigures {
    return {
      pendingInbound: this.#limits.pending,
      pendingDials: this.#dials.size,
      connections: this.#sockets.size,
    };
  }

  async listen(text: string, handler: ListenHandler): Promise<TransportListener> {
    this.#assertOpen();
    const address = this.#parse(text);
    if (address.peerId !== undefined) throw addressInvalid(text, "listening pins no peer id");
    const listener = new TcpListener({
      clock: this.#clock,
      context: this.#context,
      limits: this.#limits,
      handshakeTimeoutMs: this.#config.handshake.timeoutMs,
      handler,
      establish: (socket, facts) => this.#establish(socket, "inbound", facts),
      onClosed: (closed) => this.#listeners.delete(closed),
    });
    await listener.bind(address);
    if (this.#closed) {
      await listener.close();
      this.#assertOpen();
    }
    this.#listeners.add(listener);
    return listener;
  }

  async dial(text: string, options: DialOptions): Promise<Connection> {
    this.#assertOpen();
    const address = this.#parse(text);
    if (address.port === 0) throw addressInvalid(text, "port 0 cannot be dialed");
    return new Promise((resolve, reject) => this.#dial(address, options, resolve, reject));
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
    address: Address,
    options: DialOptions,
    resolve: (connection: Connection) => void,
    reject: (error: Error) => void,
  ): void {
    const openedAtMs = this.#clock.monotonicMs();
    const remoteAddress = formatAddress({ scheme: "tcp", host: address.host, port: address.port });
    const { host, port } = address;
    const lookup = this.#lookup && { lookup: this.#lookup };
    const raw = connectTcp({ host, port, ...lookup, ...SOCKET_OPTIONS });
    let tls: TLSSocket | undefined;
    const settle = (): boolean => {
      timer.cancel();
      return this.#dials.delete(fail);
    };
    const fail = (error: Error): void => {
      if (!settle()) return;
      (tls ?? raw).destroy();
      reject(error);
    };
    const refuse = (reason: string, cause?: Error): void => {
      const sentence = `Cannot dial ${remoteAddress}: ${reason}.`;
      fail(new CodedError("DIAL_FAILED", sentence, cause === undefined ? {} : { cause }));
    };
    const timer = this.#clock.setTimer(options.timeoutMs, () =>
      refuse(`handshake-timeout (not finished within ${options.timeoutMs} ms)`),
    );
    this.#dials.add(fail);
    raw.on("error", (error: NodeJS.ErrnoException) => {
      const reason = isCoded(error) ? error.message : (error.code ?? error.message);
      if (tls === undefined) refuse(reason, error);
    });
    raw.once("connect", () => {
      tls = connectTls({
        socket: raw,
        secureContext: this.#context,
        ALPNProtocols: [ALPN_PROTOCOL],
        rejectUnauthorized: false,
      });
      watchHandshake(tls, "secureConnect", (judgement) => {
        if (!judgement.ok) return refuse(`${judgement.rule} (${judgement.detail})`);
        const expected = options.expectPeerId ?? address.peerId ?? judgement.peerId;
        if (judgement.peerId !== expected) {
          return refuse(`the peer there is ${judgement.peerId}, not ${expected}`);
        }
        if (!settle() || tls === undefined) return undefined;
        const { peerId } = judgement;
        resolve(this.#establish(tls, "outbound", { peerId, remoteAddress, openedAtMs }));
      });
    });
  }

  #establish(
    socket: TLSSocket,
    direction: Direction,
    facts: { peerId: PeerId; remoteAddress: string; openedAtMs: number },
  ): Connection {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return new TcpConnection({
      socket,
      direction,
      ...facts,
      clock: this.#clock,
      bufferBytesMax: this.#config.lanes.socketBufferBytes,
      closeTimeoutMs: this.#config.shutdown.drainMs,
    });
  }

  #parse(text: string): Address {
    const address = parseAddress(text);
    if (address.scheme === this.scheme) return address;
    throw addressInvalid(text, `this transport knows tcp, not ${address.scheme}`);
  }

  #assertOpen(): void {
    if (this.#closed) throw transportClosed();
  }
}

interface ListenerArgs {
  readonly clock: Clock;
  readonly context: SecureContext;
  readonly limits: InboundLimits;
  readonly handshakeTimeoutMs: number;
  readonly handler: ListenHandler;
  readonly establish: (
    socket: TLSSocket,
    facts: { peerId: PeerId; remoteAddress: string; openedAtMs: number },
  ) => Connection;
  readonly onClosed: (listener: TcpListener) => void;
}

class TcpListener implements TransportListener {
  readonly #args: ListenerArgs;
  readonly #server: Server;
  /** The handshakes in progress; each function ends one. */
  readonly #pending = new Set<(judgement: Judgement) => void>();
  #address = "";

  constructor(args: ListenerArgs) {
    this.#args = args;
    this.#server = createServer(SOCKET_OPTIONS, (raw) => this.#accept(raw));
  }

  get address(): string {
    return this.#address;
  }

  bind(address: Address): Promise<void> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => reject(bindError(address, error)));
      server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
        server.removeAllListeners("error");
        // Later errors are failed accepts, such as a lack of file descriptors.
        server.on("error", (error) => this.#refused("tcp:", "pending-limit", error.message));
        const bound = server.address();
        const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
        this.#address = formatAddress({ ...address, port });
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
    const ip = (raw.remoteAddress ?? "").replace(/^::ffff:/, "");
    const remoteAddress = formatAddress({ scheme: "tcp", host: ip, port: raw.remotePort ?? 0 });
    raw.on("error", ignore);
    const limit = limits.admit(ip, openedAtMs);
    if (limit !== undefined) {
      // A reset leaves the kernel nothing to remember, which an orderly close would.
      raw.resetAndDestroy();
      this.#refused(remoteAddress, limit, "refused before TLS");
      return;
    }
    const tls = new TLSSocket(raw, {
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
        const connection = this.#args.establish(tls, { peerId, remoteAddress, openedAtMs });
        this.#args.handler.onConnection(connection);
        return;
      }
      tls.destroy();
      this.#refused(remoteAddress, judgement.rule, judgement.detail);
    };
    const timer: Timer = clock.setTimer(handshakeTimeoutMs, () => {
      const detail = `not finished within ${handshakeTimeoutMs} ms`;
      end({ ok: false, rule: "handshake-timeout", detail });
    });
    this.#pending.add(end);
    watchHandshake(tls, "secure", end);
  }

  #refused(remoteAddress: string, rule: RefusalRule, detail: string): void {
    this.#args.handler.onRefused({ remoteAddress, rule, detail });
  }
}

/**
 * Calls `done` once, with the judgement of the handshake. `finished` is the event of its success:
 * `secureConnect` on a client, `secure` on a server-side socket that no tls.Server owns.
 */
function watchHandshake(
  tls: TLSSocket,
  finished: "secure" | "secureConnect",
  done: (judgement: Judgement) => void,
): void {
  const settle = (judgement: Judgement): void => {
    tls.off(finished, onFinished).off("close", onClose);
    tls.off("error", onError).on("error", ignore);
    done(judgement);
  };
  const onError = (error: Error): void => settle({ ok: false, ...judgeFailure(error) });
  const onClose = (): void =>
    settle({ ok: false, rule: "tls-failed", detail: "the peer closed during the handshake" });
  const onFinished = (): void =>
    settle(
      judgePeer({
        tlsVersion: tls.getProtocol(),
        alpn: tls.alpnProtocol,
        sessionReused: tls.isSessionReused(),
        certificate: tls.getPeerX509Certificate(),
      }),
    );
  tls.on(finished, onFinished).on("close", onClose).on("error", onError);
}

function lookupBy(resolve: (host: string) => Promise<readonly string[]>): LookupFunction {
  return (host, _options, done) => {
    resolve(host).then(
      (addresses) =>
        done(
          null,
          addresses.map((address) => ({ address, family: isIP(address) })),
        ),
      (error: Error) => done(error, []),
    );
  };
}

function bindError(address: Address, error: NodeJS.ErrnoException): CodedError {
  const text = formatAddress(address);
  if (error.code === "EADDRINUSE") {
    const sentence = `The address ${text} is in use by another process.`;
    return new CodedError("ADDRESS_IN_USE", sentence, { cause: error });
  }
  return addressInvalid(text, `it cannot be bound (${error.code ?? error.message})`);
}

function transportClosed(): CodedError {
  return new CodedError("CLOSED", "The transport is closed.");
}

function ignore(): void {
  // An errored socket closes; whoever watches it learns why there.
}
