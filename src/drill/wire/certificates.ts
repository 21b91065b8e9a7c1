// Certificates that no honest node would present: other key types, and keys of small order.

import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";

export interface Credentials {
  readonly key: string;
  readonly cert: string;
}

const SHA256_WITH_RSA = "300d06092a864886f70d01010b0500";
const ECDSA_WITH_SHA256 = "300a06082a8648ce3d040302";
const ED25519 = "300506032b6570";

export function rsaCredentials(): Credentials {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return selfSigned(privateKey, SHA256_WITH_RSA, "sha256");
}

export function p256Credentials(): Credentials {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return selfSigned(privateKey, ECDSA_WITH_SHA256, "sha256");
}

/** A certificate for any 32 bytes as its ed25519 key; its signature is nonsense. */
export function certificateFor(publicKey: Uint8Array): string {
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), publicKey]);
  return pem(spki, ED25519, () => Buffer.alloc(64, 1));
}

function selfSigned(privateKey: KeyObject, algorithm: string, digest: string): Credentials {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    cert: pem(spki, algorithm, (body) => sign(digest, body, privateKey)),
  };
}

function pem(spki: Buffer, algorithmHex: string, signBody: (body: Buffer) => Buffer): string {
  const algorithm = Buffer.from(algorithmHex, "hex");
  const name = der(0x30);
  const times = ["200101000000Z", "400101000000Z"].map((text) => der(0x17, Buffer.from(text)));
  const serial = der(0x02, Buffer.of(1));
  const body = der(0x30, serial, algorithm, name, der(0x30, ...times), name, spki);
  const whole = der(0x30, body, algorithm, der(0x03, Buffer.of(0), signBody(body)));
  const base64 = whole.toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

export function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}
