// Attacks before there is a peer: raw connections and TLS handshakes.

import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { KINDS } from "../../protocol/index.js";
import type { Drill } from "../drill.js";
import { oneGroup, spread, type Field } from "../field.js";
import { p256Credentials, rsaCredentials } from "../wire/certificates.js";
import { frameBytes } from "../wire/frames.js";
import { handshakeInfo, identityOf } from "../wire/raw-peer.js";
import { rsaChainOf } from "../wire/rsa-chain.js";
import { strangers } from "./blows.js";

/** The start of a ClientHello that announces 512 bytes. */
const CLIENT_HELLO = Buffer.from("1603010200010001fc0303", "hex");
const TRICKLE_MS = 1_000;
/** A handshake has 5 s, by default. */
const HANDSHAKE_SECONDS = 7;
const HANDSHAKE_WAIT_MS = 6_000;
const MUTE_SOCKETS = 100;
const RSA_CERTIFICATES = 20;

const chains: ReturnType<typeof rsaChainOf>[] = [];
const credentials: ConnectionOptions[] = [];

/** Another one in turn: none at all, of other key types, and one that speaks another protocol. */
function badCredentials(number: number): ConnectionOptions {
  if (credentials.length === 0) credentials.push({}, rsaCredentials(), p256Credentials());
  const { privateKeyPem: key, certificatePem: cert } = identityOf(number);
  const all = [...credentials, { key, cert, ALPNProtocols: ["h2"] }];
  return all[number % all.length] ?? {};
}

export const CONNECTING: readonly Drill[] = [
  {
    name: "connection-flood",
    threat: "one address opens connections as fast as it can, to take the places of others",
    expects: { gone: ["address-rate"], withinMs: HANDSHAKE_WAIT_MS },
    newcomer: true,
    attack: (field) => field.repeat(16, () => field.ended(field.tcp(oneGroup(1)))),
  },
  {
    name: "garbage",
    threat: "bytes that are no TLS",
    expects: { gone: ["tls-failed", "handshake-size"] },
    attack: (field) =>
      field.repeat(8, async () => {
        const number = field.next();
        const socket = field.tcp(spread(number));
        socket.write(number % 2 === 0 ? Buffer.alloc(600, 0xa5) : Buffer.from("160301ffff", "hex"));
        await field.ended(socket);
      }),
  },
  {
    name: "slow-handshake",
    threat: "a handshake of one byte a second holds a place for good",
    expects: { gone: ["handshake-timeout", "Timeout"], withinMs: HANDSHAKE_WAIT_MS },
    secondsMin: HANDSHAKE_SECONDS,
    async attack(field) {
      const hello = frameBytes({ code: KINDS.Handshake.code, flags: 0, length: 1_000 });
      await Promise.all([
        field.repeat(8, async () => {
          const socket = field.tcp(spread(field.next()));
          await trickle(field, socket, CLIENT_HELLO);
        }),
        field.repeat(4, async () => {
          const peer = await field.peer();
          await trickle(field, peer.socket, hello);
        }),
      ]);
    },
  },
  {
    name: "mute-connections",
    threat: "a hundred connections of as many networks that say nothing take all places",
    expects: { gone: ["handshake-timeout"], withinMs: HANDSHAKE_WAIT_MS },
    secondsMin: HANDSHAKE_SECONDS,
    newcomer: true,
    attack: (field) =>
      field.repeat(MUTE_SOCKETS, () => field.ended(field.tcp(spread(field.next())))),
  },
  {
    name: "handshake-flood",
    threat: "TLS handshakes without an end: each costs a signature",
    expects: { bounded: "each costs the attacker as much; pending ones are limited" },
    attack: (field) =>
      field.repeat(8, async () => {
        const peer = await field.peer();
        peer.destroy();
      }),
  },
  {
    name: "bad-certificates",
    threat: "certificates of other key types, none, or another protocol in TLS",
    expects: { gone: ["no-certificate", "certificate-key-type", "alpn", "tls-failed"] },
    attack: (field) =>
      field.repeat(4, async () => {
        const number = field.next();
        await field.ended(field.tls(spread(number), badCredentials(number)));
      }),
  },
  {
    name: "rsa-chain",
    threat: "a certificate chain that takes a verifier 100 ms",
    expects: { gone: ["handshake-size"] },
    attack: (field) =>
      field.repeat(4, async () => {
        const number = field.next();
        // Making one takes longer than the attack.
        const chain = (chains[number % 4] ??= rsaChainOf(identityOf(number), RSA_CERTIFICATES));
        const socket = field.tls(spread(number), {
          key: chain.privateKeyPem,
          cert: chain.certificatePem,
        });
        await field.ended(socket);
      }),
  },
  {
    name: "other-chain",
    threat: "peers of another network or version",
    expects: { gone: ["WrongNetwork", "IncompatibleVersion"] },
    attack: strangers((peer, field) => {
      const other = "22".repeat(32);
      const isOther = field.next() % 2 === 0;
      if (isOther) peer.send(handshakeInfo(other));
      else peer.send(handshakeInfo(field.options.networkId, { protocolVersion: 2 }));
    }),
  },
  {
    name: "duplicate-connections",
    threat: "one identity connects again and again",
    expects: { gone: ["DuplicateConnection"] },
    async attack(field) {
      const identity = identityOf(field.next());
      await field.repeat(2, async () => {
        await field.join({ identity, from: spread(field.next()) });
      });
    },
  },
  {
    name: "mute-second-connection",
    threat: "a second connection of a peer's key that never speaks ends the one that works",
    expects: { bounded: "the one that is ready stays until another one is" },
    async attack(field) {
      const identity = identityOf(field.next());
      const ready = await field.join({ identity, from: spread(field.next()) });
      await field.repeat(1, async () => {
        await field.peer({ identity, from: spread(field.next()) });
        if (!(await ready.ping())) field.find("the connection that works was ended");
      });
    },
  },
];

async function trickle(field: Field, socket: Socket, bytes: Uint8Array): Promise<void> {
  let sent = 0;
  const step = (): void => void socket.write(bytes.subarray(sent, ++sent));
  step();
  const timer = setInterval(step, TRICKLE_MS);
  await field.ended(socket);
  clearInterval(timer);
}
