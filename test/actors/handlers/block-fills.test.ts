import test from "ava";
import { concatBytes } from "../../../src/bytes/compare.js";
import { sha256 } from "../../../src/bytes/sha256.js";
import { BlockFills, type PushOrigin } from "../../../src/actors/handlers/block-fills.js";
import type { PeerHandlerMessage } from "../../../src/actors/peer/peer-handler-messages.js";
import { compactBlock } from "../../../src/protocol/kinds/compact-form.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { makeBlock, makeKey, makeTransaction, transactionId } from "../../support/chain.js";

const TRANSACTIONS = [0, 1, 2, 3, 4].map((index) => makeTransaction(makeKey(index), 0));
const IDS = concatBytes(TRANSACTIONS.map((each) => sha256(each)));

const blockOf = (number: number) =>
  makeBlock({ transactions: TRANSACTIONS, fields: { extra: Uint8Array.of(number) } });

function originOf(peer: string): PushOrigin {
  const from = { path: `/peers/${peer}`, tell: () => true } as ActorRef<PeerHandlerMessage>;
  return { peerId: peer, from, fetchedBytes: 0 };
}

function partsOf(number: number, peer: string, prefilled: readonly number[] = []) {
  const { header, headerBytes } = blockOf(number);
  const parts = { header: headerBytes, transactions: TRANSACTIONS };
  const message = compactBlock(parts, IDS, 1n, prefilled)!;
  return { header, message, origin: originOf(peer) };
}

const waiting = (index: number) => ({
  id: transactionId(TRANSACTIONS[index]!),
  bytes: TRANSACTIONS[index]!,
});

test("places of what is prefilled, found and asked for come together in the order of the block", (t) => {
  const fills = new BlockFills();
  const tag = fills.begin(partsOf(1, "a", [1]))!;
  const fill = fills.get(tag)!;
  // The short ids are those of 0, 2, 3 and 4.
  fill.found([waiting(0), undefined, waiting(3), undefined]);
  t.deepEqual(fill.lacked, [2, 4]);
  const { hash } = fill.header;
  t.is(fills.request(hash, "/peers/b", 9), undefined, "it sent no form of it");
  t.deepEqual(fills.request(hash, "/peers/a", 9)?.indexes, [2, 4]);
  t.is(fills.requestEnded(9), tag);
  t.is(fills.requestEnded(9), undefined);
  t.false(fill.answered([TRANSACTIONS[4]!, TRANSACTIONS[2]!]));
  t.false(fill.answered([TRANSACTIONS[2]!]));
  t.true(fill.answered([TRANSACTIONS[2]!, TRANSACTIONS[4]!]));
  t.deepEqual(fill.transactions, TRANSACTIONS);
  t.deepEqual(fill.ids, IDS);
});

test("one peer has few at a time, one block has few, and no peer two of one block", (t) => {
  const fills = new BlockFills();
  const isTaken = (number: number, peer: string) =>
    fills.begin(partsOf(number, peer)) !== undefined;
  t.deepEqual([isTaken(1, "a"), isTaken(1, "a")], [true, false]);
  t.deepEqual([isTaken(2, "a"), isTaken(3, "a")], [true, false]);
  t.deepEqual([isTaken(1, "b"), isTaken(1, "c"), isTaken(1, "d")], [true, true, false]);
  t.deepEqual([isTaken(4, "d"), isTaken(5, "d"), isTaken(6, "e")], [true, true, true]);
  t.deepEqual([isTaken(7, "e"), isTaken(8, "f")], [true, false], "eight in all");
  fills.invariants();
});

test("what waits for a block that nobody wants any more is over", (t) => {
  const fills = new BlockFills();
  const tag = fills.begin(partsOf(1, "a"))!;
  fills.prune(() => false);
  t.not(fills.get(tag), undefined, "the mempool is being asked");
  const fill = fills.get(tag)!;
  fill.found([0, 1, 2, 3].map(waiting));
  fills.request(fill.header.hash, "/peers/a", 5);
  fills.prune(() => false);
  t.is(fills.get(tag), undefined);
  t.is(fills.requestEnded(5), undefined);
  fills.atRest();
});
