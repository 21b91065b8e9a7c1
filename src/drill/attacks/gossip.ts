// Attacks with blocks and transactions: invalid, endless, or announced and never sent.

import { randomBytes } from "node:crypto";
import { toHex } from "../../bytes/hex.js";
import type { Drill } from "../drill.js";
import {
  blockOn,
  GENESIS,
  PARAMS,
  payment,
  withForgedSignature,
  type DrillBlock,
} from "../drill-chain.js";
import type { Field } from "../field.js";
import { counter, members, pests } from "./blows.js";

const IDS = 1_024;
const BATCH = 16;
const DEAR_BYTES = 4_000;
const DEAR_PRICE = 1_000_000;
const HOUR_MS = 3_600_000;
const next = counter();

export const GOSSIP: readonly Drill[] = [
  {
    name: "invalid-signatures",
    threat: "transactions under signatures that do not fit: each costs a check",
    expects: { bounded: "the peer is banned, and checks are budgeted" },
    attack: pests((peer) => {
      for (let i = 0; i < BATCH; i++) {
        const transaction = withForgedSignature(payment("forged", next()));
        peer.send({ kind: "NewTransaction", transaction });
      }
    }),
  },
  {
    name: "transaction-spam",
    threat: "valid transactions without an end fill the mempool",
    expects: { bounded: "one sender has its share, the mempool its limit" },
    attack: pests((peer) => {
      for (let i = 0; i < BATCH; i++) {
        peer.send({ kind: "NewTransaction", transaction: payment("spam", next()) });
      }
    }),
  },
  {
    name: "dear-transactions",
    threat: "ever dearer transactions of ever new senders drive all others out of the mempool",
    expects: { bounded: "the mempool has its limit; the cheapest give way" },
    attack: pests((peer) => {
      for (let i = 0; i < BATCH; i++) {
        const number = next();
        const transaction = payment(`dear ${number}`, 0, DEAR_BYTES, BigInt(DEAR_PRICE + number));
        peer.send({ kind: "NewTransaction", transaction });
      }
    }),
  },
  {
    name: "nonce-gaps",
    threat: "transactions whose nonces leave gaps wait for what never comes",
    expects: { bounded: "one sender has its share, the mempool its limit" },
    attack: pests((peer) => {
      const account = `gap ${next() % 50}`;
      for (let i = 0; i < BATCH; i++) {
        const transaction = payment(account, next() * 1_000, 1_000);
        peer.send({ kind: "NewTransaction", transaction });
      }
    }),
  },
  {
    name: "garbage-announcements",
    threat: "announcements of transactions that there are not",
    expects: { bounded: "ids of one peer and of all are limited" },
    attack: pests((peer) => {
      const ids = Array.from({ length: IDS }, () => toHex(randomBytes(32)));
      peer.send({ kind: "AnnounceTransactions", ids });
    }),
  },
  {
    name: "announce-blocks",
    threat: "announces blocks that it never delivers, so that others' blocks wait",
    expects: { bounded: "silent announcers give way" },
    attack: pests(
      async (peer, field) => {
        for (let i = 0; i < 64; i++) {
          const head = field.chain.at(-1)!.header;
          const height = BigInt(head.height + 1);
          const totalDifficulty = head.totalDifficulty + 2_048n;
          const hash = toHex(randomBytes(32));
          peer.send({ kind: "AnnounceBlock", height, hash, totalDifficulty });
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      },
      { peers: 8 },
    ),
  },
  {
    name: "duplicate-inventory",
    threat: "announces and sends the same again and again",
    expects: { bounded: "what is known is looked up and dropped" },
    attack: pests((peer, field) => {
      const block = field.chain[field.chain.length - 4]!;
      const { height, hash, totalDifficulty } = block.header;
      const ids = Array.from({ length: IDS }, () => "33".repeat(32));
      for (let i = 0; i < BATCH; i++) {
        peer.send({ kind: "NewBlock", block: block.bytes });
        peer.send({ kind: "AnnounceBlock", height: BigInt(height), hash, totalDifficulty });
      }
      peer.send({ kind: "AnnounceTransactions", ids });
    }),
  },
  {
    name: "invalid-blocks",
    threat: "sealed blocks that are wrong inside, from many peers",
    expects: { bounded: "each sender is banned for its first, as far as bans go" },
    attack: members((peer, field) => {
      const transactions = [withForgedSignature(payment("block", next()))];
      const { bytes } = blockOn(field.chain.at(-1)!.header, { transactions });
      peer.send({ kind: "NewBlock", block: bytes });
    }),
  },
  {
    name: "orphan-blocks",
    threat: "sealed blocks on parents that nobody has",
    expects: { bounded: "none is kept without its parent" },
    attack: pests((peer, field) => {
      const { header } = field.chain.at(-1)!;
      const parent = { ...header, height: header.height + 5, hash: toHex(randomBytes(32)) };
      peer.send({ kind: "NewBlock", block: blockOn(parent).bytes });
    }),
  },
  {
    name: "far-timestamps",
    threat: "blocks whose time is an hour from now, or before their parent's",
    expects: { bounded: "they are refused; a clock that differs is nobody's crime" },
    attack: pests((peer, field) => {
      const parent = field.chain.at(-1)!.header;
      const ahead = next() % 2 === 0;
      const timestampMs = ahead ? Date.now() + HOUR_MS : parent.timestampMs - 1;
      const { bytes } = blockOn(parent, { changes: { timestampMs } });
      peer.send({ kind: "NewBlock", block: bytes });
    }),
  },
  {
    name: "side-branches",
    threat: "valid blocks beside the best chain, a megabyte each, to be kept",
    expects: { bounded: "side branches have a limit, and each peer its share" },
    attack: pests(sideBranch, { peers: 2 }),
  },
  {
    name: "strange-texts",
    threat: "texts that turn, hide or move what a log or a terminal shows",
    expects: { bounded: "they are written out where they are shown" },
    attack: members(
      (peer) => {
        const detail = "\u202egnp.exe\u200b\u{e0041}".repeat(4);
        peer.send({ kind: "Disconnect", reason: "InternalError", detail });
      },
      { options: () => ({ info: { nodeId: "\u202eme", agent: "\u2066bad\u200b" } }) },
    ),
  },
];

const MEGABYTE_TRANSACTIONS = 16;

function sideBranch(peer: { send(message: NewBlock): void }, field: Field): void {
  const large = Array.from({ length: MEGABYTE_TRANSACTIONS }, (_, index) =>
    payment(`side ${index}`, next(), 60_000),
  );
  const block: DrillBlock = blockOn(GENESIS, {
    transactions: large,
    changes: { timestampMs: PARAMS.genesisTimestampMs + PARAMS.targetIntervalMs },
  });
  field.note("side blocks");
  peer.send({ kind: "NewBlock", block: block.bytes });
}

interface NewBlock {
  readonly kind: "NewBlock";
  readonly block: Uint8Array;
}
