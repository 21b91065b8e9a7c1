import test from "ava";
import fc from "fast-check";
import { printable, printableIn } from "../../src/bytes/printable.js";

test("plain text of any language stays as it is", (t) => {
  for (const text of ["vibecoin/1", "Grüße, 世界 and שלום", "🚀", "a\\u{202e}b", "é"]) {
    t.is(printable(text), text);
  }
});

test("what turns, hides or moves text is written out", (t) => {
  const cases: [string, string][] = [
    ["a\u202Eb", "a\\u{202e}b"],
    ["\u2066\u200B\uFEFF", "\\u{2066}\\u{200b}\\u{feff}"],
    ["\u{E0041}\u{E007F}", "\\u{e0041}\\u{e007f}"],
    ["\x1B[2J\x07\r\n", "\\u{1b}[2J\\u{7}\\u{d}\\u{a}"],
    ["\u2028\u2029\u00A0", "\\u{2028}\\u{2029}\\u{a0}"],
    ["\uE000\uD800", "\\u{e000}\\u{d800}"],
    ["\uFE0F\u3164\u2800", "\\u{fe0f}\\u{3164}\\u{2800}"],
  ];
  for (const [text, shown] of cases) t.is(printable(text), shown);
});

test("a stack keeps its lines, and a message cannot pretend to be another line", (t) => {
  const stack = new Error("planned").stack!;
  t.is(printable(stack), stack);
  t.is(printable("a\nERROR: b"), "a\\u{a}ERROR: b");
});

test("whatever comes in, nothing unsafe comes out, and a second time changes nothing", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 20 }), (text) => {
      const shown = printable(text);
      t.notRegex(shown.replaceAll(/\n {4}at /g, ""), /[\p{C}\p{Zl}\p{Zp}]/u);
      t.is(printable(shown), shown);
    }),
  );
});

test("every text of a plain value is written out, names too; other things stay", (t) => {
  const bytes = new Uint8Array(2);
  const value = { "k\u200B": [{ a: "\u202E", n: 1, big: 2n, bytes, none: null, not: undefined }] };
  const shown = { "k\\u{200b}": [{ ...value["k\u200B"][0], a: "\\u{202e}" }] };
  t.deepEqual(printableIn(value) as unknown, shown);
  t.is(printableIn(bytes), bytes);
});
