// Whom a syncing node blames for a block that is wrong: the peer that sent it, or also the one whose
// headers promised it, by the rule that it breaks. With rules of a chain's own, over real connections.

import test, { type ExecutionContext } from "ava";
import { genesisOf, startNode } from "../../src/compose.js";
import { createMempool } from "../../src/chain/mempool.js";
import type { Network } from "../../src/network.js";
import type { Consensus } from "../../src/ports.js";
import type { Message } from "../../src/protocol/types/message.js";
import type { Fault, HeaderSummary, RuleName } from "../../src/types/chain.js";
import { makeKey, signatures } from "../support/chain.js";
import {
  createForeignRules,
  encodeForeignBlock,
  encodeForeignTransaction,
  foreignRulesModule,
} from "../support/foreign-rules.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { nextEvent, reaches, until } from "./nodes.js";

const FORBIDDEN = 13;
const OPTIONS = { magic: 7, forbidden: FORBIDDEN };
const rules = createForeignRules(OPTIONS);
const NOTHING = new Uint8Array(0);
const key = makeKey(3);
/** Of the block that is wrong. */
const HEIGHT = 5;
const LENGTH = 8;

interface Block {
  readonly header: HeaderSummary;
  readonly headerBytes: Uint8Array;
  readonly bytes: Uint8Array;
}

/** `stateFault`: what the stateful half finds in the block at HEIGHT. */
function foreign(stateFault?: Fault): Consensus {
  return {
    rulesModule: foreignRulesModule(OPTIONS),
    rules,
    genesis: encodeForeignBlock(0, "00".repeat(32), 1_700_000_000_000, []).bytes,
    blockBytesMax: 1_000_000,
    prefers: (candidate, current) => candidate.height > current.height,
    connect: ({ header, effects }) =>
      stateFault !== undefined && header.height === HEIGHT
        ? { ok: false, fault: stateFault }
        : {
            ok: true,
            value: { writes: [{ key: Uint8Array.of(1), value: effects }], undo: NOTHING },
          },
    disconnect: () => [{ key: Uint8Array.of(1), value: NOTHING }],
    template: () => ({ header: NOTHING, transactions: [] }),
    assemble: ({ header }) => header,
  };
}

const mempool = createMempool(
  { countMax: 1, bytesMax: 1, perSenderMax: 1, minGasPrice: 0, replaceBumpPercent: 0 },
  () => ({ ok: false, fault: { rule: "encoding", detail: "not the default transactions" } }),
);

const GENESIS = genesisOf(foreign()).header;

function transaction(height: number, payload: number, signed = true): Uint8Array {
  return encodeForeignTransaction(key.publicKey, Uint8Array.of(payload, height), (message) =>
    signatures.sign(signed ? message : Uint8Array.of(...message, 0), key.secretKey),
  );
}

/** Blocks with one transaction each, but for what the one at HEIGHT has. */
function chainOf(special?: readonly Uint8Array[]): readonly Block[] {
  let parent = GENESIS;
  return Array.from({ length: LENGTH }, (_, index) => {
    const height = index + 1;
    const transactions = height === HEIGHT && special ? special : [transaction(height, 1)];
    const timestampMs = parent.timestampMs + 1_000;
    const { header, bytes } = encodeForeignBlock(height, parent.hash, timestampMs, transactions);
    const read = rules.readHeader(header);
    if (!read.ok) throw new Error("a foreign header reads back");
    parent = read.value;
    return { header: parent, headerBytes: header, bytes };
  });
}

const honest = chainOf();

/** The block at HEIGHT under its own header, and something else in the place of its body. */
const withBody = (body: Uint8Array): Uint8Array =>
  Buffer.concat([honest[HEIGHT - 1]!.headerBytes, body]);

function bodyOf(...transactions: readonly Uint8Array[]): Uint8Array {
  return encodeForeignBlock(1, "00".repeat(32), 1, transactions).bytes.slice(74);
}

