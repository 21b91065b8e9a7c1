// Hexadecimal text of bytes: the form of hashes, ids and keys as map keys and in output.

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
  if (!isHex(text)) throw new RangeError("not whole bytes of hex");
  const bytes = new Uint8Array(text.length / 2);
  bytes.set(Buffer.from(text, "hex"));
  return bytes;
}
