// What every implementation of WorkerPool does alike: run by the tests of each.

import type { ExecutionContext, SerialFn, TestFn } from "ava";
import { packBytes, packedItem } from "../../src/bytes/packed.js";
import { toHex } from "../../src/bytes/hex.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { createPowRules, powRulesModule } from "../../src/chain/rules.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import type { RulesModule } from "../../src/types/chain.js";
import { isCoded } from "../../src/errors.js";
import type { BlocksVerdict, WorkerPool } from "../../src/ports.js";
import { KINDS } from "../../src/protocol/types/message.js";
import { messageFromItems } from "../../src/protocol/codec/codec.js";
import { encodeCbor } from "../../src/bytes/cbor.js";
import {
  encodeForeignBlock,
  encodeForeignTransaction,
  foreignHash,
  foreignRulesModule,
} from "../support/foreign-rules.js";
import {
  NOW_MS,
  TEST_PARAMS,
  brokenBlocks,
  buildChain,
  forged,
  packBlocks,
  summaryOf,
  testTransaction,
} from "../support/pow-blocks.js";
import { Trap } from "../support/trap-rules.js";

/** Opens the implementation with these rules; the contract closes it. */
export type OpenPool = (rules: RulesModule) => Promise<WorkerPool>;

const POW = powRulesModule(TEST_PARAMS);
const chain = buildChain(4, 6);

export function workerPoolContract(test: TestFn | SerialFn, name: string, open: OpenPool): void {
  const scenario = (
    title: string,
    run: (t: ExecutionContext, pool: WorkerPool) => Promise<void>,
    rules: RulesModule = POW,
  ): void => {
    test(`${name} ${title}`, async (t) => {
      const pool = await open(rules);
      try {
        await run(t, pool);
      } finally {
        await pool.close();
      }
    });
  };

  scenario("accepts valid blocks with their summaries, ids and effects", async (t, pool) => {
    const verdict = await pool.validateBlocks({
      blocks: packBlocks(chain.blocks),
      parentHeader: chain.genesisHeader,
      nowMs: NOW_MS,
    });
    t.is(verdict.fault, undefined);
    t.is(verdict.accepted.length, chain.blocks.length);
    for (const [i, accepted] of verdict.accepted.entries()) {
      const block = chain.blocks[i]!;
      t.deepEqual(accepted.header, summaryOf(block.header));
      t.deepEqual(accepted.bytes, block.bytes);
      t.is(accepted.transactionCount, 6);
      t.is(
        toHex(accepted.transactionIds),
        block.transactions.map((tx) => toHex(sha256(tx))).join(""),
      );
      t.deepEqual(accepted.effects, effectsOf(block.bytes));
    }
  });

  scenario("names the rule and the place of every broken block", async (t, pool) => {
    const [first, second] = chain.blocks;
    for (const { rule, place, block } of brokenBlocks(first!.header, second!.transactions)) {
      const verdict = await pool.validateBlocks({
        blocks: packBlocks([first!, block, chain.blocks[2]!]),
        parentHeader: chain.genesisHeader,
        nowMs: NOW_MS,
      });
      t.is(verdict.accepted.length, 1);
      t.is(verdict.fault?.rule, rule);
      t.regex(verdict.fault?.detail ?? "", place);
    }
  });

  scenario("accepts headers up to the first that breaks a rule", async (t, pool) => {
    const headers = chain.blocks.map((block) => block.header);
    const job = { parentHeader: chain.genesisHeader, nowMs: NOW_MS };
    const whole = await pool.validateHeaders({ ...job, headers: packBytes(headers) });
    t.deepEqual(whole, { accepted: headers.map(summaryOf) });
    const skipping = packBytes([headers[0]!, headers[2]!]);
    const part = await pool.validateHeaders({ ...job, headers: skipping });
    t.deepEqual(part.accepted, [summaryOf(headers[0]!)]);
    t.is(part.fault?.rule, "link");
  });

  scenario("gives every transaction its own verdict", async (t, pool) => {
    const good = [testTransaction(0, 1), testTransaction(1, 1)];
    const items = [good[0]!, forged(good[1]!), new Uint8Array([1, 2, 3]), good[1]!];
    const verdict = await pool.validateTransactions(packBytes(items));
    t.deepEqual(
      verdict.faults.map(({ index, fault }) => [index, fault.rule]),
      [
        [1, "signature"],
        [2, "encoding"],
      ],
    );
    const none = "00".repeat(64);
    t.is(toHex(verdict.ids), toHex(sha256(good[0]!)) + none + toHex(sha256(good[1]!)));
    for (const [i, item] of items.entries()) {
      t.deepEqual(packedItem(verdict.transactions, i), new Uint8Array(item));
    }
  });

  scenario("finds the items of frames, or says why there are none", async (t, pool) => {
    const headers = chain.blocks.map((block) => block.header);
    const payloads = [encodeCbor([headers]), encodeCbor(["no list"]), new Uint8Array([0xff])];
    const code = KINDS.ResponseHeaders.code;
    const verdict = await pool.decodeFrames({
      kinds: new Uint8Array([code, code, code]),
      payloads: packBytes(payloads),
    });
    const [first, second, third] = verdict.frames;
    t.true(first?.ok);
    if (first?.ok === true) {
      const payload = packedItem(verdict.payloads, 0);
      t.deepEqual(messageFromItems("ResponseHeaders", payload, first.items), {
        kind: "ResponseHeaders",
        headers,
      } as never);
    }
    t.false(second?.ok);
    t.false(third?.ok);
  });

  scenario("seals a header, or runs out of attempts", async (t, pool) => {
    const { header } = chain.blocks[1]!;
    t.is(await pool.seal({ header, nonceStart: 0n, attempts: 0 }), undefined);
    const sealed = await pool.seal({ header, nonceStart: 500n, attempts: 1_000 });
    const parent = summaryOf(chain.blocks[0]!.header);
    t.true(createPowRules(TEST_PARAMS).checkHeader(sealed!, parent, NOW_MS).ok);
  });

  scenario("takes nothing to do as done", async (t, pool) => {
    const nothing = { parentHeader: chain.genesisHeader, nowMs: NOW_MS };
    t.deepEqual(await pool.validateBlocks({ ...nothing, blocks: packBytes([]) }), { accepted: [] });
    const verdict = await pool.validateTransactions(packBytes([]));
    t.is(verdict.ids.length, 0);
  });

  scenario("reads views of larger, pooled and offset buffers", async (t, pool) => {
    const { blocks } = chain;
    const bytes = blocks[0]!.bytes;
    const roomy = new Uint8Array(bytes.length + 4_096);
    roomy.set(bytes);
    const verdict = await pool.validateBlocks({
      blocks: { buffer: roomy.buffer, ends: new Uint32Array([9, bytes.length, 9]).subarray(1, 2) },
      parentHeader: Buffer.from(chain.genesisHeader),
      nowMs: NOW_MS,
    });
    t.is(verdict.accepted.length, 1);
    t.is(roomy.length, bytes.length + 4_096, "what else is in the buffer stays");
    const pooled = Buffer.from(blocks[0]!.transactions[0]!);
    t.true(pooled.byteLength < pooled.buffer.byteLength, "the Buffer is a view of node's pool");
    // Item 0 is whatever lies in node's pool before the transaction.
    const answered = await pool.validateTransactions({
      buffer: pooled.buffer,
      ends: new Uint32Array([pooled.byteOffset, pooled.byteOffset + pooled.byteLength]),
    });
    t.deepEqual(
      answered.faults.map(({ index }) => index),
      [0],
    );
    t.is(toHex(pooled), toHex(blocks[0]!.transactions[0]!), "node's pool is still here");
  });

  scenario("throws for a job that nobody may make", async (t, pool) => {
    const buffer = new ArrayBuffer(8);
    t.throws(() => pool.validateTransactions({ buffer, ends: new Uint32Array([4, 3]) }));
    t.throws(() => pool.validateTransactions({ buffer, ends: new Uint32Array([9]) }));
    structuredClone(buffer, { transfer: [buffer] });
    t.throws(() => pool.validateTransactions({ buffer, ends: new Uint32Array([8]) }));
    await Promise.resolve();
  });

  scenario(
    "validates by rules that are not the project's",
    foreignChain,
    foreignRulesModule(MAGIC),
  );

  test(`${name} loses only the task whose rules throw`, async (t) => {
    const trap = new Trap(TEST_PARAMS);
    const pool = await open(trap.module);
    const submit = (): Promise<BlocksVerdict> =>
      pool.validateBlocks({
        blocks: packBlocks(chain.blocks),
        parentHeader: chain.genesisHeader,
        nowMs: NOW_MS,
      });
    trap.arm("throw", 7);
    const error = await t.throwsAsync(submit());
    t.true(isCoded(error, "WORKER_LOST"));
    t.regex(error?.message ?? "", /trap was sprung/);
    t.is((await submit()).accepted.length, chain.blocks.length);
    await pool.close();
  });

  test(`${name} refuses work once it is closed`, async (t) => {
    const pool = await open(POW);
    await pool.close();
    await pool.close();
    const error = await t.throwsAsync(pool.validateTransactions(packBytes([])));
    t.true(isCoded(error, "STOPPED"));
  });
}

