// What the transport tests share: a handler that records, ways to wait for what it records, and
// clocks and identities for both transports.

import { DEFAULTS } from "../../src/config.js";
import { systemClock } from "../../src/runtime/clock.js";
import { seededRandom } from "../../src/runtime/random.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import type {
  Clock,
  Connection,
  ConnectionHandler,
  ListenHandler,
  Refusal,
  RefusalRule,
  Transport,
} from "../../src/ports.js";
import { parseAddress } from "../../src/protocol/address.js";
import { createMemoryNetwork } from "../../src/transport/memory.js";
import type { MemoryNetwork, MemoryNetworkOptions } from "../../src/transport/memory.js";
import type { TcpConfig } from "../../src/transport/tcp.js";
import { createTcpTransport } from "../../src/transport/tcp.js";
import type { PairedTransport } from "../../src/transport/paired-transport.js";
import { createIdentity } from "../../src/transport/tls-identity.js";
import type { Identity } from "../../src/transport/tls-identity.js";

export function identityOf(seedByte: number): Identity {
  return createIdentity(new Uint8Array(32).fill(seedByte));
}

export const TCP_CONFIG: TcpConfig = {
  handshake: { timeoutMs: 20_000 },
  inbound: { ...DEFAULTS.inbound, exemptLocal: true },
  lanes: { socketBufferBytes: 256 * 1024 },
  shutdown: { drainMs: 2_000 },
  tls: DEFAULTS.tls,
};

export function tcpTransport(
  seedByte: number,
  config: Partial<TcpConfig> = {},
  resolve?: (host: string) => Promise<readonly string[]>,
): PairedTransport {
  return createTcpTransport({
    ...(resolve && { resolve }),
    clock: systemClock,
    identity: identityOf(seedByte),
    config: { ...TCP_CONFIG, ...config },
  });
}

/** Waits for conditions on recorded state: each change is announced by `changed`. */
export class Waiter {
  readonly #waiting = new Set<() => void>();

  changed(): void {
    for (const check of [...this.#waiting]) check();
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** Opens a connection and keeps what it reports. */
export class Recorder implements ConnectionHandler {
  readonly connection: Connection;
  readonly #waiter = new Waiter();
  chunks: Uint8Array[] = [];
  bytes = 0;
  drains = 0;
  closes = 0;
  error: Error | undefined;
  broken: { rule: RefusalRule; detail: string } | undefined;

  constructor(connection: Connection, options: { readonly open?: boolean } = {}) {
    this.connection = connection;
    if (options.open !== false) connection.open(this);
  }

  onData(chunk: Uint8Array): void {
    if (this.closes > 0) throw new Error("data after the close");
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    this.#waiter.changed();
  }

  onDrain(): void {
    if (this.closes > 0) throw new Error("drain after the close");
    this.drains += 1;
    this.#waiter.changed();
  }

  onClose(error?: Error, broken?: { rule: RefusalRule; detail: string }): void {
    this.closes += 1;
    this.error = error;
    this.broken = broken;
    this.#waiter.changed();
  }

  received(count: number): Promise<void> {
    return this.#waiter.until(() => this.bytes >= count);
  }

  drained(): Promise<void> {
    return this.#waiter.until(() => this.drains > 0);
  }

  closed(): Promise<void> {
    return this.#waiter.until(() => this.closes > 0);
  }

  text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

/** Keeps what a listener accepts and refuses. */
export class Inbox implements ListenHandler {
  readonly #waiter = new Waiter();
  readonly connections: Connection[] = [];
  readonly refused: Refusal[] = [];

  onConnection(connection: Connection): void {
    this.connections.push(connection);
    this.#waiter.changed();
  }

  onRefused(refusal: Refusal): void {
    this.refused.push(refusal);
    this.#waiter.changed();
  }

  async connection(index = 0): Promise<Connection> {
    await this.#waiter.until(() => this.connections.length > index);
    return this.connections[index] as Connection;
  }

  async refusal(count = 1): Promise<RefusalRule[]> {
    await this.#waiter.until(() => this.refused.length >= count);
    return this.refused.map(({ rule }) => rule);
  }
}

/** A virtual clock that runs by itself: whenever the process is idle, the next timer fires. */
export function selfDrivenClock(): Clock {
  const virtual = new VirtualClock({ startWallMs: 1_700_000_000_000 });
  let driving = false;
  const drive = (): void => {
    driving = virtual.advanceToNext();
    if (driving) setImmediate(drive);
  };
  return {
    monotonicMs: () => virtual.monotonicMs(),
    wallMs: () => virtual.wallMs(),
    setTimer: (delayMs, callback) => {
      if (!driving) setImmediate(drive);
      driving = true;
      return virtual.setTimer(delayMs, callback);
    },
  };
}

/** Reproducible bytes that differ at every place a mistake would shift them to. */
export function patterned(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export const PEER_A = "aa".repeat(32);
export const PEER_B = "bb".repeat(32);

/** Two hosts, `a` and `b`, on a virtual clock. */
export interface MemoryBench {
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly a: Transport;
  readonly b: Transport;
  advance(ms: number): Promise<void>;
}

export function memoryBench(options: Partial<MemoryNetworkOptions> = {}): MemoryBench {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const network = createMemoryNetwork({ clock, random, latencyMs: 50, ...options });
  return {
    clock,
    network,
    a: network.transport(PEER_A, { host: "a" }),
    b: network.transport(PEER_B, { host: "b" }),
    async advance(ms) {
      const untilMs = clock.monotonicMs() + ms;
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        if ((clock.nextAtMs ?? Infinity) > untilMs) break;
        clock.advanceToNext();
      }
      clock.advanceBy(untilMs - clock.monotonicMs());
    },
  };
}

/** What `b` dialed and what `a` accepted. */
export async function memoryPair(world: MemoryBench, port = 7): Promise<[Recorder, Recorder]> {
  const inbox = new Inbox();
  const { endpoint } = await world.a.listen(parseAddress(`memory://a:${port}`), inbox);
  const dialing = world.b.dial(endpoint, { timeoutMs: 1_000 });
  await world.advance(400);
  return [new Recorder(await dialing), new Recorder(inbox.connections[0] as Connection)];
}
