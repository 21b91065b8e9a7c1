// Text of strangers (peers' labels, reasons, rules of foreign modules) as it may be shown: what turns
// the direction of a line, takes no width, moves a cursor or cannot be seen is written out. Used
// where text leaves the program: log, HTTP, metrics, terminal.

/**
 * Control, format, private, unassigned and lone surrogate characters (C), separators but the space
 * (Z), and what is drawn as nothing (variation selectors, fillers, tags).
 */
const UNSAFE = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;
const EACH_UNSAFE = new RegExp(UNSAFE.source, "gu");
/** The line ends of a stack. */
const FRAME_START = /^\n {4}at /;
/** Deeper than any value that is shown. */
const DEPTH_MAX = 8;

/** U+202E becomes `\u{202e}`. Called on its own answer it changes nothing. */
export function printable(text: string): string {
  if (!UNSAFE.test(text)) return text;
  return text.replace(EACH_UNSAFE, (unsafe, at: number) =>
    unsafe === "\n" && FRAME_START.test(text.slice(at, at + 8)) ? unsafe : escaped(unsafe),
  );
}

/** The same for every text of a value made of plain objects and lists; others stay as they are. */
export function printableIn<T>(value: T): T {
  return walk(value, 0) as T;
}

function walk(value: unknown, depth: number): unknown {
  if (typeof value === "string") return printable(value);
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return value;
  if (Array.isArray(value)) return value.map((item) => walk(item, depth + 1));
  const prototype = Object.getPrototypeOf(value) as unknown;
  if (prototype !== Object.prototype && prototype !== null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, inner]) => [printable(key), walk(inner, depth + 1)]),
  );
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}
