// The package in a host that is bundled to one file, and beside one.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { build, type BuildOptions } from "esbuild";

const root = path.dirname(fileURLToPath(import.meta.resolve("vibecoin-network/package.json")));
const PATIENCE_MS = 60_000;

const START = `
  import { startNetwork } from "vibecoin-network";
  const outcome = startNetwork({ pool: { threads: 1 } }).then(
    (network) => network.stop().then(() => "started and stopped"),
    (error) => error.code + ": " + error.message,
  );
`;
const PRINT = "outcome.then((said) => console.log(said));";
const AWAIT = "console.log(await outcome);";
/** What bundles of modules need for the CommonJS packages in them. */
const banner = {
  js: `import { createRequire as makeRequire } from "node:module";
       const require = makeRequire(import.meta.url);
       const __filename = "bundle.mjs", __dirname = ".";`,
};

/** What the bundle prints; rejects when it does not come to an end. */
async function run(source: string, options: BuildOptions): Promise<string> {
  // Below the project, where what is left out of the bundle is found.
  const directory = await mkdtemp(path.join(root, ".build", "bundle-"));
  try {
    const outfile = path.join(directory, options.format === "cjs" ? "bundle.cjs" : "bundle.mjs");
    const stdin = { contents: source, resolveDir: root };
    const common: BuildOptions = { bundle: true, platform: "node", logLevel: "silent" };
    await build({ ...common, ...options, stdin, outfile });
    return await new Promise((resolve, reject) => {
      const limits = { cwd: tmpdir(), timeout: PATIENCE_MS };
      execFile(process.execPath, [outfile], limits, (error, stdout, stderr) => {
        if (error === null) resolve(stdout.trim());
        else reject(new Error(`${error.message}\n${stdout}${stderr}`));
      });
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

const REFUSAL =
  /^CONFIG_INVALID: vibecoin-network cannot start its threads: .* leave the package out of the bundle/;

test("within a bundle a network is refused, with what to do", async (t) => {
  t.regex(await run(START + PRINT, { format: "esm", banner }), REFUSAL);
  t.regex(await run(START + PRINT, { format: "cjs" }), REFUSAL);
});

test("a bundle that waits for its network at its top level is not held for ever", async (t) => {
  t.regex(await run(START + AWAIT, { format: "esm", banner }), REFUSAL);
});

test("beside a bundle a network starts", async (t) => {
  const external = ["vibecoin-network"];
  t.is(await run(START + AWAIT, { format: "esm", external }), "started and stopped");
});
