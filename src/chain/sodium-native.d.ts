// The few functions of sodium-native that signatures.ts calls; the package ships no types.

declare module "sodium-native" {
  interface SodiumNative {
    crypto_sign_verify_detached(sig: Uint8Array, message: Uint8Array, pk: Uint8Array): boolean;
    crypto_sign_detached(sig: Uint8Array, message: Uint8Array, sk: Uint8Array): void;
    crypto_sign_seed_keypair(pk: Uint8Array, sk: Uint8Array, seed: Uint8Array): void;
  }
  const sodium: SodiumNative;
  export default sodium;
}
