// Attacks by what is claimed and answered: heights out of nothing, wrong answers, withheld bodies.

import { randomBytes } from "node:crypto";
import { toHex } from "../../bytes/hex.js";
import { encodeMessage } from "../../protocol/codec/codec.js";
import type { MessageOf } from "../../protocol/index.js";
import type { ChainHead } from "../../protocol/types/node-info.js";
import type { Drill } from "../drill.js";
import { blockOn, branchOn, GENESIS, payment, type DrillBlock } from "../drill-chain.js";
import type { Field } from "../field.js";
import { payloadBytes } from "../wire/frames.js";
import { liars } from "./blows.js";

const HUGE = 2n ** 64n - 1n;
const HASH = "44".repeat(32);
/** Heavier than all that honest peers make meanwhile. */
const BRANCH_BLOCKS = 200;
/** Below the head that all have: what is right of it is no heavier chain. */
const BROKEN_HEIGHTS = [5, 10];
const DRIP_BYTES = 64;
const ANNOUNCED = 24;
const DRIP_MS = 50;

let heavier: readonly DrillBlock[] | undefined;
const branch = (): readonly DrillBlock[] => (heavier ??= branchOn(GENESIS, BRANCH_BLOCKS, "lie"));

let spoiled: readonly DrillBlock[] | undefined;
/** A sender's nonce comes twice in it: what its headers bind is right, and its state is not. */
const broken = (): readonly DrillBlock[] => (spoiled ??= brokenBranch());

function brokenBranch(): readonly DrillBlock[] {
  const blocks: DrillBlock[] = [];
  while (blocks.length < BRANCH_BLOCKS) {
    const parent = blocks.at(-1)?.header ?? GENESIS;
    const isSpoiled = BROKEN_HEIGHTS.includes(parent.height + 1);
    const transactions = isSpoiled ? [payment("twice", 0)] : [];
    blocks.push(blockOn(parent, { transactions, changes: { extra: Buffer.from("broken") } }));
  }
  return blocks;
}

/** Claims a chain far ahead, without any work. */
const farAhead = () => ({
  info: { head: { height: HUGE >> 11n, hash: HASH, totalDifficulty: HUGE } },
});
/** Claims the branch that it has the headers of. */
const ofBranch = () => ({ info: { head: headOf(branch()) } });

const ofBroken = () => ({ info: { head: headOf(broken()) } });

function headOf(blocks: readonly DrillBlock[]): ChainHead {
  const { height, hash, totalDifficulty } = blocks.at(-1)!.header;
  return { height: BigInt(height), hash, totalDifficulty };
}

/** Blocks of the next heights: the honest chain grows meanwhile, and one of them will be due. */
function announceNext(peer: { write: (message: AnnounceBlock) => void }, field: Field): void {
  const { header } = field.chain.at(-1)!;
  for (let ahead = 1; ahead <= ANNOUNCED; ahead++) {
    const height = BigInt(header.height + ahead);
    const totalDifficulty = header.totalDifficulty + BigInt(ahead) * 2n * header.difficulty;
    const hash = toHex(randomBytes(32));
    peer.write({ kind: "AnnounceBlock", height, hash, totalDifficulty });
  }
}

interface AnnounceBlock {
  readonly kind: "AnnounceBlock";
  readonly height: bigint;
  readonly hash: string;
  readonly totalDifficulty: bigint;
}

