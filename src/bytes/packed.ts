// Byte strings laid end to end in one buffer of their own: the form in which bytes move to pool
// threads. Item i is [ends[i - 1] ?? 0, ends[i]).

/** Structurally the `Packed` of ports.ts, which this leaf folder may not import. */
interface PackedBytes {
  readonly buffer: ArrayBuffer;
  readonly ends: Uint32Array;
}

/** Copies the items into a fresh buffer: a pooled or shared one could not be transferred. */
export function packBytes(items: readonly Uint8Array[]): PackedBytes {
  const ends = new Uint32Array(items.length);
  let total = 0;
  for (let i = 0; i < items.length; i++) {
    total += items[i]!.byteLength;
    ends[i] = total;
  }
  const bytes = new Uint8Array(total);
  for (let i = 0; i < items.length; i++) bytes.set(items[i]!, i === 0 ? 0 : ends[i - 1]);
  return { buffer: bytes.buffer, ends };
}

/** As `packBytes`, of bytes that the caller gives away: one that has a buffer to itself is not copied. */
export function packOwned(items: readonly Uint8Array[]): PackedBytes {
  const [only] = items;
  const { buffer } = only ?? {};
  if (items.length !== 1 || !(buffer instanceof ArrayBuffer)) return packBytes(items);
  if (buffer.byteLength !== only!.byteLength) return packBytes(items);
  return { buffer, ends: Uint32Array.of(buffer.byteLength) };
}

/** A view of item `index`, which must exist. */
export function packedItem(packed: PackedBytes, index: number): Uint8Array<ArrayBuffer> {
  const start = index === 0 ? 0 : packed.ends[index - 1]!;
  return new Uint8Array(packed.buffer, start, packed.ends[index]! - start);
}

/** Views of all items, in order. */
export function packedItems(packed: PackedBytes): Uint8Array<ArrayBuffer>[] {
  const items: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < packed.ends.length; i++) items.push(packedItem(packed, i));
  return items;
}
