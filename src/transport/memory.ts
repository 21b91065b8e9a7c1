// Memory links: whole networks in one process for simulations and tests, over the injected clock
// and random alone, so that one seed is one behaviour. Hosts are names; latency, bandwidth, what is
// blocked, cuts and losses of power are set from outside.

import { CodedError } from "../errors.js";
import type { Clock, PeerId, Transport, TransportListener } from "../ports.js";
import { addressInvalid, formatAddress } from "../protocol/address.js";
import type { Endpoint } from "../protocol/address.js";
import type { Carrier, CarrierListener, Opening } from "./carrier.js";
import type { Channel } from "./channel.js";
import { connectionReset, MemoryStream } from "./memory-stream.js";
import { lineOf, Paths, type Obstacle, type PathOptions } from "./memory-paths.js";
import { MemoryPipe } from "./memory-pipe.js";
import { pairTransport } from "./paired-transport.js";

export interface MemoryNetworkOptions extends PathOptions {
  /** Of each direction of each link; unlimited unless given. */
  readonly bytesPerSecond?: number;
  /** Bytes under way in one direction before `write` answers false. */
  readonly bufferBytes?: number;
  /** A longer chunk arrives in pieces of random length up to this; whole unless given. */
  readonly pieceBytesMax?: number;
  /** `close` becomes a reset after this long. */
  readonly closeTimeoutMs?: number;
}

/** Where a transport runs. */
export interface HostOptions {
  readonly host: string;
  /** For the host's own timers, while bytes take the network's time; the network's unless given. */
  readonly clock?: Clock;
}

export interface MemoryNetwork {
  /** The transport of one host, which has power from now on; addresses are `memory://host:port`. */
  transport(peerId: PeerId, where: HostOptions): Transport;
  /**
   * Bytes from one host to another wait while any obstacle blocks them, and dials time out.
   * Answers the function that takes it away.
   */
  obstruct(obstacle: Obstacle): () => void;
  /**
   * Only hosts of one group reach each other; hosts in no group form one more. Replaces the
   * partition before.
   */
  partition(groups: readonly (readonly string[])[]): void;
  /** Takes all obstacles away. */
  heal(): void;
  /** What is under way from one host to the other does not wait. */
  reachable(from: string, to: string): boolean;
  setLatency(latencyMs: number, jitterMs?: number): void;
  /** Breaks the links between two hosts, or all links of one: both sides see an error. */
  cut(a: string, b?: string): void;
  /**
   * A host goes silent: its links and what waits in its buffers are gone, and the other sides are
   * told nothing until a new transport of this host answers them with a reset.
   */
  powerOff(host: string): void;
  /** Links of which a side is still open. */
  readonly linkCount: number;
  /** Written to all links so far. */
  readonly bytesWritten: number;
}

const BUFFER_BYTES = 256 * 1024;
const CLOSE_TIMEOUT_MS = 2_000;
const FIRST_EPHEMERAL_PORT = 49_152;

export function createMemoryNetwork(options: MemoryNetworkOptions): MemoryNetwork {
  return new Network(options);
}

interface Link {
  readonly hosts: readonly [string, string];
  readonly sides: readonly [MemoryStream, MemoryStream];
}

interface Listening {
  readonly peerId: PeerId;
  readonly clock: Clock;
  readonly accept: (connection: MemoryStream) => void;
}

interface Caller {
  readonly peerId: PeerId;
  readonly host: string;
  readonly clock: Clock;
  readonly dialedAtMs: number;
}