interface Case {
  /** What the headers promise. */
  readonly chain?: readonly Block[];
  /** What the server sends for the block at HEIGHT; absent: the block of that chain. */
  readonly sent?: Uint8Array;
  readonly stateFault?: Fault;
  readonly rule: RuleName;
  /** Both: it can be seen in the bytes that the headers bind. */
  readonly blamed: "server" | "both";
  /** The chain is refused from whoever offers it after that. */
  readonly isChains: boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  "a body that cannot be split": {
    sent: withBody(Uint8Array.of(0, 9, 1)),
    rule: "encoding",
    blamed: "server",
    isChains: false,
  },
  "a block that is too large": {
    sent: withBody(bodyOf(new Uint8Array(5_000))),
    rule: "size",
    blamed: "server",
    isChains: false,
  },
  "a transaction that cannot be read": {
    sent: withBody(bodyOf(new Uint8Array(20))),
    rule: "encoding",
    blamed: "server",
    isChains: false,
  },
  "another block's transactions": {
    sent: withBody(bodyOf(transaction(9, 1))),
    rule: "root",
    blamed: "server",
    isChains: false,
  },
  "another block's transactions, which the chain forbids": {
    sent: withBody(bodyOf(transaction(9, FORBIDDEN))),
    rule: "root",
    blamed: "server",
    isChains: false,
  },
  "a forged signature that the header binds": {
    chain: chainOf([transaction(HEIGHT, 1, false)]),
    rule: "signature",
    blamed: "both",
    isChains: true,
  },
  "a rule of the chain's own": {
    chain: chainOf([transaction(HEIGHT, FORBIDDEN)]),
    rule: "custom",
    blamed: "both",
    isChains: true,
  },
  "a rule of the chain's own that only its state shows": {
    stateFault: { rule: "custom", detail: "not in this state" },
    rule: "custom",
    blamed: "server",
    isChains: true,
  },
  "a state root that is not its state's": {
    stateFault: { rule: "state-root", detail: "another state" },
    rule: "state-root",
    blamed: "server",
    isChains: true,
  },
};

/** Answers for a chain: headers, and its blocks unless it has none to give. */
async function join(
  t: ExecutionContext,
  node: Network,
  options: { id: number; chain: readonly Block[]; gives: boolean; sent?: Uint8Array },
) {
  const { id, chain, gives, sent } = options;
  const peer = await RawPeer.connect({ address: node.listenAddress!, identity: identityOf(id) });
  t.teardown(() => peer.destroy());
  const asked: Message[] = [];
  let read = 0;
  peer.socket.on("data", () => {
    for (; read < peer.received.length; read++) {
      const request = peer.received[read]!;
      const requestId = peer.requestIds[read];
      if (request.kind === "RequestHeaders") {
        const known = chain.findIndex(({ header }) => request.locator.includes(header.hash));
        const headers = chain.slice(known + 1, known + 1 + request.countMax);
        asked.push(request);
        peer.send(
          { kind: "ResponseHeaders", headers: headers.map(({ headerBytes }) => headerBytes) },
          requestId,
        );
      } else if (request.kind === "RequestBlockRange") {
        asked.push(request);
        const { fromHeight, count } = request;
        const blocks = chain
          .slice(fromHeight - 1, fromHeight - 1 + count)
          .map(({ bytes, header }) => (header.height === HEIGHT ? (sent ?? bytes) : bytes));
        if (gives) peer.send({ kind: "ResponseBlockRange", blocks }, requestId);
        else peer.send({ kind: "RequestRefused", reason: "Busy" }, requestId);
      }
    }
  });
  const { hash, height, totalDifficulty } = chain.at(-1)!.header;
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  const head = { hash, height: BigInt(height), totalDifficulty };
  peer.send(handshakeInfo(GENESIS.hash, { head }));
  await ready;
  return { peerId: peer.peerId, asked };
}

async function isBlamed(node: Network, peerId: string, rule: RuleName): Promise<boolean> {
  const { entries } = await node.explainPeer(peerId);
  return entries.some((entry) => entry.event === "InvalidBlock" && entry.rule === rule);
}

for (const [what, one] of Object.entries(CASES)) {
  const { chain = honest, rule, blamed, isChains, sent, stateFault } = one;
  const whom = blamed === "both" ? "its server and who offered it" : "its server alone";

  test(`${what}: the fault of ${whom}`, async (t) => {
    const config = { bindAddr: "tcp://127.0.0.1:0", pool: { inline: true }, sync: { retryMs: 50 } };
    const node = await startNode(config, { consensus: foreign(stateFault), mempool });
    t.teardown(() => node.stop());
    const started = nextEvent(node, "SyncStarted");
    const offering = await join(t, node, { id: 1, chain, gives: false });
    t.is((await started).peerId, offering.peerId);
    const rejected = nextEvent(node, "BlockRejected");
    const serving = { id: 2, chain, gives: true, ...(sent && { sent }) };
    const server = await join(t, node, serving);
    const { hash, peerId, rule: named } = await rejected;
    t.deepEqual([named, peerId], [rule, server.peerId]);
    t.is(hash, chain[HEIGHT - 1]!.header.hash);
    await until(() => isBlamed(node, server.peerId, rule));
    t.true(node.head().height < HEIGHT);

    // Whoever offers the same chain after that, and gives what it has.
    const again = nextEvent(node, "BlockRejected");
    const third = await join(t, node, { id: 3, chain, gives: true });
    if (isChains) {
      t.is((await again).hash, hash);
      t.false(third.asked.some(({ kind }) => kind === "RequestBlockRange"));
    } else await reaches(node, chain.at(-1)!.header.hash);
    for (const { peerId: offers } of [offering, third]) {
      if (blamed === "both") await until(() => isBlamed(node, offers, rule));
      else t.false(await isBlamed(node, offers, rule));
    }
  });
}
