// A node's identity: an ed25519 key and the self-signed certificate that carries it through TLS.
// Made once and kept in two files; used by the composition root and by `keygen`. The certificate is
// a fixed template (docs/protocol.md), so one seed gives one certificate, byte for byte.

import { createPrivateKey, createPublicKey, sign, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";

import { toHex } from "../bytes/hex.js";
import { SEED_BYTES } from "../chain/signatures.js";
import { CodedError, invariant } from "../errors.js";
import { makeDirectory } from "../make-directory.js";
import type { PeerId, Random } from "../ports.js";

export interface Identity {
  readonly peerId: PeerId;
  /** PKCS #8. */
  readonly privateKeyPem: string;
  readonly certificatePem: string;
}

const KEY_FILE = "node.key";
const CERTIFICATE_FILE = "node.cert";

/** RFC 8410: a PKCS #8 ed25519 key is this prefix and the 32-byte seed. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
/** RFC 8410: a SubjectPublicKeyInfo is this prefix and the 32-byte public key. */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const ED25519_ALGORITHM = Buffer.from("300506032b6570", "hex");

/** A fresh key's seed. `random` must be cryptographically strong wherever the identity matters. */
export function generateSeed(random: Random): Uint8Array {
  return random.bytes(SEED_BYTES);
}

/** `seed`: 32 bytes. The same seed always gives the same identity. */
export function createIdentity(seed: Uint8Array): Identity {
  invariant(seed.length === SEED_BYTES, "an ed25519 seed has 32 bytes");
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: "der",
    type: "pkcs8",
  });
  return {
    peerId: toHex(publicKeyOf(privateKey)),
    privateKeyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    certificatePem: certificateOf(privateKey),
  };
}

/** The 32-byte seed of an ed25519 key in PEM, or undefined when it is not one. */
export function seedOf(privateKeyPem: string): Uint8Array | undefined {
  try {
    const key = createPrivateKey(privateKeyPem);
    if (key.asymmetricKeyType !== "ed25519") return undefined;
    return new Uint8Array(key.export({ format: "der", type: "pkcs8" }).subarray(-SEED_BYTES));
  } catch {
    return undefined;
  }
}

/**
 * Reads `node.key` and `node.cert` in `dir`, and makes what is missing. Rejects with KEY_INVALID
 * naming the damaged file (it is never overwritten), or DATA_UNREADABLE naming what failed.
 */
export async function loadOrCreateIdentity(dir: string, random: Random): Promise<Identity> {
  const keyPath = join(dir, KEY_FILE);
  const certificatePath = join(dir, CERTIFICATE_FILE);
  try {
    await makeDirectory(dir);
    const keyPem = await readIfPresent(keyPath);
    const certificatePem = await readIfPresent(certificatePath);
    if (keyPem === undefined && certificatePem !== undefined) {
      throw keyInvalid(keyPath, "is missing although its certificate exists");
    }
    const seed = keyPem === undefined ? generateSeed(random) : seedOf(keyPem);
    if (seed === undefined) throw keyInvalid(keyPath, "holds no ed25519 private key in PEM");
    const identity = createIdentity(seed);
    if (certificatePem !== undefined && keyInCertificate(certificatePem) !== identity.peerId) {
      throw keyInvalid(certificatePath, `is damaged or belongs to another key than ${KEY_FILE}`);
    }
    if (keyPem === undefined) await writeWhole(keyPath, identity.privateKeyPem, 0o600);
    if (certificatePem === undefined) {
      await writeWhole(certificatePath, identity.certificatePem, 0o644);
    }
    return certificatePem === undefined ? identity : { ...identity, certificatePem };
  } catch (error) {
    if (error instanceof CodedError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const sentence = `The node's identity in ${dir} cannot be read or written: ${reason}.`;
    throw new CodedError("DATA_UNREADABLE", sentence, { cause: error });
  }
}

function publicKeyOf(privateKey: KeyObject): Buffer {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return spki.subarray(SPKI_PREFIX.length);
}

/**
 * X.509 v3, no extensions. Serial number 1, issuer and subject `CN=vibecoin`, valid from 2020 to
 * 9999-12-31T23:59:59Z, which RFC 5280 reserves for "no expiry". Peers look only at the key.
 */
function certificateOf(privateKey: KeyObject): string {
  const commonName = der(0x30, Buffer.from("0603550403", "hex"), der(0x0c, ascii("vibecoin")));
  const name = der(0x30, der(0x31, commonName));
  const validity = der(
    0x30,
    der(0x17, ascii("200101000000Z")),
    der(0x18, ascii("99991231235959Z")),
  );
  const body = der(
    0x30,
    Buffer.from("a003020102" + "020101", "hex"),
    ED25519_ALGORITHM,
    name,
    validity,
    name,
    SPKI_PREFIX,
    publicKeyOf(privateKey),
  );
  const signature = der(0x03, Buffer.of(0), sign(null, body, privateKey));
  const base64 = der(0x30, body, ED25519_ALGORITHM, signature).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** One DER element; every length here is below 65,536. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content]);
}

function ascii(text: string): Buffer {
  return Buffer.from(text, "ascii");
}

function keyInCertificate(certificatePem: string): PeerId | undefined {
  try {
    const spki = new X509Certificate(certificatePem).publicKey.export({
      format: "der",
      type: "spki",
    });
    return toHex(spki.subarray(SPKI_PREFIX.length));
  } catch {
    return undefined;
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Written beside, synced and renamed: a crash leaves the whole file or none. */
async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", mode);
  try {
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

function keyInvalid(path: string, reason: string): CodedError {
  return new CodedError("KEY_INVALID", `The file ${path} ${reason}.`);
}
