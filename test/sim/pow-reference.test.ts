import test from "ava";
import type { BlockParts } from "../../src/types/chain.js";
import { decodeCbor, encodeCbor, type CborValue } from "../../src/bytes/cbor.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { generateChain } from "../../src/chain/generate.js";
import { sealHeader } from "../../src/chain/proof-of-work.js";
import { fastSignatures, SIM_CHAIN, SIM_PARAMS } from "../../src/sim/index.js";
import { PowReference } from "../../src/sim/pow-reference.js";

const LIMITS = { depthMax: 4, itemsMax: 10_000 };
const chainOf = (seed: string, blocks: number) => [
  ...generateChain(
    { params: SIM_PARAMS, blocks, transactionsPerBlock: 3, accounts: 2, seed },
    fastSignatures,
  ),
];
const chain = chainOf("reference", 4);
const wallMs = chain.at(-1)!.header.timestampMs;
const genesis = SIM_CHAIN.consensus.rules;

function reference(): PowReference {
  return new PowReference(SIM_PARAMS, fastSignatures.verify, SIM_CHAIN.consensus.genesis);
}

function list(bytes: Uint8Array): CborValue[] {
  const decoded = decodeCbor(bytes, LIMITS);
  if (!decoded.ok) throw new Error(decoded.detail);
  return [...(decoded.value as readonly CborValue[])];
}

/** The first block with one field of its header changed, sealed again unless told otherwise. */
function withHeader(index: number, value: CborValue, seal = true): Uint8Array {
  const [header, transactions] = list(chain[0]!.bytes) as [Uint8Array, CborValue];
  const fields = list(header);
  fields[index] = value;
  const encoded = encodeCbor(fields);
  return encodeCbor([seal ? sealHeader(encoded, 0n, 100_000)! : encoded, transactions]);
}

test("a generated chain is what the reference says a chain is", (t) => {
  const model = reference();
  let before = genesis.readHeader(list(SIM_CHAIN.consensus.genesis)[0] as Uint8Array);
  for (const { bytes, header } of chain) {
    t.is(model.audit(bytes, wallMs), undefined);
    t.true(before.ok);
    if (before.ok) t.is(model.auditHead(before.value.hash, header.hash), undefined);
    before = { ok: true, value: header };
  }
});

test("a block that breaks one rule is refused for it", (t) => {
  const { height, timestampMs, difficulty, totalDifficulty } = chain[0]!.header;
  const root = new Uint8Array(32);
  for (const [block, wrong] of [
    [withHeader(0, height + 1), /height/],
    [withHeader(1, new Uint8Array(32)), /parent is unknown/],
    [withHeader(2, SIM_PARAMS.genesisTimestampMs), /later/],
    [withHeader(2, wallMs + SIM_PARAMS.maxFutureMs + 1), /future/],
    [withHeader(3, root), /root/],
    [withHeader(5, difficulty + 1n), /difficulty/],
    [withHeader(6, totalDifficulty + 1n), /total/],
    [new Uint8Array([1, 2, 3]), /decoded/],
  ] as const) {
    t.regex(reference().audit(block, wallMs) ?? "nothing", wrong);
  }
  t.is(reference().audit(withHeader(2, timestampMs), wallMs), undefined, "unchanged, it is fine");
});

test("a header without the work and a forged transaction are refused", (t) => {
  for (let extra = 0; extra < 64; extra++) {
    const block = withHeader(8, new Uint8Array([extra]), false);
    const header = list(block)[0] as Uint8Array;
    const digest = Buffer.from(sha256(header)).toString("hex");
    if (BigInt(`0x${digest}`) * chain[0]!.header.difficulty < 1n << 256n) continue;
    t.regex(reference().audit(block, wallMs) ?? "nothing", /too little work/);
    break;
  }
  const [header, transactions] = list(chain[0]!.bytes) as [Uint8Array, Uint8Array[]];
  const forged = transactions.map((bytes) => new Uint8Array(bytes));
  const last = forged[0]!.length - 1;
  forged[0]![last] = forged[0]![last]! ^ 1;
  const block = encodeCbor([header, forged]);
  t.regex(reference().audit(block, wallMs) ?? "nothing", /signature/);
});

test("a head needs more work than the one before it", (t) => {
  const model = reference();
  const other = chainOf("another", 1)[0]!;
  for (const { bytes } of [chain[0]!, other]) t.is(model.audit(bytes, wallMs), undefined);
  t.regex(model.auditHead(chain[0]!.header.hash, other.header.hash) ?? "", /no more work/);
});

test("a nonce that is used again may be stored aside, but nothing on it may be a head", (t) => {
  const model = reference();
  const [first] = chain;
  t.is(model.audit(first!.bytes, wallMs), undefined);
  const transactions = (list(first!.bytes) as [Uint8Array, Uint8Array[]])[1];
  const { consensus } = SIM_CHAIN;
  const parts = consensus.template(first!.header, transactions, wallMs) as BlockParts;
  const sealed = sealHeader(parts.header, 0n, 100_000)!;
  const again = consensus.assemble({ header: sealed, transactions });
  t.is(model.audit(again, wallMs), undefined);
  const hash = Buffer.from(sha256(sealed)).toString("hex");
  t.regex(model.auditHead(first!.header.hash, hash) ?? "", /once more/);
});