export const LYING: readonly Drill[] = [
  {
    name: "fake-height",
    threat: "claims the heaviest chain of all and never proves it",
    expects: { bounded: "a claim makes it worth asking, no more" },
    attack: liars(() => undefined, { peers: 8, options: farAhead }),
  },
  {
    name: "refused-claims",
    threat: "claims the heaviest chain and has nothing when it is asked",
    expects: { bounded: "a refuted claim is remembered" },
    attack: liars(
      (peer, { kind }, requestId) => {
        if (!kind.startsWith("Request")) return;
        peer.send({ kind: "RequestRefused", reason: "NotFound" }, requestId);
      },
      { peers: 8, options: farAhead },
    ),
  },
  {
    name: "unlinked-headers",
    threat: "answers with headers that do not follow what was asked for",
    expects: { gone: ["answer"] },
    attack: liars(
      (peer, { kind }, requestId, field) => {
        if (kind !== "RequestHeaders") return;
        field.strike(peer.socket);
        const headers = branch().slice(3, 20);
        peer.send(
          { kind: "ResponseHeaders", headers: headers.map(({ headerBytes }) => headerBytes) },
          requestId,
        );
      },
      { options: farAhead },
    ),
  },
  {
    name: "wrong-block",
    threat: "answers with another block than the one that was asked for",
    expects: { gone: ["answer"] },
    attack: liars(
      (peer, { kind }, requestId, field) => {
        if (kind !== "RequestBlock") return;
        field.strike(peer.socket);
        peer.send({ kind: "ResponseBlock", block: field.chain[0]!.bytes }, requestId);
      },
      { begin: announceNext },
    ),
  },
  {
    name: "withheld-bodies",
    threat: "proves a heavier chain by its headers and never sends its blocks",
    expects: { bounded: "another peer is asked, and the session ends" },
    attack: liars(
      (peer, message, requestId) => {
        if (message.kind === "RequestHeaders") serveHeaders(peer, message, requestId);
        else if (message.kind === "RequestBlockRange") {
          peer.send({ kind: "RequestRefused", reason: "NotFound" }, requestId);
        }
      },
      { options: ofBranch },
    ),
  },
  {
    name: "deep-reorganisation",
    threat: "serves a heavier branch from genesis, of which one block breaks a rule of the state",
    expects: { bounded: "its server is banned for the block, and nobody is asked for it again" },
    attack: liars(
      (peer, message, requestId, field) => {
        if (message.kind === "RequestHeaders") {
          field.note("asked for headers");
          serveHeaders(peer, message, requestId, broken());
        } else if (message.kind === "RequestBlockRange") {
          field.note("asked for blocks");
          serveRange(peer, message, requestId);
        }
      },
      { options: ofBroken },
    ),
  },
  {
    name: "dripped-answer",
    threat: "an answer of a few bytes at a time holds a sync for as long as it likes",
    expects: { bounded: "a least rate, and others are asked meanwhile" },
    attack: liars(
      (peer, { kind }, requestId, field) => {
        if (kind !== "RequestHeaders") return;
        void drip(peer, requestId, field);
      },
      { options: ofBranch },
    ),
  },
];

type Peer = Parameters<Parameters<typeof liars>[0]>[0];

function serveHeaders(
  peer: Peer,
  { locator, countMax }: MessageOf<"RequestHeaders">,
  requestId: number,
  blocks = branch(),
): void {
  const known = blocks.findLast(({ header }) => locator.includes(header.hash));
  const from = known?.header.height ?? 0;
  const headers = blocks.slice(from, from + countMax);
  peer.send(
    { kind: "ResponseHeaders", headers: headers.map(({ headerBytes }) => headerBytes) },
    requestId,
  );
}

function serveRange(
  peer: Peer,
  { fromHeight, count }: MessageOf<"RequestBlockRange">,
  requestId: number,
): void {
  const blocks = broken().slice(fromHeight - 1, fromHeight - 1 + count);
  if (blocks.length === 0) peer.send({ kind: "RequestRefused", reason: "NotFound" }, requestId);
  else {
    const bytes = blocks.map((block) => block.bytes);
    peer.send({ kind: "ResponseBlockRange", blocks: bytes }, requestId);
  }
}

async function drip(peer: Peer, requestId: number, field: Field): Promise<void> {
  const headers = branch().map(({ headerBytes }) => headerBytes);
  const payload = encodeMessage({ kind: "ResponseHeaders", headers });
  const bytes = payloadBytes("ResponseHeaders", payload, requestId);
  for (let at = 0; at < bytes.length && !peer.ended && !field.isOver; at += DRIP_BYTES) {
    peer.writeBytes(bytes.subarray(at, at + DRIP_BYTES));
    await new Promise((resolve) => setTimeout(resolve, DRIP_MS));
  }
}
