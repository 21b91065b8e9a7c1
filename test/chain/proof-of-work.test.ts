import test from "ava";
import fc from "fast-check";
import { sha256Hex } from "../../src/bytes/sha256.js";
import { encodeHeader, readHeader } from "../../src/chain/header.js";
import {
  meetsDifficulty,
  NONCE_MIN,
  nextDifficulty,
  sealHeader,
} from "../../src/chain/proof-of-work.js";
import { makeBlock } from "../support/chain.js";

const params = { minDifficulty: 16n, targetIntervalMs: 2_000 };
const UNIT_MS = 1_386;

test("a hash meets a difficulty when their product is below 2^256", (t) => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const difficulty = fc.oneof(fc.bigInt(1n, 300n), fc.bigInt(1n, 2n ** 64n - 1n));
  const property = fc.property(hash, difficulty, fc.nat(8), (bytes, work, zeros) => {
    bytes.fill(0, 0, zeros);
    const hex = Buffer.from(bytes).toString("hex");
    t.is(meetsDifficulty(hex, work), BigInt(`0x${hex}`) * work < 2n ** 256n);
  });
  t.notThrows(() => fc.assert(property, { numRuns: 500 }));
  t.true(meetsDifficulty("ff".repeat(32), 1n));
  t.true(meetsDifficulty(`7f${"ff".repeat(31)}`, 2n));
  t.false(meetsDifficulty(`80${"00".repeat(31)}`, 2n));
  t.false(meetsDifficulty("00".repeat(32), 0n));
});

test("the difficulty follows the time since the parent, step by step", (t) => {
  const parent = { difficulty: 2_048_000n, timestampMs: 50_000 };
  const after = (ms: number) => nextDifficulty(parent, 50_000 + ms, params);
  t.is(after(1), 2_049_000n);
  t.is(after(UNIT_MS - 1), 2_049_000n);
  t.is(after(UNIT_MS), 2_048_000n);
  t.is(after(2_000), 2_048_000n, "a block on time changes nothing");
  t.is(after(2 * UNIT_MS), 2_047_000n);
  t.is(after(100 * UNIT_MS), 2_048_000n - 99_000n);
  t.is(after(10_000_000), 2_048_000n - 99_000n, "at most 99 steps down");
});

test("the difficulty never falls under the minimum and small ones move too", (t) => {
  const parent = { difficulty: 16n, timestampMs: 0 };
  t.is(nextDifficulty(parent, 1, params), 17n);
  t.is(nextDifficulty(parent, 1_000_000, params), 16n);
  const property = fc.property(
    fc.bigInt(16n, 2n ** 63n),
    fc.integer({ min: 1, max: 10_000_000 }),
    fc.integer({ min: 1, max: 10_000_000 }),
    (difficulty, a, b) => {
      const at = (ms: number) => nextDifficulty({ difficulty, timestampMs: 0 }, ms, params);
      const [early, late] = a < b ? [at(a), at(b)] : [at(b), at(a)];
      t.true(early >= late, "later is never harder");
      t.true(late >= 16n);
      t.true(early <= difficulty + (difficulty / 2048n || 1n));
    },
  );
  t.notThrows(() => fc.assert(property));
});

test("exponential block times at the target balance the difficulty", (t) => {
  // The expected step at mean interval m is 1 - 1 / (e^(unit / m) - 1): 0 where m is the target.
  const expected = (meanMs: number) => 1 - 1 / (Math.exp(UNIT_MS / meanMs) - 1);
  t.true(Math.abs(expected(params.targetIntervalMs)) < 0.01);
  t.true(expected(1_000) > 0.5 && expected(4_000) < -0.5);
});

test("a sealed header differs in its nonce alone and meets its difficulty", (t) => {
  const { headerBytes } = makeBlock({ sealed: false });
  const before = readHeader(headerBytes);
  const sealed = sealHeader(headerBytes, 0n, 100_000);
  t.truthy(sealed);
  const after = readHeader(sealed!);
  t.true(before.ok && after.ok);
  if (!before.ok || !after.ok) return;
  t.true(meetsDifficulty(after.value.hash, after.value.difficulty));
  t.false(meetsDifficulty(before.value.hash, before.value.difficulty));
  t.deepEqual(sealed, encodeHeader({ ...before.value, nonce: after.value.nonce }));
  t.true(after.value.nonce >= NONCE_MIN);
});

test("the search is the plain one, and goes on where it stopped", (t) => {
  const { headerBytes } = makeBlock({ sealed: false });
  const read = readHeader(headerBytes);
  if (!read.ok) return t.fail();
  const fields = { ...read.value, difficulty: 40n };
  // A nonce of another width than the search's must not matter.
  const unsealed = encodeHeader({ ...fields, nonce: 0n });
  const start = 2n ** 32n - 5n; // the low half of the nonce overflows on the way
  const expected: string[] = [];
  for (let i = 0n; i < 200n; i++) {
    const candidate = encodeHeader({ ...fields, nonce: NONCE_MIN + start + i });
    if (meetsDifficulty(sha256Hex(candidate), 40n)) expected.push(sha256Hex(candidate));
  }
  const found: string[] = [];
  for (let next = start; next < start + 200n;) {
    const sealed = sealHeader(unsealed, next, Number(start + 200n - next));
    if (sealed === undefined) break;
    found.push(sha256Hex(sealed));
    const hit = readHeader(sealed);
    if (!hit.ok) return t.fail();
    next = hit.value.nonce - NONCE_MIN + 1n;
  }
  t.true(expected.length > 1);
  t.deepEqual(found, expected);
  t.is(sealHeader(unsealed, start, 0), undefined);
  return undefined;
});

test("the search ends with the nonces and refuses what it cannot seal", (t) => {
  const { headerBytes } = makeBlock({ fields: { difficulty: 2n ** 64n - 1n }, sealed: false });
  t.is(sealHeader(headerBytes, 2n ** 64n - NONCE_MIN - 3n, 100), undefined);
  t.is(sealHeader(headerBytes, 2n ** 64n, 100), undefined);
  t.is(sealHeader(headerBytes, 0n, 0), undefined);
  t.throws(() => sealHeader(new Uint8Array(9), 0n, 1), { message: /well-formed/ });
});
