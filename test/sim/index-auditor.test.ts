import test from "ava";
import { IndexAuditor } from "../../src/sim/index-auditor.js";
import type { BookBlock } from "../../src/sim/block-book.js";
import type { ChainRules, HeaderSummary } from "../../src/types/chain.js";

/** Block aN holds the transaction N on the chain, b2 another one beside it. */
const blocks = ["a0", "a1", "a2", "b2"].map((hash) => ({
  header: { hash, height: Number(hash[1]) } as HeaderSummary,
  bytes: Buffer.from(hash),
})) as unknown as BookBlock[];
const book = {
  get: (hash: string) => blocks.find(({ header }) => header.hash === hash),
  blocks: () => blocks,
};
const rules = {
  splitBlock: (bytes: Uint8Array) => ({ ok: true, value: { transactions: [bytes] } }),
  readTransaction: (bytes: Uint8Array) => ({ ok: true, value: { id: bytes } }),
} as unknown as ChainRules;
const auditor = new IndexAuditor(book, rules);
const chain = { head: () => blocks[2]!.header, hashAt: (height: number) => `a${height}` };
const indexOf = (height: number, places: Record<string, string>) => ({
  indexedHeight: () => height,
  locate(id: Uint8Array) {
    const blockHash = places[Buffer.from(id).toString()];
    return blockHash === undefined ? undefined : { blockHash, index: 0 };
  },
});

test("an index that finds every transaction of the chain is right, and one on its way is not judged", (t) => {
  const places = { a0: "a0", a1: "a1", a2: "a2" };
  t.is(auditor.audit({ blocks: chain, transactions: indexOf(2, places) }), undefined);
  t.is(auditor.audit({ blocks: chain, transactions: indexOf(0, { a0: "a0" }) }), undefined);
});

test("a transaction that is not found, or in another block, and an index beyond the chain are told", (t) => {
  const lost = { a0: "a0", a2: "a2" };
  const other = { a0: "a0", a1: "a2", a2: "a2" };
  for (const transactions of [indexOf(2, lost), indexOf(2, other), indexOf(3, {})]) {
    t.is(typeof auditor.audit({ blocks: chain, transactions }), "string");
  }
});

test("an index that stands on a block which the chain left follows it still", (t) => {
  const beside = { ...indexOf(2, {}), indexedHash: () => "b2" };
  t.is(auditor.audit({ blocks: chain, transactions: beside }), undefined);
  const beyond = { ...indexOf(3, {}), indexedHash: () => "a3" };
  t.is(typeof auditor.audit({ blocks: chain, transactions: beyond }), "string");
});

test("it knows what only abandoned blocks hold", (t) => {
  t.deepEqual(auditor.abandoned(chain), [Buffer.from("b2").toString("hex")]);
});
