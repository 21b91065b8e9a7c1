// Cheap changes to inputs, drawn from a seed: what makes millions of inputs of a few hundred.

/** sfc32 (Chris Doty-Humphrey, PractRand), whose draws are whole numbers below 2^32. */
export class Draws {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** Bytes at which readers change their mind: heads of CBOR items, signs, ends of ranges. */
const INTERESTING = [
  0, 1, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1f, 0x20, 0x3b, 0x40, 0x58, 0x5b, 0x5f, 0x60, 0x78, 0x7f,
  0x80, 0x81, 0x82, 0x98, 0x9b, 0x9f, 0xa0, 0xc0, 0xf6, 0xfb, 0xfe, 0xff,
];
const WORDS = [0, 1, 255, 256, 65_535, 65_536, 65_537, 2 ** 22, 2 ** 31, 2 ** 32 - 1];
const CHANGES_MAX = 4;

/** A changed copy, at most `bytesMax` long. */
export function mutated(
  input: Uint8Array,
  corpus: readonly Uint8Array[],
  bytesMax: number,
  draws: Draws,
): Uint8Array {
  let bytes = Uint8Array.from(input);
  for (let left = 1 + draws.below(CHANGES_MAX); left > 0; left--) {
    bytes = changed(bytes, corpus, draws);
  }
  return bytes.length > bytesMax ? bytes.slice(0, bytesMax) : bytes;
}

function changed(
  bytes: Uint8Array<ArrayBuffer>,
  corpus: readonly Uint8Array[],
  draws: Draws,
): Uint8Array<ArrayBuffer> {
  const at = draws.below(bytes.length + 1);
  const count = 1 + draws.below(1 + draws.below(32));
  switch (draws.below(9)) {
    case 0:
      bytes[at] = bytes[at]! ^ (1 << draws.below(8));
      return bytes;
    case 1:
      bytes[at] = draws.next();
      return bytes;
    case 2:
      bytes[at] = draws.of(INTERESTING);
      return bytes;
    case 3: {
      const word = draws.of(WORDS);
      for (let i = 0; i < 4; i++) bytes[at + i] = word >>> (24 - 8 * i);
      return bytes;
    }
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(at + count));
    case 5: {
      const added = Uint8Array.from({ length: count }, () => draws.next());
      return joined(bytes.subarray(0, at), added, bytes.subarray(at));
    }
    case 6:
      return joined(bytes.subarray(0, at), bytes.subarray(at, at + count), bytes.subarray(at));
    case 7: {
      const other = draws.of(corpus);
      return joined(bytes.subarray(0, at), other.subarray(draws.below(other.length + 1)));
    }
    default:
      return bytes.slice(0, at);
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
