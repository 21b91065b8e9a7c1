// Every snippet of docs/embedding.md is a piece of a tested example: its fence names the file.

import test from "ava";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import * as actors from "../../src/actors/index.js";

const root = path.resolve(import.meta.dirname, "../../..");
const text = readFileSync(path.join(root, "docs/embedding.md"), "utf8");
const fences = [...text.matchAll(/^```(.*)\n([^]*?)^```$/gm)].map((match) => ({
  info: match[1]!,
  code: match[2]!,
}));

test("the document has snippets, each of which names its example", (t) => {
  t.true(fences.length >= 5);
  for (const { info } of fences) t.regex(info, /^ts examples\/[a-z-]+\.ts$/);
});

for (const { info, code } of fences) {
  const file = info.slice("ts ".length);
  test(`the snippet "${code.split("\n")[0]}" stands in ${file}`, (t) => {
    t.true(readFileSync(path.join(root, file), "utf8").includes(code));
  });
}

test("the table of actors has every actor, and names types that are exported", (t) => {
  const rows = [...text.matchAll(/^\| `(\w+)` +\| (`\w+Message`|`Incoming`) .*$/gm)];
  const isActor = (value: unknown): boolean =>
    typeof (value as { receive?: unknown } | null)?.receive === "function";
  const names = Object.entries(actors).flatMap(([name, value]) => (isActor(value) ? [name] : []));
  t.deepEqual(rows.map(([, actor]) => actor).sort(), names.sort());

  const folder = path.join(root, "src/actors");
  const source = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(path.join(folder, file), "utf8"))
    .join("\n");
  for (const [row] of rows) {
    for (const [, name] of row.matchAll(/`(\w+)`/g)) {
      t.regex(source, new RegExp(`^export (const|type|interface) ${name}\\b`, "m"));
    }
  }
});
