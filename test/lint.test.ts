// The linter's own rules, run on snippets: each names a file that need not exist. And the check of
// imports in a circle, run on a folder made for it.

import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { ESLint } from "eslint";
import tseslint from "typescript-eslint";

const untyped = new ESLint({ overrideConfig: tseslint.configs.disableTypeChecked });
const typed = new ESLint();

async function rulesBroken(eslint: ESLint, filePath: string, code: string): Promise<string[]> {
  const results = await eslint.lintText(code, { filePath });
  const messages = results.flatMap((result) => result.messages);
  return [...new Set(messages.map(({ ruleId, message }) => ruleId ?? message))].sort();
}

interface Imports {
  readonly file: string;
  readonly allowed: readonly string[];
  readonly refused: readonly string[];
}

const value = (specifier: string): string => `import { x } from "${specifier}";\nx();\n`;
const typeOnly = (specifier: string): string =>
  `import type { X } from "${specifier}";\nexport type Y = X;\n`;
const reexport = (specifier: string): string => `export { x } from "${specifier}";\n`;
const lazy = (specifier: string): string => `export const x = import("${specifier}");\n`;

const table: readonly Imports[] = [
  {
    file: "src/bytes/sample.ts",
    allowed: [value("./hex.js"), value("../errors.js"), value("node:buffer")],
    refused: [value("../chain/block.js"), typeOnly("../ports.js"), value("../../test/x.js")],
  },
  {
    file: "src/runtime/sample.ts",
    allowed: [typeOnly("../ports.js"), typeOnly("../config.js"), value("comlink")],
    refused: [value("../ports.js"), typeOnly("../chain/rules.js"), value("../bytes/hex.js")],
  },
  {
    file: "src/chain/sample.ts",
    allowed: [value("../bytes/hex.js"), typeOnly("../ports.js"), value("sodium-native")],
    refused: [value("../protocol/address.js"), lazy("../storage/stores.js"), value("lmdb")],
  },
  {
    file: "src/protocol/codec/sample.ts",
    allowed: [value("../../chain/block.js"), value("../../bytes/cbor.js")],
    refused: [typeOnly("../../ports.js"), value("../../runtime/ring.js")],
  },
  {
    file: "src/ports.ts",
    allowed: [typeOnly("./types/chain.js"), typeOnly("./ports/stores.js")],
    refused: [value("./types/chain.js"), typeOnly("./chain/rules.js")],
  },
  {
    file: "src/storage/sample.ts",
    allowed: [value("lmdb"), value("../chain/block.js"), typeOnly("../ports.js")],
    refused: [value("../transport/tcp.js"), value("piscina"), value("../runtime/clock.js")],
  },
  {
    file: "src/workers/sample.ts",
    allowed: [value("piscina"), value("../protocol/codec/codec.js")],
    refused: [value("../actors/env.js"), typeOnly("../storage/stores.js")],
  },
  {
    file: "src/actors/sync/sample.ts",
    allowed: [
      value("../../runtime/actor.js"),
      value("../../config.js"),
      typeOnly("../peer/peer-reputation.js"),
      value("../peer/peer-performance.js"),
    ],
    refused: [
      value("../../transport/tcp.js"),
      typeOnly("../../storage/stores.js"),
      reexport("../../workers/pool.js"),
      lazy("../../sim/index.js"),
      value("../peer/peer-reputation.js"),
      reexport("../peer/peer-reputation.js"),
      value("sodium-native"),
    ],
  },
  {
    file: "src/actors/peer/advanced-peer-registry.ts",
    allowed: [value("./peer-reputation.js")],
    refused: [value("../../storage/stores.js")],
  },
  {
    file: "src/compose.ts",
    allowed: [value("./actors/peer/peer-reputation.js"), value("./storage/stores.js")],
    refused: [value("../test/lint.test.js"), value("lmdb"), value("piscina")],
  },
  {
    file: "src/newcomer/sample.ts",
    allowed: [value("./other.js")],
    refused: [value("../bytes/hex.js")],
  },
];

for (const { file, allowed, refused } of table) {
  test(`${file} imports what the table allows, and nothing else`, async (t) => {
    for (const code of allowed) t.deepEqual(await rulesBroken(untyped, file, code), [], code);
    for (const code of refused) {
      t.deepEqual(await rulesBroken(untyped, file, code), ["project/import-table"], code);
    }
  });
}

const ambient: Readonly<Record<string, readonly string[]>> = {
  "src/runtime/clock.ts": [
    "export const now = Date.now();\n",
    "export const now = new Date();\n",
    "export const now = Date();\n",
    "export const now = performance.now();\n",
    "export const now = globalThis.performance.now();\n",
    "export const now = process.hrtime.bigint();\n",
    'import { performance } from "node:perf_hooks";\nexport const now = performance.now();\n',
    "export const timer = setTimeout(() => undefined, 1);\n",
    "export const timer = setInterval(() => undefined, 1);\n",
    "export const later = setImmediate;\n",
    'import { setTimeout as delay } from "node:timers/promises";\nawait delay(1);\n',
  ],
  "src/runtime/random.ts": [
    "export const chance = Math.random();\n",
    'export const chance = Math["random"]();\n',
    "export const chance = crypto.getRandomValues(new Uint8Array(1));\n",
    'import { randomBytes } from "node:crypto";\nexport const chance = randomBytes(1);\n',
    'import * as crypto from "crypto";\nexport const chance = crypto.randomBytes(1);\n',
    'import crypto from "node:crypto";\nexport const chance = crypto.randomUUID();\n',
    'export const crypto = await import("node:crypto");\n',
  ],
  "src/compose.ts": [
    'export const home = process.env["HOME"];\n',
    'export const home = globalThis.process.env["HOME"];\n',
  ],
  "src/transport/tcp.ts": [
    'import { connect } from "node:net";\nconnect(1);\n',
    'import { connect } from "tls";\nconnect(1);\n',
    'export { createSocket } from "node:dgram";\n',
    'export const http = import("node:http");\n',
    'await fetch("http://localhost");\n',
  ],
};

