// What the linter holds this project to. The tables come first: who may import whom, which files
// may touch the outside world, and how long a file and a function may be.

import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

import { importTable } from "./scripts/eslint/import-table.mjs";
import { noAmbient } from "./scripts/eslint/no-ambient.mjs";

const root = import.meta.dirname;
const anything = { imports: "anything" };

/** What each layer of src may import, wholly or only its types. */
const layers = {
  bytes: { imports: [], types: [] },
  errors: { imports: [], types: [] },
  "make-directory": { imports: [], types: [] },
  "thread-module": { imports: [], types: [] },
  types: { imports: [], types: [] },
  runtime: { imports: [], types: ["ports"] },
  chain: { imports: ["bytes"], types: ["ports"] },
  protocol: { imports: ["bytes", "chain"], types: [] },
  log: { imports: ["bytes"], types: ["ports"] },
  ports: { imports: [], types: [] },
  config: { imports: [], types: ["ports"] },
  storage: { imports: ["bytes", "chain", "make-directory", "protocol"], types: ["ports"] },
  transport: { imports: ["bytes", "chain", "make-directory", "protocol"], types: ["ports"] },
  workers: { imports: ["bytes", "chain", "protocol"], types: ["ports"] },
  actors: { imports: ["bytes", "chain", "config", "protocol", "runtime"], types: ["ports"] },
  // These put the parts together.
  api: anything,
  cli: anything,
  compose: anything,
  drill: anything,
  index: anything,
  main: anything,
  network: anything,
  sim: anything,
  thread: anything,
};
const everyone = { imports: ["errors", "thread-module"], types: ["config", "types"] };

/** The layers that may import a package which brings threads, files, sockets or a native part. */
const packages = {
  "cli-progress": ["cli"],
  comlink: ["index", "runtime", "thread"],
  commander: ["cli", "main"],
  fastify: ["api"],
  "libsodium-wrappers": ["chain"],
  lmdb: ["storage"],
  piscina: ["workers"],
  "prom-client": ["api"],
  "sodium-native": ["chain"],
};

/** Actors that spawn other actors, and so import them; index.ts only names them for users. */
const actorParents = ["index.ts", "peer/advanced-peer-registry.ts", "service/network-actors.ts"];

const processFiles = [
  "src/api/",
  "src/cli/",
  "src/compose.ts",
  "src/compose/",
  "src/main.ts",
].concat("src/drill/");
const threadFiles = ["src/runtime/thread-*.ts", "src/workers/"];
const socketFiles = ["src/transport/tcp*.ts", "src/transport/tls*.ts"];
const lockFile = "src/storage/directory-lock.ts";

/** Ambient authorities: what they are called, and the adapter files that may use them. */
const authorities = {
  clock: {
    uses: ["Date", "Date.now", "performance", "process.hrtime", "process.uptime"].concat([
      "node:perf_hooks#performance",
      "node:perf_hooks#*",
    ]),
    adapters: ["src/runtime/clock.ts", ...threadFiles, ...socketFiles, ...processFiles],
  },
  timer: {
    uses: ["setTimeout", "setInterval", "setImmediate", "node:timers", "node:timers/promises"],
    adapters: ["src/runtime/clock.ts", "src/runtime/scheduler.ts", lockFile].concat(
      threadFiles,
      socketFiles,
      processFiles,
    ),
  },
  random: {
    uses: ["Math.random", "crypto.getRandomValues", "crypto.randomUUID"].concat(
      ["randomBytes", "randomFill", "randomFillSync", "randomInt", "randomUUID"].flatMap((name) => [
        `node:crypto#${name}`,
        `crypto.${name}`,
      ]),
      ["webcrypto", "getRandomValues", "*"].map((name) => `node:crypto#${name}`),
    ),
    adapters: ["src/runtime/random.ts", "src/workers/", lockFile].concat(socketFiles, processFiles),
  },
  environment: {
    uses: ["process.env", "process.argv", "process.cwd", "node:process"],
    adapters: [...threadFiles, ...processFiles],
  },
  socket: {
    uses: ["net", "tls", "dgram", "http", "http2", "https", "dns", "dns/promises"]
      .map((name) => `node:${name}`)
      .concat("fetch", "WebSocket"),
    adapters: [...socketFiles, lockFile, "src/api/", "src/drill/"],
  },
};

const project = { rules: { "import-table": importTable, "no-ambient": noAmbient } };
const typescript = ["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts", "examples/**/*.ts"];
const lengths = { skipBlankLines: true, skipComments: true };

export default tseslint.config(
  { ignores: ["**/dist/", ".build/", "coverage/"] },
  eslint.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: typescript,
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    rules: {
      eqeqeq: "error",
      "no-console": "error",
      "@typescript-eslint/consistent-type-exports": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
      "@typescript-eslint/no-import-type-side-effects": "error",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrorsIgnorePattern: "^_" },
      ],
      "@typescript-eslint/only-throw-error": "error",
      // A port's method is async so that it rejects instead of throwing, with or without await.
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    files: ["src/**/*.ts"],
    plugins: { project },
    rules: {
      "project/import-table": ["error", { root, layers, everyone, packages, actorParents }],
      "project/no-ambient": ["error", { root, authorities }],
    },
  },
  {
    files: ["src/**/*.ts", "bench/**/*.ts"],
    rules: {
      "max-lines": ["error", { max: 450, ...lengths }],
      "max-lines-per-function": ["error", { max: 80, ...lengths }],
    },
  },
  {
    files: ["src/**/*.ts"],
    rules: { "max-lines": ["error", { max: 400 }] },
  },
  {
    files: ["src/api/**", "src/cli/**", "src/main.ts", "bench/**", "examples/**"],
    rules: { "no-console": "off" },
  },
  {
    // A test reaches into odd corners on purpose; what it must not do is hide other tests.
    files: ["test/**/*.ts"],
    rules: {
      "max-lines": ["error", { max: 700, ...lengths }],
      "no-console": "off",
      "no-restricted-syntax": [
        "error",
        {
          selector: "MemberExpression[object.name='test'][property.name='only']",
          message: "A test with .only keeps the others from running.",
        },
      ],
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
    },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: {
      globals: {
        AbortController: "readonly",
        AbortSignal: "readonly",
        Buffer: "readonly",
        URL: "readonly",
        clearInterval: "readonly",
        clearTimeout: "readonly",
        console: "readonly",
        fetch: "readonly",
        performance: "readonly",
        process: "readonly",
        setImmediate: "readonly",
        setInterval: "readonly",
        setTimeout: "readonly",
      },
    },
    rules: { "no-undef": "error" },
  },
);
