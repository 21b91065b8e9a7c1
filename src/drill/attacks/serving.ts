// Attacks on what the node serves, and on its places.

import { get } from "node:http";
import { connect as connectTcp } from "node:net";
import { WINDOW_BYTES_MAX } from "../../protocol/index.js";
import type { Drill } from "../drill.js";
import { oneGroup, spread, type Field } from "../field.js";
import { handshakeInfo, identityOf } from "../wire/raw-peer.js";
import { members, pests } from "./blows.js";

/** A peer without a sign of life is gone after 20 s, by default. */
const SILENCE_SECONDS = 24;
const SILENCE_MS = 30_000;
const IDENTITIES = 60;
const HTTP_CONNECTIONS = 400;
/** Far beyond what it takes, also where all processes of a drill share two busy cores. */
const HEALTH_MS_MAX = 10_000;

export const SERVING: readonly Drill[] = [
  {
    name: "amplification",
    threat: "60 bytes ask for a megabyte, again and again",
    expects: { bounded: "by the rates at which blocks and bytes are served" },
    attack: pests(
      async (peer, field) => {
        const outcome = await peer.ask({ kind: "RequestBlock", hash: largeBlock(field) });
        if (!outcome.ok) field.note(outcome.reason);
      },
      { peers: 2 },
    ),
  },
  {
    name: "slow-reader",
    threat: "asks for much, grants credit and never reads, so that it all waits here",
    expects: { gone: ["Timeout"], withinMs: SILENCE_MS },
    secondsMin: SILENCE_SECONDS,
    attack: members((peer, field) => {
      peer.deafen();
      const bytes = WINDOW_BYTES_MAX / 2;
      peer.write({ kind: "WindowUpdate", lane: "block", bytes });
      peer.socket.pause();
      const hash = largeBlock(field);
      for (let id = 1; id <= 40; id++) peer.write({ kind: "RequestBlock", hash }, id);
    }),
  },
  {
    name: "ask-and-leave",
    threat: "asks for much and leaves, so that queues of connections that ended pile up",
    expects: { bounded: "what waits for a peer goes with it" },
    attack: (field) =>
      field.repeat(4, async () => {
        const peer = await field.join();
        const hash = largeBlock(field);
        for (let id = 1; id <= 16; id++) peer.write({ kind: "RequestBlock", hash }, id);
        await peer.until(() => peer.ended || peer.socket.bytesRead > 100_000);
        peer.destroy();
      }),
  },
  {
    name: "idle-identities",
    threat: "many identities of as many networks take all places and do nothing",
    expects: { bounded: "by the slots" },
    newcomer: true,
    attack: (field) =>
      field.repeat(IDENTITIES, async () => {
        const peer = await field.join();
        await field.ended(peer.socket);
      }),
  },
  {
    name: "one-network",
    threat: "many identities of one network take all places and do nothing",
    expects: { bounded: "by the limit on a network" },
    newcomer: true,
    attack: (field) =>
      field.repeat(IDENTITIES, async () => {
        const number = field.next();
        const peer = await field.join({ from: oneGroup(number), identity: identityOf(number) });
        await field.ended(peer.socket);
      }),
  },
  {
    name: "new-keys",
    threat: "one address breaks a rule under ever new keys, so that no ban holds",
    expects: { gone: ["kind-not-allowed"] },
    attack: members((peer, field) => peer.write(handshakeInfo(field.options.networkId)), {
      peers: 2,
      options: (field) => {
        const number = field.next();
        return { identity: identityOf(number), from: oneGroup(number % 3) };
      },
    }),
  },
  {
    name: "http-connections",
    threat: "idle HTTP connections keep an operator from asking how the node is",
    expects: { bounded: "places of this machine are kept" },
    async attack(field) {
      const { hostname, port } = new URL(field.options.http);
      const sockets = Array.from({ length: HTTP_CONNECTIONS }, (_, index) =>
        connectTcp({ host: hostname, port: Number(port), localAddress: spread(index) }),
      );
      for (const socket of sockets) {
        socket.on("error", () => undefined).write("GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n");
      }
      await field.repeat(1, async () => {
        if (!(await isWell(field.options.http))) field.find("/health did not answer in time");
        await new Promise((resolve) => setTimeout(resolve, 200));
      });
      for (const socket of sockets) socket.destroy();
    },
  },
];

function largeBlock(field: Field): string {
  return field.chain.at(-1)!.header.hash;
}

function isWell(http: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(`${http}/health`, { agent: false, timeout: HEALTH_MS_MAX }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy()).on("error", () => resolve(false));
  });
}
