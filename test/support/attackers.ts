// Attacks on a listening node by raw sockets: each opens one connection, does its worst and waits
// to be thrown out. For the tests and the bench of hostile bytes.

import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { parseAddress } from "../../src/protocol/address.js";
import { KINDS, type MessageOf } from "../../src/protocol/index.js";
import { p256Credentials, rsaCredentials, type Credentials } from "../transport/certificates.js";
import { frameBytes } from "./frames.js";
import { identityOf, RawPeer } from "./raw-peer.js";

/** How one attack ended. */
export interface AttackEnd {
  readonly attack: AttackName;
  /** `tcp://host:port` of the attacker, as the node sees it. */
  readonly from: string;
  /** From the TCP connection to its end. */
  readonly closedMs: number;
  /** What the node said, where there was TLS to say it over. */
  readonly disconnect?: Pick<MessageOf<"Disconnect">, "reason" | "detail">;
}

export interface AttackTarget {
  /** `tcp://host:port` */
  readonly address: string;
  /** Another for every attack at a node: port and identity follow from it. */
  readonly number: number;
  /** How many source addresses, of 127.0.0.0/8, the attacks share. */
  readonly sources: number;
}

interface Attacker {
  readonly socket: Socket;
  readonly peer?: RawPeer;
}

interface Attack {
  /** What ends it: the rule of a refusal, a violation, or a reason to disconnect. */
  readonly rule: string;
  start(target: AttackTarget): Attacker;
}

/** The start of a ClientHello that announces 512 bytes. */
const CLIENT_HELLO = Buffer.from("1603010200010001fc0303", "hex");
const SLOW_INTERVAL_MS = 1_000;
/** Below the ports that Linux gives out by itself. */
const LOCAL_PORT_MIN = 10_000;
const LOCAL_PORTS = 20_000;
const HANDSHAKE_BYTES_MAX = KINDS.Handshake.payloadBytesMax;

const credentials: { [K in "rsa" | "p256"]?: Credentials } = {};

const ATTACKS = {
  garbage: raw("tls-failed", (socket) => socket.write(Buffer.alloc(600, 0xa5))),
  "huge-tls-record": raw("handshake-size", (socket) =>
    socket.write(Buffer.from("160301ffff", "hex")),
  ),
  silence: raw("handshake-timeout", () => undefined),
  "one-byte-a-second": raw("handshake-timeout", (socket) => trickle(socket, CLIENT_HELLO)),
  "no-certificate": tls("no-certificate", () => ({})),
  "rsa-certificate": tls("certificate-key-type", () => (credentials.rsa ??= rsaCredentials())),
  "p256-certificate": tls("certificate-key-type", () => (credentials.p256 ??= p256Credentials())),
  "no-alpn": tls("alpn", (number) => ({ ...certificateOf(number), ALPNProtocols: [] })),
  "silent-peer": peer("Timeout", () => undefined),
  "slow-peer": peer("Timeout", ({ socket }) => trickle(socket, handshakeFrame(1_000, 0))),
  "huge-length": peer("message-length", (attacker) => {
    attacker.writeBytes(frameBytes({ code: KINDS.Handshake.code, flags: 0, length: 2 ** 32 - 1 }));
  }),
  "cbor-depth": peer("payload", (attacker) => {
    attacker.writeBytes(handshakeFrame(HANDSHAKE_BYTES_MAX, 0x81));
  }),
  "cbor-count": peer("payload", (attacker) => {
    attacker.writePayload("Handshake", Buffer.from("9bffffffffffffffff", "hex"));
  }),
  "cbor-length": peer("payload", (attacker) => {
    attacker.writePayload("Handshake", Buffer.from("895affffffff", "hex"));
  }),
  "cbor-tags": peer("payload", (attacker) => {
    attacker.writeBytes(handshakeFrame(HANDSHAKE_BYTES_MAX, 0xc1));
  }),
} as const satisfies Record<string, Attack>;

export type AttackName = keyof typeof ATTACKS;
export const ATTACK_NAMES = Object.keys(ATTACKS) as AttackName[];

/** What ends this attack when nothing else does before. */
export function ruleOf(name: AttackName): string {
  return ATTACKS[name].rule;
}

/** Runs one attack until its connection is closed. */
export async function attack(name: AttackName, target: AttackTarget): Promise<AttackEnd> {
  const { socket, peer: attacker } = ATTACKS[name].start(target);
  let startMs = performance.now();
  socket.on("error", () => undefined).once("connect", () => (startMs = performance.now()));
  await new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  const closedMs = performance.now() - startMs;
  const { localAddress, localPort } = sourceOf(target);
  const end = { attack: name, from: `tcp://${localAddress}:${localPort}`, closedMs };
  const farewell = await attacker?.farewell();
  if (farewell === undefined) return end;
  const { reason, detail } = farewell;
  return { ...end, disconnect: { reason, detail } };
}

/** Chosen, not left to the system: a socket that is reset at once never learns its own port. */
function sourceOf({ number, sources }: AttackTarget) {
  const host = number % sources;
  return {
    localAddress: `127.1.${host >> 8}.${host & 255}`,
    localPort: LOCAL_PORT_MIN + (number % LOCAL_PORTS),
  };
}

function connectionOf(target: AttackTarget) {
  const { host, port } = parseAddress(target.address);
  return { host, port, ...sourceOf(target) };
}

function certificateOf(number: number): ConnectionOptions {
  const { privateKeyPem: key, certificatePem: cert } = identityOf(number);
  return { key, cert };
}

/** Bytes instead of TLS. */
function raw(rule: string, strike: (socket: Socket) => void): Attack {
  return {
    rule,
    start(target) {
      const socket = connectTcp(connectionOf(target));
      // Without a reader the end of the other side would go unseen.
      socket.resume().once("connect", () => strike(socket));
      return { socket };
    },
  };
}

/** TLS that breaks a rule of acceptance. */
function tls(rule: string, options: (number: number) => ConnectionOptions): Attack {
  return {
    rule,
    start(target) {
      const socket = connectTls({
        ...connectionOf(target),
        ALPNProtocols: ["vibecoin/1"],
        rejectUnauthorized: false,
        ...options(target.number),
      });
      return { socket: socket.resume() };
    },
  };
}

/** Proper TLS, and then bytes that no peer may send. */
function peer(rule: string, strike: (attacker: RawPeer) => void): Attack {
  return {
    rule,
    start(target) {
      const { address, number } = target;
      const from = sourceOf(target);
      const attacker = new RawPeer({ address, identity: identityOf(number), from });
      void attacker.secured.then(() => strike(attacker)).catch(() => undefined);
      return { socket: attacker.socket, peer: attacker };
    },
  };
}

function handshakeFrame(payloadBytes: number, fill: number): Uint8Array {
  const payload = new Uint8Array(payloadBytes).fill(fill);
  return frameBytes({ code: KINDS.Handshake.code, flags: 0, payload });
}

function trickle(socket: Socket, bytes: Uint8Array): void {
  let sent = 0;
  const step = (): void => void socket.write(bytes.subarray(sent, ++sent));
  step();
  const timer = setInterval(step, SLOW_INTERVAL_MS);
  socket.once("close", () => clearInterval(timer));
}
