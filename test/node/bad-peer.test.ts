import test from "ava";
import type { HeaderFields } from "../../src/chain/header.js";
import type { HeaderSummary, RuleName } from "../../src/types/chain.js";
import {
  makeBlock,
  makeKey,
  makeTransaction,
  testParams,
  type MadeBlock,
  type MakeBlockOptions,
} from "../support/chain.js";
import { nextEvent, reaches, startTestNode, storeOf } from "./nodes.js";

const key = makeKey(1);
const COMMON = 6;
const HONEST = 10;
const BAD = 14;

function transactionsAt(height: number): Uint8Array[] {
  return [makeTransaction(key, 2 * height), makeTransaction(key, 2 * height + 1)];
}

function extend(chain: readonly MadeBlock[], options: MakeBlockOptions = {}): MadeBlock {
  const parent = chain.at(-1)?.header;
  const transactions = transactionsAt(chain.length + 1);
  return makeBlock({ transactions, ...(parent === undefined ? {} : { parent }), ...options });
}

function chainOf(length: number, start: readonly MadeBlock[] = []): MadeBlock[] {
  const chain = [...start];
  while (chain.length < length) chain.push(extend(chain));
  return chain;
}

const common = chainOf(COMMON);
const honest = chainOf(HONEST, common);

/** How to break one rule in the block above `parent`, which is otherwise valid. */
type Break = (parent: HeaderSummary) => MakeBlockOptions;
const breaks: { [R in RuleName]?: Break } = {
  signature: () => {
    const [good, other] = transactionsAt(COMMON + 1) as [Uint8Array, Uint8Array];
    const forged = other.slice();
    forged[forged.length - 1]! ^= 1;
    return { transactions: [good, forged] };
  },
  nonce: () => ({ transactions: [makeTransaction(key, 3)] }),
  root: () => fields({ transactionRoot: new Uint8Array(32) }),
  "proof-of-work": () => ({ sealed: false }),
  link: () => fields({ previousHash: "11".repeat(32) }),
  time: (parent) => fields({ timestampMs: parent.timestampMs }),
  difficulty: (parent) =>
    fields({ difficulty: 17n, totalDifficulty: parent.totalDifficulty + 17n }),
  "total-difficulty": (parent) => fields({ totalDifficulty: parent.totalDifficulty + 1_000n }),
  size: () => ({ transactions: largeTransactions() }),
};

function fields(changed: Partial<HeaderFields>): MakeBlockOptions {
  return { fields: changed };
}

/** More than a block may hold, less than a message may carry. */
function largeTransactions(): Uint8Array[] {
  const transactions: Uint8Array[] = [];
  let left = testParams.blockBytesMax;
  for (let nonce = 100; left > 0; nonce++) {
    const data = new Uint8Array(Math.min(left, testParams.transactionDataBytesMax));
    const transaction = makeTransaction(key, nonce, { data });
    transactions.push(transaction);
    left -= transaction.length;
  }
  return transactions;
}

for (const [rule, breaking] of Object.entries(breaks) as [RuleName, Break][]) {
  test(`a block that breaks the rule of ${rule} is refused by name, and sync ends elsewhere`, async (t) => {
    const bad = extend(common, breaking(common.at(-1)!.header));
    // Valid blocks on top make it the heaviest chain on offer.
    const chain = chainOf(BAD, [...common, bad]);
    const bindAddr = "tcp://127.0.0.1:0";
    const evil = await startTestNode(t, { bindAddr }, { blockStore: await storeOf(chain) });
    const good = await startTestNode(t, { bindAddr }, { blockStore: await storeOf(honest) });
    const node = await startTestNode(t);

    const rejected = nextEvent(node, "BlockRejected");
    const banned = nextEvent(node, "PeerBanned");
    void node.connect(evil.listenAddress!);
    const { rule: named, peerId, hash } = await rejected;
    t.is(named, rule);
    t.is(peerId, evil.peerId);
    t.is(hash, bad.header.hash);
    t.is((await banned).peerId, evil.peerId);
    t.true(node.head().height <= COMMON);

    void node.connect(good.listenAddress!);
    await reaches(node, honest.at(-1)!.header.hash);
    const { entries } = await node.explainPeer(evil.peerId);
    t.true(entries.some((entry) => entry.event === "InvalidBlock" && entry.rule === rule));
    t.is(node.block(bad.header.hash), undefined);
  });
}

test("with a bad and a good peer at once the node ends on the good chain", async (t) => {
  const bad = extend(common, breaks.signature!(common.at(-1)!.header));
  const bindAddr = "tcp://127.0.0.1:0";
  const chain = chainOf(BAD, [...common, bad]);
  const evil = await startTestNode(t, { bindAddr }, { blockStore: await storeOf(chain) });
  const good = await startTestNode(t, { bindAddr }, { blockStore: await storeOf(honest) });
  const seedPeers = [evil.listenAddress!, good.listenAddress!];
  const node = await startTestNode(t, { seedPeers });
  const banned = nextEvent(node, "PeerBanned");
  await reaches(node, honest.at(-1)!.header.hash);
  await banned;
  t.deepEqual(
    (await node.bans()).map(({ peerId }) => peerId),
    [evil.peerId],
  );
});
