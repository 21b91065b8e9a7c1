// The nonces of Pings, which tell their sender's clock where `time/1` was negotiated. Pure.

/** Milliseconds since 1970, then 16 bits that make it unique. */
export function nonceOfTime(wallMs: number, unique: number): bigint {
  return (BigInt.asUintN(48, BigInt(Math.trunc(wallMs))) << 16n) | BigInt(unique & 0xffff);
}

export function timeOfNonce(nonce: bigint): number {
  return Number(nonce >> 16n);
}