const MAGIC = { magic: 42 };

async function foreignChain(t: ExecutionContext, pool: WorkerPool): Promise<void> {
  const scheme = await loadSignatures();
  const keys = scheme.keyPairFromSeed(new Uint8Array(32).fill(9));
  const transaction = encodeForeignTransaction(keys.publicKey, new Uint8Array(40), (message) =>
    scheme.sign(message, keys.secretKey),
  );
  const genesis = encodeForeignBlock(0, "00".repeat(32), 1, []);
  const first = encodeForeignBlock(1, foreignHash(genesis.header, 42), 2, [transaction]);
  const bad = new Uint8Array(transaction);
  bad[40]! ^= 1;
  const second = encodeForeignBlock(2, foreignHash(first.header, 42), 3, [transaction, bad]);
  const verdict = await pool.validateBlocks({
    blocks: packBytes([first.bytes, second.bytes]),
    parentHeader: genesis.header,
    nowMs: 10,
  });
  t.is(verdict.accepted.length, 1);
  t.is(verdict.accepted[0]?.header.hash, foreignHash(first.header, 42));
  t.is(toHex(verdict.accepted[0]!.effects), toHex(first.header.subarray(42)));
  t.is(toHex(verdict.accepted[0]!.bytes), toHex(first.bytes));
  t.is(verdict.fault?.rule, "signature");
  t.regex(verdict.fault?.detail ?? "", /^transaction 1: /);
}

function effectsOf(block: Uint8Array): Uint8Array {
  const rules = createPowRules(TEST_PARAMS);
  const split = rules.splitBlock(block);
  if (!split.ok) throw new Error("a test's block does not split");
  const transactions = split.value.transactions.map((bytes) => {
    const read = rules.readTransaction(bytes);
    if (!read.ok) throw new Error("a test's transaction does not read");
    return read.value;
  });
  const effects = rules.checkBody(split.value.header, transactions);
  if (!effects.ok) throw new Error("a test's block has no effects");
  return effects.value;
}
