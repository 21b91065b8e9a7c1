// Holds pool threads and the inline executor together: whatever the bytes, however they are cut
// into batches, with the signature cache or without it, both say exactly the same.

import test from "ava";
import fc from "fast-check";
import { packBytes, packedItems } from "../../src/bytes/packed.js";
import { createPowRules } from "../../src/chain/rules.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import type { Fault } from "../../src/types/chain.js";
import { isCoded } from "../../src/errors.js";
import type { WorkerPool } from "../../src/ports.js";
import { KINDS, MESSAGE_KINDS } from "../../src/protocol/types/message.js";
import { createInlineExecutor } from "../../src/workers/inline-executor.js";
import { openSignatureCache } from "../../src/workers/signature-cache.js";
import { openTestPool, testCache } from "./open-pool.js";
import { NOW_MS, TEST_PARAMS, brokenBlocks, buildChain } from "../support/pow-blocks.js";
import { Trap } from "../support/trap-rules.js";

const BLOCKS = 6;
const chain = buildChain(BLOCKS, 5);
const valid = chain.blocks.map((block) => block.bytes as Uint8Array);
const broken = chain.blocks.map((block, i) => {
  const parent = i === 0 ? chain.genesisHeader : chain.blocks[i - 1]!.header;
  return brokenBlocks(parent, block.transactions).map((entry) => entry.block.bytes);
});
const rules = createPowRules(TEST_PARAMS);
const { verify } = await loadSignatures();
const trap = new Trap(TEST_PARAMS);

// Few entries, so that ids are also pushed out again while it is used.
const pools: readonly WorkerPool[] = [
  createInlineExecutor({ rules, verify }),
  createInlineExecutor({ rules, verify, signatureCache: openSignatureCache(testCache(16)) }),
  await openTestPool({ threads: 2 }),
  await openTestPool({ threads: 2, signatureCache: testCache(16) }),
];
const mortal = await openTestPool({ rulesModule: trap.module, signatureCache: testCache(16) });

test.after.always(async () => {
  await Promise.all([...pools, mortal].map((pool) => pool.close()));
});

/** What is done to the chain: one block replaced, cut short, or with one byte changed. */
const damage = fc.record({
  at: fc.nat({ max: BLOCKS - 1 }),
  kind: fc.constantFrom("none", "rule", "byte", "cut", "noise"),
  position: fc.nat({ max: 10_000 }),
  noise: fc.uint8Array({ maxLength: 64 }),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged({ at, kind, position, noise }: Damage): Uint8Array[] {
  const blocks = [...valid];
  const bytes = new Uint8Array(blocks[at]!);
  const offset = position % bytes.length;
  if (kind === "byte") bytes[offset]! ^= 1 + (position % 255);
  const replacements: Record<Damage["kind"], Uint8Array> = {
    none: bytes,
    byte: bytes,
    rule: broken[at]![position % broken[at]!.length]!,
    cut: bytes.slice(0, offset),
    noise,
  };
  blocks[at] = replacements[kind];
  return blocks;
}

interface Outcome {
  readonly accepted: readonly string[];
  readonly fault: Fault | undefined;
}

/** Validates block after block in batches of these sizes, until one has a fault. */
async function validateInBatches(
  pool: WorkerPool,
  blocks: readonly Uint8Array[],
  sizes: readonly number[],
): Promise<Outcome> {
  const accepted: string[] = [];
  let parentHeader = chain.genesisHeader;
  for (let batch = 0; accepted.length < blocks.length; batch++) {
    const size = sizes[batch % sizes.length]!;
    const part = blocks.slice(accepted.length, accepted.length + size);
    const job = { blocks: packBytes(part), parentHeader, nowMs: NOW_MS };
    const verdict = await pool.validateBlocks(job);
    accepted.push(...verdict.accepted.map(text));
    if (verdict.fault !== undefined) return { accepted, fault: verdict.fault };
    parentHeader = chain.blocks[accepted.length - 1]!.header;
  }
  return { accepted, fault: undefined };
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint") return `${inner}n`;
    return ArrayBuffer.isView(inner)
      ? Buffer.from(inner.buffer, inner.byteOffset, inner.byteLength).toString("hex")
      : inner;
  });
}

const batchSizes = fc.array(fc.integer({ min: 1, max: BLOCKS }), { minLength: 1, maxLength: 4 });

test("blocks get one verdict, from every executor and in every batching", async (t) => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(damage, batchSizes, async (change, sizes) => {
    const blocks = damaged(change);
    const expected = await validateInBatches(pools[0]!, blocks, [BLOCKS]);
    seen.add(expected.fault?.rule ?? "valid");
    for (const pool of pools) {
      t.deepEqual(await validateInBatches(pool, blocks, sizes), expected);
    }
  });
  await fc.assert(property, { numRuns: 120 });
  // Every rule is also broken once for certain.
  for (const [i, block] of broken[1]!.entries()) {
    const blocks = [valid[0]!, block];
    const expected = await validateInBatches(pools[0]!, blocks, [2]);
    seen.add(expected.fault!.rule);
    for (const pool of pools)
      t.deepEqual(await validateInBatches(pool, blocks, [1]), expected, `${i}`);
  }
  t.deepEqual(
    [...seen].sort(),
    [
      "difficulty",
      "encoding",
      "future",
      "height",
      "link",
      "nonce",
      "proof-of-work",
      "root",
      "signature",
    ].concat(["size", "time", "total-difficulty", "valid"]),
  );
});

test("headers, transactions and frames get one verdict from every executor", async (t) => {
  const items = fc.array(
    fc.oneof(
      damage.map((change) => damaged(change)[change.at]!),
      fc.constantFrom(...chain.blocks.map((block) => block.header as Uint8Array)),
      fc.constantFrom(...chain.blocks.flatMap((block) => block.transactions)),
    ),
    { maxLength: 8 },
  );
  const codes = MESSAGE_KINDS.filter((kind) => KINDS[kind].decode === "pool").map(
    (kind) => KINDS[kind].code,
  );
  const property = fc.asyncProperty(items, fc.nat(), async (payloads, pick) => {
    const kinds = Uint8Array.from(payloads, (_, i) => codes[(pick + i) % codes.length]!);
    const { genesisHeader: parentHeader } = chain;
    const answers = await Promise.all(
      pools.map(async (pool) => [
        await pool.validateHeaders({ headers: packBytes(payloads), parentHeader, nowMs: NOW_MS }),
        await pool.validateTransactions(packBytes(payloads)).then((verdict) => ({
          ...verdict,
          transactions: packedItems(verdict.transactions),
        })),
        await pool
          .decodeFrames({ kinds, payloads: packBytes(payloads) })
          .then((verdict) => ({ ...verdict, payloads: packedItems(verdict.payloads) })),
      ]),
    );
    for (const answer of answers) t.is(text(answer), text(answers[0]));
  });
  await fc.assert(property, { numRuns: 60 });
});

test("work resubmitted after its thread died gets the verdict it would have had", async (t) => {
  const property = fc.asyncProperty(damage, fc.nat({ max: 40 }), async (change, skip) => {
    const blocks = damaged(change);
    const expected = await validateInBatches(pools[0]!, blocks, [BLOCKS]);
    trap.arm("exit", skip);
    const attempt = (): Promise<Outcome> => validateInBatches(mortal, blocks, [BLOCKS]);
    const outcome = await attempt().catch((error: unknown) => {
      t.true(isCoded(error, "WORKER_LOST"));
      return attempt();
    });
    t.deepEqual(outcome, expected);
    trap.release();
  });
  await fc.assert(property, { numRuns: 12 });
});
