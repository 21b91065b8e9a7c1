// Hexadecimal text of bytes: the form of hashes, ids and keys as map keys and in output.

const NO_DIGIT = 0xf0;
/** The value of a hexadecimal digit, by its character code. */
const DIGITS = new Uint8Array(128).fill(NO_DIGIT);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  DIGITS[digit.charCodeAt(0)] = value;
  DIGITS[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Lower-case hex, two characters a byte. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** True for whole bytes of hex in either case; of exactly `byteLength` bytes when it is given. */
export function isHex(text: string, byteLength?: number): boolean {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return false;
  return byteLength === undefined || text.length === byteLength * 2;
}

/** The bytes in a buffer of their own. Throws a RangeError for anything but `isHex` text. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length >> 1);
  writeHex(bytes, 0, text);
  return bytes;
}

/** Writes the bytes at `offset`, where there is room for them. Throws as `fromHex` does. */
export function writeHex(target: Uint8Array, offset: number, text: string): void {
  // For the 64 digits of a hash this takes half the time of Buffer's reading and a check.
  const { length } = text;
  let wrong = length & 1;
  for (let at = 0; at < length - 1; at += 2) {
    const high = DIGITS[text.charCodeAt(at)] ?? NO_DIGIT;
    const low = DIGITS[text.charCodeAt(at + 1)] ?? NO_DIGIT;
    wrong |= (high | low) & NO_DIGIT;
    target[offset + (at >> 1)] = (high << 4) | low;
  }
  if (wrong !== 0) throw new RangeError("not whole bytes of hex");
}
