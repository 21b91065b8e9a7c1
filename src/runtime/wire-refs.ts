// References inside messages that leave their thread: a function cannot be cloned, so each
// reference is replaced by a plain marker and put back on the other side.

/** Stands for a reference. The key is one that no message of ours uses. */
interface Marker {
  readonly "@ref": unknown;
}

/**
 * Replaces every reference in plain objects and arrays, at any depth, by a marker that holds
 * `encode` of it. Returns the message itself when there is none; never changes it.
 */
export function encodeRefs<R extends object>(
  message: unknown,
  isRef: (value: object) => value is R,
  encode: (ref: R) => unknown,
): unknown {
  return replace(message, (value) => (isRef(value) ? { "@ref": encode(value) } : undefined));
}

/** Visits the references in plain objects and arrays, at any depth. */
export function eachRef<R extends object>(
  message: unknown,
  isRef: (value: object) => value is R,
  visit: (ref: R) => void,
): void {
  replace(message, (value) => {
    if (isRef(value)) visit(value);
    return undefined;
  });
}

/** The inverse: every marker becomes `decode` of what it holds. */
export function decodeRefs(message: unknown, decode: (encoded: unknown) => object): unknown {
  return replace(message, (value) =>
    "@ref" in value ? decode((value as Marker)["@ref"]) : undefined,
  );
}

function replace(value: unknown, swap: (value: object) => object | undefined): unknown {
  if (typeof value !== "object" || value === null) return value;
  const swapped = swap(value);
  if (swapped !== undefined) return swapped;
  if (Array.isArray(value)) return replaceItems(value, swap);
  // Bytes, maps and class instances are not looked into: they carry no references.
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  let copy: Record<string, unknown> | undefined;
  const fields = value as Record<string, unknown>;
  for (const key in fields) {
    const before = fields[key];
    if (typeof before !== "object" || before === null) continue;
    const after = replace(before, swap);
    if (after === before) continue;
    copy ??= { ...fields };
    copy[key] = after;
  }
  return copy ?? value;
}

function replaceItems(
  items: readonly unknown[],
  swap: (value: object) => object | undefined,
): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let i = 0; i < items.length; i++) {
    const after = replace(items[i], swap);
    if (after === items[i]) continue;
    copy ??= [...items];
    copy[i] = after;
  }
  return copy ?? items;
}
