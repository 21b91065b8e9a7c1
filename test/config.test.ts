import test from "ava";
import fc from "fast-check";
import { DEFAULTS, resolveConfig, type NetworkConfigInput } from "../src/config.js";
import { plannedBytes } from "../src/config/memory-plan.js";
import { RELATIONS } from "../src/config/relations.js";
import { isSetting, type Setting, type Settings } from "../src/config/setting.js";
import { SETTINGS } from "../src/config/settings.js";
import { LocalInfo } from "../src/actors/peer/local-info.js";
import { decodeMessage, encodeMessage } from "../src/protocol/codec/codec.js";
import { KINDS, TEXT_LIMITS } from "../src/protocol/types/message.js";
import { createHarness } from "./actors/support.js";

const MIB = 1024 * 1024;

function refusal(input: unknown): string {
  try {
    resolveConfig(input as NetworkConfigInput);
    return "accepted";
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
}

test("without anything said the defaults hold, and they hold together", (t) => {
  t.deepEqual(resolveConfig(), DEFAULTS);
  t.deepEqual(resolveConfig({}), DEFAULTS);
});

test("any part can be said, and the rest stays", (t) => {
  const config = resolveConfig({ nodeId: "a", lanes: { socketBufferBytes: 65_536 } });
  t.is(config.nodeId, "a");
  t.is(config.lanes.socketBufferBytes, 65_536);
  t.is(config.lanes.windowInitialBytes, DEFAULTS.lanes.windowInitialBytes);
  t.is(config.maxInbound, DEFAULTS.maxInbound);
});

test("what is undefined is not said; lists replace lists", (t) => {
  const seedPeers = ["tcp://10.0.0.1:1"];
  t.deepEqual(resolveConfig({ maxInbound: undefined, seedPeers }), { ...DEFAULTS, seedPeers });
});

test("a configuration can be cloned to a thread and not be changed", (t) => {
  const config = resolveConfig({ seedPeers: ["tcp://10.0.0.1:1"] });
  t.deepEqual(structuredClone(config), config);
  t.throws(() => ((config as { maxInbound: number }).maxInbound = 1));
  t.throws(() => ((config.lanes as { windowMaxBytes: number }).windowMaxBytes = 1));
  t.throws(() => (config.seedPeers as string[]).push("x"));
});

test("a wrong field is refused by its name", (t) => {
  const cases: [unknown, RegExp][] = [
    [{ maxInbound: -1 }, /maxInbound/],
    [{ maxInbound: 1.5 }, /maxInbound/],
    [{ maxInbound: "8" }, /maxInbound/],
    [{ lanes: { windowMaxBytes: null } }, /lanes\.windowMaxBytes/],
    [{ produce: "yes" }, /produce/],
    [{ bindAddr: "" }, /bindAddr/],
    [{ dataDir: "" }, /dataDir/],
    [{ seedPeers: "10.0.0.1:1" }, /seedPeers/],
    [{ seedPeers: [""] }, /seedPeers\.0/],
    [{ trustedPeers: ["AB".repeat(32)] }, /trustedPeers\.0.*64 lower-case hex digits/],
    [{ reputation: { banScore: 0 } }, /reputation\.banScore/],
    [{ requests: { rttFactor: 0.5 } }, /requests\.rttFactor/],
    // What no header came of would have earned nothing divided by it.
    [{ sync: { headersPerSecondMin: 0 } }, /sync\.headersPerSecondMin/],
    [{ sync: { invalidHashesMax: 0 } }, /sync\.invalidHashesMax/],
    [{ sync: { refutedPeersMax: 0 } }, /sync\.refutedPeersMax/],
    [{ sync: { refutedPeersMax: 2 ** 31 } }, /sync\.refutedPeersMax/],
    [{ pool: { taskMsMax: 0 } }, /pool\.taskMsMax/],
    // A listener with OpenSSL sends two session tickets: with less nobody could be dialed.
    [{ tls: { silentRecordsMax: 1 } }, /tls\.silentRecordsMax: .* from 2 to/],
    [{ chain: { reorgBytesMax: 0 } }, /chain\.reorgBytesMax/],
    [{ maxPeers: 8 }, /maxPeers/],
    [{ lanes: { windows: 8 } }, /windows/],
    [null, /invalid/],
  ];
  for (const [input, expected] of cases) {
    const sentence = refusal(input);
    t.regex(sentence, /^CONFIG_INVALID: /, JSON.stringify(input));
    t.regex(sentence, expected);
  }
});

test("each relation between limits is held, and the sentence names what to change", (t) => {
  const cases: [NetworkConfigInput, RegExp][] = [
    [
      { memoryBudgetBytes: MIB },
      /memoryBudgetBytes is 1 MiB, but .* can hold (\d+) MiB: set it to \d+ \(--memory \1\)/,
    ],
    [{ maxInbound: 60_000 }, /memoryBudgetBytes .* or lower maxInbound$/],
    [
      { serve: { repliesQueuedMax: 17 } },
      /lanes\.sendQueueBytesMax must hold .* is 8388608, .* 17/,
    ],
    [{ sync: { headersPerRequest: 31 } }, /sync\.headersPerSecondMin must .* is 32, .* is 31/],
    [{ sync: { headersAheadMax: 100 } }, /sync\.headersPerRequest must be at most .*Max;.* is 100/],
    [{ sync: { rangeBlocksMax: 1_000 }, serve: { itemsMax: 999 } }, /sync\.rangeBlocksMax/],
    [{ sync: { stallMinMs: 64_001 } }, /sync\.stallMinMs must be at most sync\.stallMaxMs/],
    [{ reputation: { banMs: 86_400_001 } }, /reputation\.banMs must be at most/],
    [{ chain: { sideBytesPerPeerMax: 17 * MIB } }, /chain\.sideBytesPerPeerMax/],
    [{ calls: { timeoutMs: 20_000 } }, /calls.timeoutMs must .* below calls.threadTimeoutMs/],
    [{ http: { loopbackReserve: 256 } }, /http.loopbackReserve must be below/],
    [{ lanes: { windowInitialBytes: 2 * MIB, windowMaxBytes: MIB } }, /lanes\.window/],
    [{ requests: { timeoutMinMs: 2, timeoutMaxMs: 1 } }, /requests\.timeoutMinMs/],
    [{ dial: { backoffMinMs: 2, backoffMaxMs: 1 } }, /dial\.backoffMinMs/],
    [{ liveness: { pingIntervalMs: 20_000 } }, /liveness\.pingIntervalMs/],
    [{ reputation: { banScore: -50 } }, /reputation\.banScore/],
    [{ sync: { bytesInFlightMax: 12 * MIB - 1 } }, /sync\.bytesInFlightMax/],
  ];
  for (const [input, expected] of cases) {
    const limited = "memoryBudgetBytes" in input || "maxInbound" in input;
    const sentence = refusal(limited ? input : { memoryBudgetBytes: 2 ** 40, ...input });
    t.regex(sentence, /^CONFIG_INVALID: /, JSON.stringify(input));
    t.regex(sentence, expected);
  }
});

test("a section that is none, and a setting that is none, are refused in our own words", (t) => {
  for (const [input, expected] of [
    [[], /^CONFIG_INVALID: the configuration is invalid: must be an object of settings$/],
    [7, /: must be an object of settings$/],
    [{ sync: [] }, /: sync: must be an object of settings$/],
    [{ sync: 7 }, /: sync: must be an object of settings$/],
    [{ sync: null }, /: sync: must be an object of settings$/],
    [{ sync: "fast" }, /: sync: must be an object of settings$/],
    [{ sink: {} }, /: there is no setting "sink"$/],
    [{ sync: { "a\nb": 1, c: 2 } }, /: sync: there is no setting "a\\nb"$/],
    [{ ["x".repeat(9_999)]: 1 }, /: there is no setting "x{64}"$/],
  ] as const) {
    t.regex(refusal(input), expected, JSON.stringify(input).slice(0, 80));
  }
});

test("trusted peers fit into the default budget, however many, and into one that is set by a sentence", (t) => {
  for (const dataDir of [null, "/data"]) {
    for (const count of [0, 1, 5, 50, 256]) {
      const trustedPeers = Array.from({ length: count }, (_, at) => `${at}`.padStart(64, "0"));
      const config = resolveConfig({ trustedPeers, dataDir });
      t.true(plannedBytes(config) <= config.memoryBudgetBytes);
      const each = (config.memoryBudgetBytes - DEFAULTS.memoryBudgetBytes) / Math.max(count, 1);
      t.true(count === 0 ? each === 0 : each > 11 * MIB && each < 13 * MIB);
      // As a thread does with what its host has completed.
      t.deepEqual(resolveConfig(config), config);
    }
  }
  const trustedPeers = Array.from({ length: 50 }, (_, at) => `${at}`.padStart(64, "0"));
  t.regex(
    refusal({ trustedPeers, memoryBudgetBytes: DEFAULTS.memoryBudgetBytes }),
    /memoryBudgetBytes is 1216 MiB, .* \(--memory \d+\), or lower trustedPeers$/,
  );
});

test("a budget that is set has as many places for peers that may be trusted as fit", (t) => {
  const { trustedMax } = DEFAULTS;
  t.true(trustedMax > 0);
  t.is(resolveConfig({ memoryBudgetBytes: 2 ** 40 }).trustedMax, trustedMax);
  const fits = plannedBytes({ ...DEFAULTS, trustedMax: 2 });
  t.is(resolveConfig({ memoryBudgetBytes: fits }).trustedMax, 2);
  t.is(resolveConfig({ memoryBudgetBytes: fits - 1 }).trustedMax, 1);
  t.regex(
    refusal({ memoryBudgetBytes: fits, trustedMax: 5 }),
    /--memory \d+\), or lower trustedMax$/,
  );
});

