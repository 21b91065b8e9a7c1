// The two processes of the crowd bench: the node that others connect to, and the others.

import { readdirSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { genesisOf, startNode } from "../../src/compose.js";
import { invariant } from "../../src/errors.js";
import type { Network } from "../../src/network.js";
import { parseAddress } from "../../src/protocol/address.js";
import { handshakeInfo, identityOf, RawPeer } from "../../test/support/raw-peer.js";
import { serveParent, serveRole } from "./child.js";
import { dialConcurrently, type Dials } from "./connection-load.js";
import { ProcessMeter, type ProcessFigures } from "./meter.js";
import { settledMemory, type SettledMemory } from "./settled-memory.js";
import { consensus } from "./sync-chain.js";

export interface Holdings extends SettledMemory {
  readonly descriptors: number;
  readonly timers: number;
  readonly sockets: number;
}
export type CrowdedMethods = {
  listen(task: { connectionsMax: number }): Promise<string>;
  begin(): void;
  finish(): ProcessFigures;
  /** When its garbage is gone. */
  holds(): Promise<Holdings>;
};

export type Crowd = Dials;
export type CrowdMethods = {
  /** They come, of every kind by turns, and go. */
  come(crowd: Crowd): Promise<void>;
  /** Peers that stay until this process ends. */
  stay(crowd: Crowd): Promise<void>;
};

/** Of sixteen that come twelve say nothing, two garbage, one a first message, one is a peer. */
const KINDS = 16;
const GARBAGE = Buffer.from("GET / HTTP/1.1\r\n\r\n");
const IDENTITIES = 512;

function crowded(): void {
  let network: Network | undefined;
  let meter: ProcessMeter;
  const methods: CrowdedMethods = {
    async listen({ connectionsMax }) {
      network = await startNode({
        bindAddr: "tcp://127.0.0.1:0",
        maxInbound: connectionsMax,
        inbound: { handshakesPerSecond: 1_000_000 },
        // Pings as ever, but nobody goes because this machine is busy.
        handshake: { timeoutMs: 60_000 },
        liveness: { deadAfterMs: 120_000 },
        // What the limits of so many connections could hold; idle ones hold next to nothing.
        memoryBudgetBytes: 256 * 2 ** 30,
      });
      return network.listenAddress!;
    },
    begin: () => void (meter = new ProcessMeter()),
    finish: () => meter.stop(),
    async holds() {
      const memory = await settledMemory();
      const resources = process.getActiveResourcesInfo();
      const count = (name: string): number => resources.filter((one) => one === name).length;
      return {
        ...memory,
        descriptors: readdirSync("/proc/self/fd").length,
        timers: count("Timeout"),
        sockets: count("TCPSocketWrap"),
      };
    },
  };
  serveParent(methods, () => network?.stop());
}

function crowd(): void {
  const handshake = handshakeInfo(genesisOf(consensus).header.hash);
  const staying: RawPeer[] = [];
  let hello: Promise<Buffer> | undefined;
  const join = async (address: string, number: number): Promise<RawPeer> => {
    const from = { localAddress: sourceOf(number) };
    const identity = identityOf(number);
    const peer = await RawPeer.connect({ address, identity, from });
    peer.send(handshake);
    invariant((await peer.message("Ping")) !== undefined, "the node took the peer");
    return peer;
  };
  const visit = async (address: string, number: number): Promise<void> => {
    const kind = number % KINDS;
    if (kind === 0) {
      const peer = await join(address, number % IDENTITIES);
      peer.destroy();
      await peer.closed;
      return;
    }
    const { host, port } = parseAddress(address);
    const socket = connect({ host, port, localAddress: sourceOf(number) });
    socket.on("error", () => undefined);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.once("connect", () => void speak(socket, kind));
    await closed;
  };
  const speak = async (socket: Socket, kind: number): Promise<void> => {
    if (kind <= 2) socket.resume().write(GARBAGE);
    else if (kind > 3) socket.resetAndDestroy();
    else socket.once("data", () => socket.resetAndDestroy()).write(await (hello ??= firstWords()));
  };
  const methods: CrowdMethods = {
    come: ({ address, ...dials }) => dialConcurrently(dials, (number) => visit(address, number)),
    stay: ({ address, ...dials }) =>
      dialConcurrently(dials, async (number) => void staying.push(await join(address, number))),
  };
  serveParent(methods, () => undefined);
}

/** So that a port is not waited for. */
function sourceOf(number: number): string {
  return `127.${1 + (number % 100)}.${(number >> 8) & 255}.1`;
}

/** What a peer's TLS says first. */
async function firstWords(): Promise<Buffer> {
  const { privateKeyPem: key, certificatePem: cert } = identityOf(1);
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket
        .on("error", () => undefined)
        .once("data", (chunk: Buffer) => {
          resolve(chunk);
          socket.destroy();
          server.close();
        });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      const offer = { key, cert, ALPNProtocols: ["vibecoin/1"], rejectUnauthorized: false };
      connectTls({ host: "127.0.0.1", port, ...offer }).on("error", () => undefined);
    });
  });
}

serveRole({ crowded, crowd });
