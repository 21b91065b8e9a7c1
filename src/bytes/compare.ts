// Equality, joining and big-endian integers of byte strings.

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** The parts end to end in a buffer of their own. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let total = 0;
  for (const part of parts) total += part.length;
  const joined = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** What `toString("latin1")` ends in; called directly on the bytes it takes a third of the time. */
const slices = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};

/** Bytes as text of one character (0–255) a byte: the cheapest form of bytes as a map key. */
export function toLatin1(bytes: Uint8Array): string {
  return slices.latin1Slice.call(bytes, 0, bytes.length);
}

/** What `toLatin1` was given. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Writes a safe integer as eight bytes, big-endian. */
export function writeUint64(target: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / 2 ** 32);
  for (let i = 0; i < 4; i++) {
    target[offset + i] = high >>> (24 - 8 * i);
    target[offset + 4 + i] = value >>> (24 - 8 * i);
  }
}

/** Reads eight big-endian bytes that `writeUint64` wrote; exact up to 2^53 - 1. */
export function readUint64(source: Uint8Array, offset: number): number {
  let value = 0;
  for (let i = 0; i < 8; i++) value = value * 256 + source[offset + i]!;
  return value;
}