for (const [adapter, snippets] of Object.entries(ambient)) {
  test(`what ${adapter} may touch, an actor may not`, async (t) => {
    for (const code of snippets) {
      t.deepEqual(await rulesBroken(untyped, adapter, code), [], code);
      const broken = await rulesBroken(untyped, "src/actors/peer/sample.ts", code);
      t.deepEqual(broken, ["project/no-ambient"], code);
    }
  });
}

test("names that only look ambient pass", async (t) => {
  const code = `
    import type { Socket } from "node:net";
    import { createHash } from "node:crypto";
    interface Clock { now(): number; setTimeout(ms: number): void }
    export function f(performance: Clock, socket: Socket, setInterval: () => void): Date {
      performance.setTimeout(performance.now());
      setInterval();
      socket.end(createHash("sha256").digest());
      return new Date(0);
    }
    const own = { process: { env: 1 }, setTimeout: 2 };
    export const sum = own.process.env + own.setTimeout;
  `;
  t.deepEqual(await rulesBroken(untyped, "src/actors/peer/sample.ts", code), []);
});

test("a file of src has at most 400 lines, one of bench 450 of code, a function 80 of code", async (t) => {
  const lines = (count: number): string => "export {};\n".repeat(count);
  const body = (count: number): string =>
    `export function f(x: number): number {\n${"  x += 1;\n".repeat(count)}  return x;\n}\n`;
  t.deepEqual(await rulesBroken(untyped, "src/chain/sample.ts", lines(398) + "\n// Why.\n"), []);
  t.deepEqual(await rulesBroken(untyped, "src/chain/sample.ts", lines(400) + "// Why.\n"), [
    "max-lines",
  ]);
  t.deepEqual(await rulesBroken(untyped, "bench/sample.ts", lines(450) + "\n// Why.\n"), []);
  t.deepEqual(await rulesBroken(untyped, "bench/sample.ts", lines(451)), ["max-lines"]);
  for (const file of ["src/chain/sample.ts", "bench/sample.ts"]) {
    t.deepEqual(await rulesBroken(untyped, file, body(77)), []);
    t.deepEqual(await rulesBroken(untyped, file, body(78)), ["max-lines-per-function"]);
  }
});

test("modules that import one another in a circle are found, types and layers too", (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "circles-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const found = (modules: Readonly<Record<string, string>>): string => {
    rmSync(folder, { recursive: true });
    for (const [name, code] of Object.entries(modules)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), code);
    }
    const { status, stderr } = spawnSync("node", ["scripts/cycles.mjs", folder]);
    t.is(status, stderr.length === 0 ? 0 : 1);
    return stderr.toString();
  };
  t.is(found({ "a.ts": value("./b.js"), "b.ts": value("node:fs") }), "");
  const alike = { "a.ts": value("./b.js"), "b.ts": value("./c.js"), "c.ts": typeOnly("./a.js") };
  t.regex(found(alike), /a\.ts imports b\.ts\n {2}b\.ts imports c\.ts\n {2}c\.ts imports a\.ts/);
  const layers = {
    "low/a.ts": typeOnly("../high/a.js"),
    "low/b.ts": "",
    "high/a.ts": "",
    "high/b.ts": reexport("../low/b.js"),
  };
  t.regex(found(layers), /high imports low\n {2}low imports high/);
});

test("no test keeps the others from running", async (t) => {
  const code = 'import test from "ava";\ntest.only("x", (t) => t.pass());\n';
  t.deepEqual(await rulesBroken(untyped, "test/sample.test.ts", code), ["no-restricted-syntax"]);
});

test("typed rules: promises are awaited, switches total, types imported as such, no any", async (t) => {
  // These need a file that the compiler knows.
  const file = "src/errors.ts";
  const cases: readonly (readonly [string, string])[] = [
    ["no-floating-promises", "export function f(p: Promise<void>): void {\n  p;\n}\n"],
    [
      "no-misused-promises",
      "export function f(p: Promise<boolean>): number {\n  return p ? 1 : 2;\n}\n",
    ],
    [
      "switch-exhaustiveness-check",
      'export function f(x: "a" | "b"): void {\n  switch (x) {\n    case "a":\n  }\n}\n',
    ],
    ["consistent-type-imports", 'import { X } from "./errors.js";\nexport type Y = X;\n'],
    ["no-explicit-any", "export type Y = any;\n"],
  ];
  for (const [rule, code] of cases) {
    const broken = await rulesBroken(typed, file, code);
    t.true(broken.includes(`@typescript-eslint/${rule}`), `${rule}: ${broken.join(", ")}`);
  }
});
