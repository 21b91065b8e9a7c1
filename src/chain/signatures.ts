// ed25519 with libsodium's verdicts everywhere: sodium-native, or libsodium's wasm build where it
// has no binary. OpenSSL and noble accept edge cases that libsodium refuses, which splits a chain.

import type { VerifySignature } from "../types/chain.js";

export const PUBLIC_KEY_BYTES = 32;
const SECRET_KEY_BYTES = 64;
export const SIGNATURE_BYTES = 64;
export const SEED_BYTES = 32;

export interface KeyPair {
  readonly publicKey: Uint8Array;
  /** libsodium's form, 64 bytes: seed and public key. */
  readonly secretKey: Uint8Array;
}

export interface SignatureScheme {
  readonly backend: SignatureBackend;
  readonly verify: VerifySignature;
  /** 64 bytes. Throws when `secretKey` is not 64 bytes. */
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
  /** Throws when `seed` is not 32 bytes. */
  keyPairFromSeed(seed: Uint8Array): KeyPair;
}

export type SignatureBackend = "sodium-native" | "libsodium-wrappers";

/**
 * The y coordinates of the points of small order, little-endian with the sign bit cleared, in
 * every encoding that fits: 0, 1, the two of order 8, p - 1, p and p + 1 (p = 2^255 - 19).
 */
const SMALL_ORDER_Y: ReadonlySet<string> = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/** True for keys under which anyone can forge a signature: an identity must not have one. */
export function isSmallOrder(publicKey: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES) return false;
  const y = Buffer.from(publicKey);
  y[31]! &= 0x7f;
  return SMALL_ORDER_Y.has(y.toString("hex"));
}

let loaded: Promise<SignatureScheme> | undefined;

/** The scheme of this process: sodium-native, else the wasm build. Loads once. */
export function loadSignatures(): Promise<SignatureScheme> {
  loaded ??= loadNative().catch(loadWasm);
  return loaded;
}

/** One backend by name, so that tests can hold them together. Rejects where it has no build. */
export function loadBackend(backend: SignatureBackend): Promise<SignatureScheme> {
  return backend === "sodium-native" ? loadNative() : loadWasm();
}

async function loadNative(): Promise<SignatureScheme> {
  const { default: sodium } = await import("sodium-native");
  return {
    backend: "sodium-native",
    verify: (signature, message, publicKey) =>
      hasLengths(signature, publicKey) &&
      sodium.crypto_sign_verify_detached(signature, message, publicKey),
    sign(message, secretKey) {
      const signature = new Uint8Array(SIGNATURE_BYTES);
      sodium.crypto_sign_detached(signature, message, secretKey);
      return signature;
    },
    keyPairFromSeed(seed) {
      const publicKey = new Uint8Array(PUBLIC_KEY_BYTES);
      const secretKey = new Uint8Array(SECRET_KEY_BYTES);
      sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
      return { publicKey, secretKey };
    },
  };
}

async function loadWasm(): Promise<SignatureScheme> {
  const { default: sodium } = await import("libsodium-wrappers");
  await sodium.ready;
  return {
    backend: "libsodium-wrappers",
    verify: (signature, message, publicKey) =>
      hasLengths(signature, publicKey) &&
      sodium.crypto_sign_verify_detached(signature, message, publicKey),
    sign: (message, secretKey) => sodium.crypto_sign_detached(message, secretKey),
    keyPairFromSeed(seed) {
      const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed);
      return { publicKey, secretKey: privateKey };
    },
  };
}

// Both backends throw for other lengths; a stranger's bytes must only ever be refused.
function hasLengths(signature: Uint8Array, publicKey: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && publicKey.length === PUBLIC_KEY_BYTES;
}
