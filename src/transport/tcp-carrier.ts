// The TCP carrier: bound ports and dialed hosts, the adapter of node:net. A host that has several
// addresses is tried as tcp-attempts.ts says.

import { lookup } from "node:dns/promises";
import { connect, createServer, isIP } from "node:net";
import type { Socket } from "node:net";

import { CodedError, errorText, isCoded } from "../errors.js";
import type { Clock, Direction, TransportListener } from "../ports.js";
import { addressInvalid, formatAddress } from "../protocol/address.js";
import type { Endpoint } from "../protocol/address.js";
import type { Carrier, CarrierListener, Opening, RawDuplex } from "./carrier.js";
import { startAttempts } from "./tcp-attempts.js";

export interface TcpCarrierOptions {
  readonly clock: Clock;
  /** The IP addresses of a name, the best first. Default: the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** Both ends: the halves of a connection end one by one, as TLS wants them. */
const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  allowHalfOpen: true,
} as const;

export function createTcpCarrier(options: TcpCarrierOptions): Carrier<RawDuplex> {
  return new TcpCarrier(options);
}

class TcpCarrier implements Carrier<RawDuplex> {
  readonly scheme = "tcp";
  readonly #clock: Clock;
  readonly #resolve: (host: string) => Promise<readonly string[]>;
  readonly #bound = new Set<Endpoint>();

  constructor({ clock, resolve = systemResolve }: TcpCarrierOptions) {
    this.#clock = clock;
    this.#resolve = resolve;
  }

  bind(endpoint: Endpoint, listener: CarrierListener<RawDuplex>): Promise<TransportListener> {
    const server = createServer(SOCKET_OPTIONS, (socket) => {
      const { local, remote } = endsOf(socket);
      const openedAtMs = this.#clock.monotonicMs();
      listener.onStream(rawOf(socket, { direction: "inbound", local, remote, openedAtMs }));
    });
    return new Promise((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        const own = [...this.#bound].find(({ port }) => port === endpoint.port);
        reject(bindError(endpoint, error, own));
      });
      server.listen({ host: endpoint.host, port: endpoint.port, exclusive: true }, () => {
        server.removeAllListeners("error");
        // Later errors are failed accepts, such as a lack of file descriptors.
        server.on("error", (error) => listener.onLost(error.message));
        const address = server.address();
        const port = typeof address === "object" && address !== null ? address.port : endpoint.port;
        const bound: Endpoint = { ...endpoint, port };
        this.#bound.add(bound);
        resolve({
          endpoint: bound,
          // The port is free at once; node itself would wait for every connection to end.
          close: async () => {
            this.#bound.delete(bound);
            server.close();
          },
        });
      });
    });
  }

  open(endpoint: Endpoint, { onOpened, onFailed }: Opening<RawDuplex>): { cancel(): void } {
    const openedAtMs = this.#clock.monotonicMs();
    const { host, port } = endpoint;
    let attempts: { cancel(): void } | undefined;
    let cancelled = false;
    const opened = (socket: Socket): void => {
      const { local } = endsOf(socket);
      onOpened(rawOf(socket, { direction: "outbound", local, remote: endpoint, openedAtMs }));
    };
    const failed = (error: NodeJS.ErrnoException): void => {
      if (cancelled) return;
      onFailed(isCoded(error) ? error.message : (error.code ?? errorText(error)), error);
    };
    this.#addressesOf(host)
      .then((addresses) => {
        if (cancelled) return;
        attempts = startAttempts({
          addresses,
          clock: this.#clock,
          connect: (address) => connect({ host: address, port, ...SOCKET_OPTIONS }),
          onConnected: opened,
          onFailed: (errors) =>
            onFailed(errors.map(({ code, message }) => code ?? message).join(", "), errors[0]),
        });
      })
      .catch(failed);
    return {
      cancel() {
        cancelled = true;
        attempts?.cancel();
      },
    };
  }

  async #addressesOf(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    const addresses = await this.#resolve(host);
    if (addresses.length === 0) throw new Error("the name has no address");
    return addresses;
  }
}

interface Ends {
  readonly direction: Direction;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly openedAtMs: number;
}

function rawOf(socket: Socket, ends: Ends): RawDuplex {
  // It closes, and whoever has it then learns why there.
  socket.on("error", () => undefined);
  // A reset leaves the kernel nothing to remember, which an orderly close would.
  return { ...ends, duplex: socket, refuse: () => void socket.resetAndDestroy() };
}

/** Both ends of a socket; what is absent because it is gone already is empty. */
function endsOf(socket: Socket): { readonly local: Endpoint; readonly remote: Endpoint } {
  const end = (address = "", port = 0): Endpoint => {
    return { scheme: "tcp", host: address.replace(/^::ffff:/, ""), port };
  };
  return {
    local: end(socket.localAddress, socket.localPort),
    remote: end(socket.remoteAddress, socket.remotePort),
  };
}

/** `own`: where this carrier itself has the port. */
function bindError(
  endpoint: Endpoint,
  error: NodeJS.ErrnoException,
  own: Endpoint | undefined,
): CodedError {
  const text = formatAddress(endpoint);
  if (error.code === "EADDRINUSE") {
    const by =
      own === undefined
        ? " by another process"
        : `: this node listens on ${formatAddress(own)} already`;
    const sentence = `The address ${text} is in use${by}.`;
    return new CodedError("ADDRESS_IN_USE", sentence, { cause: error });
  }
  return addressInvalid(text, `it cannot be bound (${error.code ?? error.message})`);
}

async function systemResolve(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
