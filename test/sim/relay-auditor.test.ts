import test from "ava";
import { Dealt } from "../../src/actors/peer/dealt.js";
import type { Message } from "../../src/protocol/types/message.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { encodeMessage } from "../../src/protocol/codec/codec.js";
import { BlockBookWriter, type BookBlock } from "../../src/sim/block-book.js";
import { Population } from "../../src/sim/byzantine/population.js";
import { RelayAuditor, type BlameReport } from "../../src/sim/relay-auditor.js";
import { createWorld } from "../../src/sim/index.js";
import { seededRandom } from "../../src/runtime/random.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import { createMemoryNetwork } from "../../src/transport/memory.js";
import { makeBlock, makeChain, testParams } from "../support/chain.js";

const HANDLER = "/n3/network/registry/peer-12";
const consensus = createPowConsensus(testParams);
const [genesis, one, two] = [makeBlock(), ...makeChain(2, { parent: makeBlock().header })];
const stranger = makeBlock({ fields: { extra: Uint8Array.of(1) } });

/** A book of three blocks, of which the last was stored and never connected. */
function audited() {
  const reports: string[] = [];
  const blames: string[] = [];
  const first = { ...genesis, parent: undefined };
  const book = new BlockBookWriter<BookBlock>(consensus, first);
  const second = { ...one!, parent: first };
  book.put(second);
  book.connected(second);
  book.put({ ...two!, parent: second });
  const auditor = new RelayAuditor({
    book,
    rules: consensus.rules,
    report: (sentence) => void reports.push(sentence),
    onBlame: (node, { event }) => void blames.push(`${node} ${event}`),
  });
  return { auditor, blames, book, reports };
}

const announce = ({ header }: typeof stranger, height = header.height) => ({
  type: "Send",
  message: {
    kind: "AnnounceBlock",
    height: BigInt(height),
    hash: header.hash,
    totalDifficulty: header.totalDifficulty,
  },
});

function answered(value: Message): Dealt {
  const dealt = new Dealt(
    { lane: "sync", bytes: 0, requestId: 1 },
    { handedBytes: 0, dealt: () => undefined },
    0,
  );
  dealt.tell(value);
  return dealt;
}

test("whatever is in the book and connected may be sent", (t) => {
  const { auditor, book, reports } = audited();
  const { bytes, headerBytes } = one!;
  const payload = encodeMessage({ kind: "NewBlock", block: bytes });
  for (const message of [
    announce(one!),
    { type: "SendEncoded", kind: "NewBlock", payload },
    answered({ kind: "ResponseBlock", block: bytes }),
    answered({ kind: "ResponseBlock", block: two!.bytes }),
    answered({ kind: "ResponseBlockRange", blocks: [bytes] }),
    answered({ kind: "ResponseHeaders", headers: [headerBytes] }),
    { type: "Send", message: { kind: "Ping", nonce: 1n } },
  ]) {
    auditor.see(HANDLER, message);
  }
  t.deepEqual(reports, []);
  t.is(auditor.relayedCount, 6);
  t.is(book.best.header.hash, one!.header.hash);
  t.is(book.at(one!.header.height)?.header.hash, one!.header.hash);
});

test("what the book does not know, or not so, is a violation by the name of its sender", (t) => {
  const spoiled = one!.bytes.slice();
  spoiled[spoiled.length - 1]! ^= 1;
  const unknown = /^n3 sent block [0-9a-f]{64} as \w+: no node stored it$/;
  const payload = encodeMessage({ kind: "NewBlock", block: stranger.bytes });
  const headers = [stranger.headerBytes];
  const cases: [unknown, RegExp][] = [
    [announce(stranger), unknown],
    [announce(one!, 7), /as AnnounceBlock: its height is another/],
    [announce(two!), /as AnnounceBlock: no node connected it/],
    [{ type: "SendEncoded", kind: "NewBlock", payload }, unknown],
    [answered({ kind: "ResponseHeaders", headers }), unknown],
    [answered({ kind: "ResponseBlockRange", blocks: [two!.bytes] }), /connected/],
    [answered({ kind: "ResponseBlock", block: spoiled }), /encoding|its bytes are not those/],
  ];
  for (const [message, expected] of cases) {
    const { auditor, reports } = audited();
    auditor.see(HANDLER, message);
    t.is(reports.length, 1);
    t.regex(reports[0]!, expected);
  }
});

const passedOn = (header: Uint8Array) => ({
  type: "Send",
  message: { kind: "CompactBlock", header, nonce: 1n, shortIds: new Uint8Array(), prefilled: [] },
});

test("a compact block may be sent before any node stored it, if its header is valid", (t) => {
  const { auditor, reports } = audited();
  auditor.see(HANDLER, passedOn(makeBlock({ parent: one!.header }).headerBytes));
  t.deepEqual(reports, []);
  const cases: [Uint8Array, RegExp][] = [
    [makeBlock({ parent: one!.header, sealed: false }).headerBytes, /misses difficulty/],
    [makeBlock({ parent: two!.header }).headerBytes, /no node connected its parent/],
    [makeBlock({ parent: stranger.header }).headerBytes, /no node connected its parent/],
    [Uint8Array.of(1), /as CompactBlock/],
  ];
  for (const [header] of cases) auditor.see(HANDLER, passedOn(header));
  t.is(reports.length, cases.length);
  for (const [index, [, expected]] of cases.entries()) t.regex(reports[index]!, expected);
});

test("it passes on whom a node blames, and looks at no other actor's messages", (t) => {
  const { auditor, blames, reports } = audited();
  const report = { type: "Report", peerId: "p", event: "InvalidBlock", detail: "" };
  auditor.see("/n3/network/reputation", report);
  auditor.see("/n3/network/registry", report);
  auditor.see("/n3/network/registry", announce(stranger));
  auditor.see(HANDLER, "a signal");
  t.deepEqual(blames, ["n3 InvalidBlock"]);
  t.deepEqual(reports, []);
});

test("a ban or a proven offence of an honest node is a violation, slowness is not", (t) => {
  const violations: string[] = [];
  const clock = new VirtualClock();
  const world = createWorld({ seed: 1, nodes: 1 });
  const random = seededRandom(1);
  const population = new Population({
    scripts: [],
    addressOf: (name) => `memory://${name}:1`,
    links: createMemoryNetwork({ clock, random, latencyMs: 1 }),
    around: {
      book: audited().book,
      chain: world.chain,
      signatures: world.signatures,
      clock,
      targets: [],
    },
    random,
    windowBytes: 65_536,
    honest: new Map([["id", "n1"]]),
    violated: (sentence) => void violations.push(sentence),
  });
  const blame = (event: BlameReport["event"], peerId = "id"): void =>
    population.blamed("n0", { type: "Report", peerId, event, detail: "why" });
  blame("Timeout");
  blame("GoodBlock");
  blame("InvalidBlock", "somebody");
  t.deepEqual(violations, []);
  blame("InvalidBlock");
  const ban = {
    type: "PeerBanned",
    peerId: "id",
    untilWallMs: 1,
    reason: "why",
    count: 1,
  } as const;
  population.banned("n0", ban);
  t.deepEqual(violations, [
    "n0 blames n1, which is honest: InvalidBlock: why",
    "n0 banned n1, which is honest: why",
  ]);
  t.deepEqual(population.bans, []);
});