test("limits that exceed the budget are answered with those that were raised, the worst first", (t) => {
  const alone = { chain: { sideBytesMax: 4_096 * MIB } };
  t.regex(refusal(alone), /--memory \d+\), or lower chain\.sideBytesMax$/);
  const both = {
    mempool: { bytesMax: 1_024 * MIB },
    inbound: { closingMax: 1_000, pendingMax: 65 },
  };
  t.regex(
    refusal(both),
    /, or lower mempool\.bytesMax, inbound\.closingMax or inbound\.pendingMax$/,
  );
  const none = { memoryBudgetBytes: MIB };
  t.regex(refusal(none), /, or lower maxInbound, mempool\.bytesMax or sync\.bytesInFlightMax$/);
});

function settings(entry: Settings = SETTINGS, prefix = ""): [string, Setting][] {
  return Object.entries(entry).flatMap<[string, Setting]>(([name, inner]) =>
    isSetting(inner) ? [[prefix + name, inner]] : settings(inner, `${prefix}${name}.`),
  );
}

/** The part of a configuration that says this of one setting. */
function saying(path: string, value: unknown): unknown {
  return path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

test("every setting has a text of its own, and its default is allowed", (t) => {
  const texts = settings().map(([, { text }]) => text);
  t.is(new Set(texts).size, texts.length);
  for (const text of texts) t.regex(text, /^[A-Z].{8,}[.]$/s);
  t.true(settings().length > 90);
});

test("every number has a least and a most: what is beyond, or none, is refused by name", (t) => {
  for (const [path, setting] of settings()) {
    if (setting.kind !== "number") continue;
    const { min, max } = setting;
    t.true(min <= setting.default && setting.default <= max, path);
    const wrong = [min - 1, max + 1, max * 2 + 2, NaN, Infinity, "1", null, []];
    for (const value of [...wrong, ...(setting.fractions === true ? [] : [min + 0.5])]) {
      const sentence = refusal(saying(path, value));
      t.regex(sentence, /^CONFIG_INVALID: .* must be a (whole )?number .*from /);
      t.true(sentence.includes(`${path}:`), sentence);
    }
  }
});

test("no time is longer than a timer can wait, but for what no timer waits for", (t) => {
  const times = settings().flatMap(([path, setting]) =>
    setting.kind === "number" && setting.unit === "ms" && setting.max > 2 ** 31 - 1 ? [path] : [],
  );
  t.deepEqual(times, [
    "control.awayMs",
    "control.awayMaxMs",
    "reputation.halfLifeMs",
    "reputation.banMs",
    "reputation.banMaxMs",
    "reputation.operatorBanMs",
    "reputation.operatorBanMaxMs",
    "dial.rememberedMs",
  ]);
});

test("each relation names settings that exist, and the defaults keep all of them", (t) => {
  const names = new Set(settings().map(([path]) => path));
  for (const { settings: named, sentence, holds } of RELATIONS) {
    t.true(holds(DEFAULTS), sentence);
    for (const path of named) t.true(names.has(path) && sentence.includes(path), path);
    t.true(sentence.startsWith(`${named[0]} must `), sentence);
  }
});

// ---- what the handshake carries --------------------------------------------------------------

/** The handshake that a node of this configuration opens with. */
function handshakeOf(config: NetworkConfigInput) {
  return { kind: "Handshake", ...new LocalInfo(createHarness({ config }).env).info } as const;
}

test("a label or an address that the handshake cannot carry is refused", (t) => {
  const { nodeIdBytesMax, addressBytesMax } = TEXT_LIMITS;
  t.is(refusal({ nodeId: "n".repeat(nodeIdBytesMax) }), "accepted");
  t.regex(refusal({ nodeId: "n".repeat(nodeIdBytesMax + 1) }), /nodeId: must be at most 64 bytes/);
  // 33 characters, 66 bytes.
  t.regex(refusal({ nodeId: "é".repeat(33) }), /nodeId/);
  for (const control of ["\n", "\u0000", "\u001b[31m", "\u009f"]) {
    t.regex(refusal({ nodeId: `node${control}` }), /nodeId.*control characters/);
  }
  // Half of a surrogate pair, as JSON can say it, has no UTF-8.
  t.regex(refusal({ nodeId: JSON.parse('"\\ud83d"') as string }), /nodeId: must be .* UTF-8/);
  t.is(refusal({ nodeId: "\ud83d\ude00" }), "accepted");
  const host = (length: number): string => `${"a".repeat(length - 5)}:8765`;
  t.is(refusal({ bindAddr: host(addressBytesMax) }), "accepted");
  t.regex(refusal({ bindAddr: host(addressBytesMax + 1) }), /bindAddr\.0: must be 1 to 128 bytes/);
});

test("serving rates fit their four bytes, and are not nothing", (t) => {
  for (const kind of ["blocks", "headers", "transactions"]) {
    for (const field of [`${kind}PerSecond`, `${kind}Burst`]) {
      t.is(refusal({ serve: { [field]: 2 ** 32 - 1 } }), "accepted");
      t.regex(refusal({ serve: { [field]: 2 ** 32 } }), new RegExp(`serve\\.${field}`));
      t.regex(refusal({ serve: { [field]: 0 } }), new RegExp(`serve\\.${field}`));
    }
  }
});

test("the largest handshake of any configuration fits its message", (t) => {
  const most = 2 ** 32 - 1;
  const serve = {
    blocksPerSecond: most,
    blocksBurst: most,
    headersPerSecond: most,
    headersBurst: most,
    transactionsPerSecond: most,
    transactionsBurst: most,
  };
  const message = handshakeOf({ nodeId: "é".repeat(32), bindAddr: "a".repeat(128), serve });
  const payload = encodeMessage(message);
  t.true(payload.length <= KINDS.Handshake.payloadBytesMax / 2);
  const decoded = decodeMessage("Handshake", payload);
  t.deepEqual(decoded.ok && decoded.message, message);
});

test("whatever label is accepted arrives as it was sent", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (nodeId) => {
      if (refusal({ nodeId }) !== "accepted") return;
      const message = handshakeOf({ nodeId });
      const decoded = decodeMessage("Handshake", encodeMessage(message));
      t.deepEqual(decoded.ok && decoded.message, message);
    }),
    { numRuns: 50 },
  );
});
