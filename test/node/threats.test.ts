// Hostile peers at the wire for threats that no other test meets: each names what the node must do,
// and fails where that defence is taken out (`npm run test:threats`).

import { connect } from "node:net";
import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import { createLog } from "../../src/log.js";
import type { Network } from "../../src/network.js";
import { parseAddress } from "../../src/protocol/address.js";
import { KINDS } from "../../src/protocol/index.js";
import { systemClock } from "../../src/runtime/clock.js";
import { makeChain, makeKey, makeTransaction } from "../support/chain.js";
import { frameBytes, messageBytes } from "../support/frames.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode, storeOf, until } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const BIND = "tcp://127.0.0.1:0";

async function listening(
  t: ExecutionContext,
  config: NetworkConfigInput = {},
  own: Parameters<typeof startTestNode>[2] = {},
): Promise<Network> {
  t.timeout(60_000);
  return startTestNode(t, { bindAddr: BIND, ...config }, own);
}

async function stranger(t: ExecutionContext, node: Network, number = 1): Promise<RawPeer> {
  const peer = await RawPeer.connect({
    address: node.listenAddress!,
    identity: identityOf(number),
  });
  t.teardown(() => peer.destroy());
  return peer;
}

async function joined(t: ExecutionContext, node: Network, number = 1): Promise<RawPeer> {
  const peer = await stranger(t, node, number);
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send(handshakeInfo(NETWORK_ID));
  await ready;
  return peer;
}

const BOMBS: readonly (readonly [string, Buffer, RegExp])[] = [
  ["depth", Buffer.alloc(2_048, 0x81), /nested too deep/],
  ["count", Buffer.from("9a00ffffff", "hex"), /too many items/],
  ["length", Buffer.from("815affffffff", "hex"), /malformed byte string/],
];

for (const [what, payload, detail] of BOMBS) {
  test(`CBOR of great ${what} is refused at its head, before anything is built of it`, async (t) => {
    const node = await listening(t);
    const peer = await stranger(t, node);
    peer.writeBytes(frameBytes({ code: KINDS.Handshake.code, flags: 0, payload }));
    const farewell = await peer.farewell();
    t.is(farewell?.reason, "ProtocolViolation");
    t.regex(farewell?.detail ?? "", detail);
  });
}

test("a peer that sends beyond the credit it was granted is closed", async (t) => {
  const node = await listening(t);
  const peer = await joined(t, node);
  // All at once: none of them is dealt with before the last one has come.
  const ids = Array.from({ length: 1_024 }, () => "11".repeat(32));
  const message = Buffer.from(messageBytes({ kind: "AnnounceTransactions", ids }));
  peer.writeBytes(Buffer.concat(Array.from({ length: 16 }, () => message)));
  t.regex((await peer.farewell())?.detail ?? "", /^credit: /);
});

test("one sender's transactions, nonce gaps and all, take their share of the mempool only", async (t) => {
  const perSenderMax = 8;
  const node = await listening(t, { mempool: { perSenderMax } });
  const peer = await joined(t, node);
  const key = makeKey(1);
  const sent = 3 * perSenderMax;
  let judged = 0;
  node.subscribe(["TransactionAccepted", "TransactionRejected"], () => judged++);
  for (let nonce = 0; nonce < sent; nonce++) {
    peer.write({ kind: "NewTransaction", transaction: makeTransaction(key, 10 * nonce) });
  }
  await until(() => judged >= sent);
  t.is((await node.status()).mempool.count, perSenderMax);
});

test("a peer that asks for the same large block again and again is served so many bytes", async (t) => {
  const data = new Uint8Array(60_000);
  const transactions = [1, 2, 3, 4].map((seed) => makeTransaction(makeKey(seed), 0, { data }));
  const [small] = makeChain(1);
  const [large] = makeChain(1, { parent: small!.header, transactions });
  const serve = { blockBytesPerSecond: 1, blockBytesBurst: 1_024 * 1_024 };
  const node = await listening(t, { serve }, { blockStore: await storeOf([small!, large!]) });
  const greedy = await joined(t, node, 1);
  let served = 0;
  for (let asked = 0; asked < 40; asked++) {
    const answer = greedy.ask({ kind: "RequestBlock", hash: large!.header.hash });
    void answer.then(({ ok }) => void (ok && served++));
  }
  await greedy.until(() => served >= 2);
  // Whoever asks for less has it meanwhile, and by then all that is due has come.
  const modest = await joined(t, node, 2);
  for (let asked = 0; asked < 40; asked++) {
    t.true((await modest.ask({ kind: "RequestBlock", hash: small!.header.hash })).ok);
  }
  t.true(served * large!.bytes.length <= 2 * serve.blockBytesBurst, `${served} of 40`);
  t.is((await node.peers()).length, 2, "it breaks no rule");
});

test("a flood of bad connections writes a bounded log", async (t) => {
  let lines = 0;
  const destination = { write: () => void lines++ };
  const log = createLog({ level: "debug", destination, clock: systemClock });
  const node = await listening(t, {}, { log });
  const { host, port } = parseAddress(node.listenAddress!);
  let refused = 0;
  node.subscribe(["ConnectionRefused"], () => refused++);
  const before = lines;
  const floods = 120;
  for (let i = 0; i < floods; i++) {
    const socket = connect({ host, port }).on("error", () => undefined);
    socket.resume().write(Buffer.alloc(64, 0xa5));
    await new Promise((resolve) => socket.once("close", resolve));
  }
  await until(() => refused >= floods);
  t.true(lines - before <= 60, `${lines - before} lines`);
});
