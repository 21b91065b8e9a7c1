// What docs/protocol.md promises to a second implementation and no rule of section 7 covers, asked
// of a running node by a peer at the wire.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import { encodeMessage } from "../../src/protocol/index.js";
import type { HandshakeInfo, Message, MessageKind, MessageOf } from "../../src/protocol/index.js";
import { makeBlock, makeChain, makeKey, makeTransaction } from "../support/chain.js";
import { messageBytes } from "../support/frames.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, reaches, startTestNode, storeOf } from "./nodes.js";

const GENESIS = genesisOf(consensus).header;
const SERVED_BYTES_MAX = 262_144;

/** A ready connection of a raw peer to this node. */
async function join(
  t: ExecutionContext,
  node: Network,
  info: Partial<HandshakeInfo> = {},
): Promise<RawPeer> {
  const peer = await RawPeer.connect({ address: node.listenAddress!, identity: identityOf(1) });
  t.teardown(() => peer.destroy());
  peer.send(handshakeInfo(GENESIS.hash, info));
  await peer.message("Handshake");
  return peer;
}

/** The answer to this request, which is of this kind. */
async function ask<K extends MessageKind>(
  t: ExecutionContext,
  peer: RawPeer,
  request: Message,
  kind: K,
): Promise<MessageOf<K>> {
  const outcome = await peer.ask(request);
  if (!outcome.ok) throw new Error(`${outcome.reason} in place of ${kind}`);
  t.is(outcome.message.kind, kind);
  return outcome.message as MessageOf<K>;
}

function listening(
  t: ExecutionContext,
  own: Parameters<typeof startTestNode>[2] = {},
): Promise<Network> {
  t.timeout(60_000);
  return startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" }, own);
}

test("a response of headers is cut at 262,144 bytes, and asking on brings the rest", async (t) => {
  const chain = makeChain(300, { fields: { extra: new Uint8Array(1_024) } });
  const node = await listening(t, { blockStore: await storeOf(chain) });
  const peer = await join(t, node);
  const headers: Uint8Array[] = [];
  for (let locator = [GENESIS.hash]; ;) {
    const request = { kind: "RequestHeaders", locator, countMax: 2_000 } as const;
    const answer = await ask(t, peer, request, "ResponseHeaders");
    const { headers: some } = answer;
    if (some.length === 0) break;
    t.true(encodeMessage(answer).length <= SERVED_BYTES_MAX, "the heads of its items count too");
    headers.push(...some);
    locator = [chain[headers.length - 1]!.header.hash];
  }
  t.deepEqual(
    headers.map((header) => Buffer.from(header)),
    chain.map(({ headerBytes }) => Buffer.from(headerBytes)),
  );
});

test("a locator without genesis is answered from what it has, or NotFound", async (t) => {
  const chain = makeChain(4);
  const node = await listening(t, { blockStore: await storeOf(chain) });
  const peer = await join(t, node);
  const known = { kind: "RequestHeaders", locator: [chain[1]!.header.hash], countMax: 9 } as const;
  t.is((await ask(t, peer, known, "ResponseHeaders")).headers.length, 2);
  const unknown = { ...known, locator: ["11".repeat(32)] };
  t.deepEqual(await peer.ask(unknown), { ok: false, reason: "NotFound" });
});

test("a block of a side branch is served by its hash, and no range names one", async (t) => {
  const [first, second] = [1, 2].map((key) =>
    makeBlock({ transactions: [makeTransaction(makeKey(key), 1)] }),
  );
  const next = makeBlock({ parent: first!.header });
  const node = await listening(t);
  for (const { bytes } of [first!, second!, next]) node.broadcastBlock(bytes);
  await reaches(node, next.header.hash);
  const peer = await join(t, node);
  const { hash } = second!.header;
  const { block } = await ask(t, peer, { kind: "RequestBlock", hash }, "ResponseBlock");
  t.deepEqual(Buffer.from(block), Buffer.from(second!.bytes));
  const range = { kind: "RequestBlockRange", fromHeight: 1, count: 1, lastHash: hash } as const;
  t.deepEqual(await peer.ask(range), { ok: false, reason: "NotFound" });
});

test("what a handshake lists without meaning, or twice, is no offence", async (t) => {
  const node = await listening(t);
  const peer = await join(t, node, {
    capabilities: ["sync/1", "sync/1", "", "unheard-of/9"],
    quotas: [
      { kind: 0x7f, itemsPerSecond: 1, burstItems: 1 },
      { kind: 0x01, itemsPerSecond: 0, burstItems: 0 },
      { kind: 0x22, itemsPerSecond: 1, burstItems: 1 },
      { kind: 0x22, itemsPerSecond: 1_000, burstItems: 1_000 },
    ],
  });
  const request = { kind: "RequestHeaders", locator: [GENESIS.hash], countMax: 1 } as const;
  t.is((await ask(t, peer, request, "ResponseHeaders")).headers.length, 0);
});

test("64 requests may be unanswered, one more is a flood, and a detail begins with its rule", async (t) => {
  const node = await listening(t);
  const hash = "11".repeat(32);
  const frames = (count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, id) => messageBytes({ kind: "RequestBlock", hash }, id + 1));
  const fair = await join(t, node);
  fair.deafen();
  fair.writeBytes(Buffer.concat(frames(64)));
  await fair.until(() => fair.ended || fair.requestIds.filter((id) => id > 0).length === 64);
  t.false(fair.ended);
  fair.writeBytes(Buffer.concat(frames(65)));
  const farewell = await fair.farewell();
  t.is(farewell?.reason, "ProtocolViolation");
  t.is(farewell?.detail.split(":")[0], "flood");
});