class Network implements MemoryNetwork {
  readonly clock: Clock;
  readonly paths: Paths;
  /** By `host:port`. */
  readonly listeners = new Map<string, Listening>();
  readonly #options: MemoryNetworkOptions;
  readonly #links = new Set<Link>();
  readonly #nextPorts = new Map<string, number>();
  bytesWritten = 0;
  #liftPartition: () => void = () => undefined;

  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.paths = new Paths(options);
  }

  get linkCount(): number {
    return this.#links.size;
  }

  transport(peerId: PeerId, { host, clock = this.clock }: HostOptions): Transport {
    this.paths.powerOn(host);
    this.#wake((_from, to) => to === host);
    const carrier = new MemoryCarrier(this, { peerId, host, clock });
    return pairTransport({ carrier, channel: BELIEVING, clock });
  }

  obstruct(obstacle: Obstacle): () => void {
    // The same function may stand in the way twice.
    const own: Obstacle = (from, to) => obstacle(from, to);
    this.paths.add(own);
    return () => {
      if (this.paths.remove(own)) this.#wake(own);
    };
  }

  partition(groups: readonly (readonly string[])[]): void {
    const lift = this.#liftPartition;
    const groupOf = new Map(groups.flatMap((hosts, group) => hosts.map((host) => [host, group])));
    this.#liftPartition = this.obstruct((from, to) => groupOf.get(from) !== groupOf.get(to));
    lift();
  }

  heal(): void {
    this.paths.clear();
    this.#wake(() => true);
  }

  reachable(from: string, to: string): boolean {
    return this.paths.reachable(from, to);
  }

  setLatency(latencyMs: number, jitterMs = 0): void {
    this.paths.setLatency(latencyMs, jitterMs);
  }

  cut(a: string, b?: string): void {
    for (const { hosts, sides } of [...this.#links]) {
      const other = hosts[0] === a ? hosts[1] : hosts[0];
      if (!hosts.includes(a) || (b !== undefined && other !== b)) continue;
      for (const side of sides) side.fail(connectionReset());
    }
  }

  powerOff(host: string): void {
    this.paths.powerOff(host);
    for (const { hosts, sides } of [...this.#links]) {
      for (const index of [0, 1] as const) if (hosts[index] === host) sides[index].vanish();
    }
  }

  freePort(host: string): number {
    const port = this.#nextPorts.get(host) ?? FIRST_EPHEMERAL_PORT;
    this.#nextPorts.set(host, port + 1);
    return this.listeners.has(`${host}:${port}`) ? this.freePort(host) : port;
  }

  /** Links a caller to a listener and returns the caller's side. */
  connect(caller: Caller, to: Endpoint, listening: Listening): MemoryStream {
    const hosts = [caller.host, to.host] as const;
    const { paths } = this;
    const common = {
      closeTimeoutMs: this.#options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS,
      onWritten: (bytes: number) => void (this.bytesWritten += bytes),
      onClosed: () => {
        if (link.sides.every((side) => side.closed)) this.#links.delete(link);
      },
    };
    const near: Endpoint = {
      scheme: "memory",
      host: caller.host,
      port: this.freePort(caller.host),
    };
    const far: Endpoint = { scheme: "memory", host: to.host, port: to.port };
    const dialed = new MemoryStream({
      ...common,
      clock: caller.clock,
      reachable: () => paths.reachable(to.host, caller.host),
      peerId: listening.peerId,
      direction: "outbound",
      local: near,
      remote: far,
      openedAtMs: caller.dialedAtMs,
      onOpened: () => {},
    });
    const accepted: MemoryStream = new MemoryStream({
      ...common,
      clock: listening.clock,
      reachable: () => paths.reachable(caller.host, to.host),
      peerId: caller.peerId,
      direction: "inbound",
      local: far,
      remote: near,
      openedAtMs: listening.clock.monotonicMs(),
      onOpened: () => {
        if (this.listeners.get(`${to.host}:${to.port}`) !== listening) accepted.destroy();
        else listening.accept(accepted);
      },
    });
    const link: Link = { hosts, sides: [dialed, accepted] };
    this.#links.add(link);
    const toAccepted = this.#pipe(dialed, accepted, hosts);
    const toDialed = this.#pipe(accepted, dialed, [to.host, caller.host]);
    dialed.attach({ inward: toDialed, outward: toAccepted });
    accepted.attach({ inward: toAccepted, outward: toDialed });
    toAccepted.push("opened");
    return dialed;
  }

  #pipe(from: MemoryStream, to: MemoryStream, hosts: readonly [string, string]): MemoryPipe {
    const { random, bytesPerSecond, bufferBytes, pieceBytesMax } = this.#options;
    const own = lineOf(bytesPerSecond);
    const shared = this.paths.linesBetween(...hosts);
    return new MemoryPipe({
      clock: this.clock,
      delayMs: () => this.paths.delayMs(...hosts),
      lines: own === undefined ? shared : [own, ...shared],
      capacityBytes: bufferBytes ?? BUFFER_BYTES,
      pieceBytes: (left) =>
        pieceBytesMax === undefined || left <= pieceBytesMax
          ? left
          : 1 + Math.floor(random.float() * pieceBytesMax),
      ends: to.receiving(() => from.drained()),
    });
  }

  /** Lets what waited on these ways try again. */
  #wake(waited: Obstacle): void {
    for (const { hosts, sides } of this.#links) {
      const [a, b] = hosts;
      if (waited(b, a)) sides[0].wake();
      if (waited(a, b)) sides[1].wake();
    }
  }
}

