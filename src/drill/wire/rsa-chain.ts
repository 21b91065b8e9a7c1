// A certificate chain whose verification is dear: an ed25519 leaf below certificates with RSA keys
// of 16,384 bits. Their numbers are any numbers: OpenSSL computes with them before it finds that no
// signature is right.

import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import type { Identity } from "../../transport/tls-identity.js";
import { der } from "./certificates.js";

const RSA_BYTES = 2_048;
const SHA256_WITH_RSA = Buffer.from("300d06092a864886f70d01010b0500", "hex");
const RSA_ENCRYPTION = Buffer.from("300d06092a864886f70d0101010500", "hex");
/** 64 bits, nearly all set: the dearest that OpenSSL takes at this size. */
const EXPONENT = Buffer.from("00ffffffffffffffff", "hex");

/** The identity's key with a chain of so many certificates above its own. */
export function rsaChainOf(
  identity: Pick<Identity, "privateKeyPem">,
  certificates: number,
): Pick<Identity, "privateKeyPem" | "certificatePem"> {
  const leafKey = createPublicKey(createPrivateKey(identity.privateKeyPem));
  const spki = leafKey.export({ format: "der", type: "spki" });
  const parts = [certificate("leaf", "ca1", spki)];
  for (let i = 1; i <= certificates; i++) {
    parts.push(certificate(`ca${i}`, `ca${i + 1}`, rsaKey()));
  }
  return { privateKeyPem: identity.privateKeyPem, certificatePem: parts.join("") };
}

function rsaKey(): Buffer {
  const modulus = randomBytes(RSA_BYTES);
  modulus[0]! |= 0x80;
  modulus[RSA_BYTES - 1]! |= 1;
  const numbers = [der(0x02, Buffer.of(0), modulus), der(0x02, EXPONENT)];
  return der(0x30, RSA_ENCRYPTION, der(0x03, Buffer.of(0), der(0x30, ...numbers)));
}

function certificate(subject: string, issuer: string, spki: Buffer): string {
  const times = ["200101000000Z", "400101000000Z"].map((text) => der(0x17, Buffer.from(text)));
  // The signature must be below the modulus to be computed with at all.
  const signature = randomBytes(RSA_BYTES);
  signature[0]! &= 0x7f;
  const isAuthority = Buffer.from("a3133011300f0603551d130101ff040530030101ff", "hex");
  const body = der(
    0x30,
    Buffer.from("a003020102", "hex"),
    der(0x02, Buffer.of(1)),
    SHA256_WITH_RSA,
    nameOf(issuer),
    der(0x30, ...times),
    nameOf(subject),
    spki,
    ...(subject === "leaf" ? [] : [isAuthority]),
  );
  const whole = der(0x30, body, SHA256_WITH_RSA, der(0x03, Buffer.of(0), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function nameOf(text: string): Buffer {
  const commonName = der(0x30, Buffer.from("0603550403", "hex"), der(0x0c, Buffer.from(text)));
  return der(0x30, der(0x31, commonName));
}
