// Signatures that cost a fast hash, for simulations in which ed25519 would take most of the time.
// Whoever knows a public key can sign for it: right for honest nodes and for scripted adversaries.

import { concatBytes, equalBytes } from "../bytes/compare.js";
import { sha256 } from "../bytes/sha256.js";
import { SEED_BYTES, SIGNATURE_BYTES, type SignatureScheme } from "../chain/signatures.js";
import { invariant } from "../errors.js";
import { StructuralHash } from "./structural-hash.js";

/** What a world needs of a scheme; `await loadSignatures()` is one with real cryptography. */
export type SimSignatures = Pick<SignatureScheme, "verify" | "sign" | "keyPairFromSeed">;

/** Keys and signatures of ed25519's sizes; a signature is a digest of key and message. */
export const fastSignatures: SimSignatures = Object.freeze({
  keyPairFromSeed(seed: Uint8Array) {
    invariant(seed.length === SEED_BYTES, "a seed has 32 bytes");
    const publicKey = sha256(seed);
    return { publicKey, secretKey: concatBytes([seed, publicKey]) };
  },
  sign: (message: Uint8Array, secretKey: Uint8Array) =>
    digest(message, secretKey.subarray(SEED_BYTES)),
  verify: (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) =>
    signature.length === SIGNATURE_BYTES && equalBytes(signature, digest(message, publicKey)),
});

function digest(message: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const hash = new StructuralHash();
  hash.bytes(publicKey);
  hash.bytes(message);
  const signature = new Uint8Array(SIGNATURE_BYTES);
  hash.write(signature);
  return signature;
}
