// Script: blocks in compact form that are not what they say. Their short ids are those of other
// transactions, or what they stand for is not given when it is asked for, or is something else, or the
// block is invalid below its header, which nobody may be blamed for who passed it on.

import { concatBytes } from "../../bytes/compare.js";
import { sha256 } from "../../bytes/sha256.js";
import { splitBlock } from "../../chain/block.js";
import { invariant } from "../../errors.js";
import { compactBlock } from "../../protocol/kinds/compact-form.js";
import { drawNonce } from "../../protocol/short-ids.js";
import type { MessageOf } from "../../protocol/types/message.js";
import type { BookBlock } from "../block-book.js";
import { bestOf, extended, type Served } from "./chain-view.js";
import { BREAKS, mine, pay } from "./forge.js";
import type { Behaviour, ByzantineHost, ByzantineScript } from "./script.js";

const WAYS = ["swapped", "made-up", "silence", "refusal", "others", "invalid"] as const;
export type CompactLie = (typeof WAYS)[number];

/** A rate of blocks that honest producers can overtake. */
const EVERY_TICKS = 4;
const TRANSACTIONS = 3;

export const compactLies: ByzantineScript = compactLiesOf(WAYS);

/** The lie of each block is one of these, by turns. */
export function compactLiesOf(ways: readonly CompactLie[]): ByzantineScript {
  return { name: "compact-lies", behave: (host) => lie(host, ways) };
}

function lie(host: ByzantineHost, ways: readonly CompactLie[]): Behaviour {
  const { book, random } = host;
  let ticks = 0;
  let turn = random.uint32() % ways.length;
  let way = ways[turn]!;
  let chain: Served = bestOf(book);
  return {
    chain: () => chain,
    onMessage(session, message, requestId) {
      if (message.kind !== "GetBlockTransactions") return false;
      if (way === "silence") return true;
      if (way === "refusal") {
        session.send({ kind: "RequestRefused", reason: "NotFound" }, requestId);
        return true;
      }
      if (way !== "others") return false;
      const transactions = message.indexes.map((index) => pay(host, "others", index));
      session.send({ kind: "BlockTransactions", transactions }, requestId);
      return true;
    },
    tick() {
      if (++ticks % EVERY_TICKS !== 0) return;
      way = ways[turn++ % ways.length]!;
      const block = blockFor(host, way);
      // It serves the whole of what is valid: only its compact form lies.
      chain = way === "invalid" ? bestOf(book) : extended(book, [block]);
      const message = formOf(host, block, way);
      for (const session of host.sessions) session.send(message);
    },
  };
}

function blockFor(host: ByzantineHost, way: CompactLie): BookBlock {
  const parent = host.book.best;
  if (way === "invalid") {
    return (host.random.uint32() % 2 === 0 ? BREAKS.signature : BREAKS.nonce)(host, parent);
  }
  const transactions = Array.from({ length: TRANSACTIONS }, (_, index) =>
    pay(host, `${parent.header.hash} ${index}`, 0),
  );
  return mine(host, parent, transactions);
}

function formOf(
  host: ByzantineHost,
  { bytes, headerBytes: header }: BookBlock,
  way: CompactLie,
): MessageOf<"CompactBlock"> {
  const parts = splitBlock(bytes, bytes.length);
  invariant(parts.ok, "a forged block splits");
  const { transactions } = parts.value;
  const listed = way === "swapped" ? transactions.toReversed() : transactions;
  const ids = concatBytes(listed.map((each) => sha256(each)));
  const prefilled = way === "swapped" || way === "invalid" ? [...listed.keys()] : [];
  const form = compactBlock(
    { header, transactions: listed },
    ids,
    drawNonce(host.random),
    prefilled,
  );
  invariant(form !== undefined, "a forged block has a compact form");
  if (way !== "made-up") return form;
  return { ...form, shortIds: host.random.bytes(form.shortIds.length) };
}