/** Opens and accepts links of one host. Its streams say whose they are: by the name given here. */
class MemoryCarrier implements Carrier<MemoryStream> {
  readonly scheme = "memory";
  readonly #network: Network;
  readonly #own: Pick<Caller, "peerId" | "host" | "clock">;

  constructor(network: Network, own: Pick<Caller, "peerId" | "host" | "clock">) {
    this.#network = network;
    this.#own = own;
  }

  async bind(
    endpoint: Endpoint,
    { onStream }: CarrierListener<MemoryStream>,
  ): Promise<TransportListener> {
    const { listeners } = this.#network;
    const { peerId, host, clock } = this.#own;
    if (endpoint.host !== host) {
      throw addressInvalid(formatAddress(endpoint), `this host is ${host}, not ${endpoint.host}`);
    }
    const port = endpoint.port === 0 ? this.#network.freePort(host) : endpoint.port;
    const key = `${host}:${port}`;
    if (listeners.has(key)) {
      throw new CodedError("ADDRESS_IN_USE", `The address memory://${key} is in use.`);
    }
    const listening: Listening = { peerId, clock, accept: onStream };
    listeners.set(key, listening);
    return {
      endpoint: { scheme: this.scheme, host, port },
      close: async () => {
        if (listeners.get(key) === listening) listeners.delete(key);
      },
    };
  }

  /** One round trip: the question reaches the host after one delay, its answer after another. */
  open(to: Endpoint, { onOpened, onFailed }: Opening<MemoryStream>): { cancel(): void } {
    const network = this.#network;
    const { paths, clock } = network;
    const { host } = this.#own;
    const caller = { ...this.#own, dialedAtMs: this.#own.clock.monotonicMs() };
    const answered = (listening: Listening | undefined): void => {
      if (!paths.reachable(to.host, host)) return;
      if (listening === undefined) onFailed("nobody listens there");
      else onOpened(network.connect(caller, to, listening));
    };
    let step = clock.setTimer(paths.delayMs(host, to.host), () => {
      if (!paths.reachable(host, to.host)) return;
      const listening = network.listeners.get(`${to.host}:${to.port}`);
      step = clock.setTimer(paths.delayMs(to.host, host), () => answered(listening));
    });
    return { cancel: () => step.cancel() };
  }
}

/** Believes what a stream says of itself: links in memory reach nobody who would lie. */
const BELIEVING: Channel<MemoryStream> = {
  secure(raw, { onSecured, onClosed }) {
    raw.onClosed = onClosed;
    onSecured(raw);
    return raw;
  },
};
