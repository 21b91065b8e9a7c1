// Random changes to bytes for properties of readers: none, one or a few.

import fc from "fast-check";

export interface Mutation {
  readonly at: number;
  readonly byte: number;
  readonly how: "set" | "insert" | "delete" | "cut";
}

export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    at: fc.nat(),
    byte: fc.nat(255),
    how: fc.constantFrom("set", "set", "set", "insert", "delete", "cut"),
  }),
  { maxLength: 2 },
);

export function mutate(bytes: Uint8Array, changes: readonly Mutation[]): Uint8Array<ArrayBuffer> {
  const list = [...bytes];
  for (const { at, byte, how } of changes) {
    // Half of the places are the first bytes, where the heads of the outer items are.
    const index = at % 2 === 0 ? (at >> 1) % (list.length + 1) : (at >> 1) % 8;
    if (index > list.length) continue;
    if (how === "set") list[index] = byte;
    else if (how === "cut") list.length = index;
    else if (how === "delete") list.splice(index, 1);
    else list.splice(index, 0, byte);
  }
  return Uint8Array.from(list);
}
