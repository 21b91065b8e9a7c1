// Whole nodes fed with streams of frames that were right before they were damaged: whatever comes,
// it costs the peer its connection and the node nothing.

import test from "ava";
import fc from "fast-check";
import { genesisOf } from "../../src/compose.js";
import type { Log } from "../../src/ports.js";
import { encodeMessage, KINDS, LANES, type Message } from "../../src/protocol/index.js";
import { anyMessage, requestIdFor } from "../protocol/arbitraries.js";
import { makeBlock, makeChain, makeKey, makeTransaction } from "../support/chain.js";
import { frameBytes } from "../support/frames.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode, storeOf } from "./nodes.js";

const RUNS = 200;
const NETWORK_ID = genesisOf(consensus).header.hash;
const chain = makeChain(8, { transactions: [] });
const key = makeKey(1);

/** What gets deeper into the node than random bytes do: real hashes, blocks and transactions. */
const meaningful: fc.Arbitrary<Message> = fc.oneof(
  fc.constantFrom<Message>(
    { kind: "NewBlock", block: chain.at(-1)!.bytes },
    { kind: "NewBlock", block: makeBlock({ parent: chain.at(-1)!.header }).bytes },
    { kind: "NewBlock", block: makeBlock({ fields: { previousHash: "33".repeat(32) } }).bytes },
    { kind: "NewTransaction", transaction: makeTransaction(key, 0) },
    { kind: "NewTransaction", transaction: makeTransaction(key, 2 ** 40) },
    { kind: "RequestBlock", hash: chain[3]!.header.hash },
    { kind: "RequestHeaders", locator: [NETWORK_ID], countMax: 2_000 },
  ),
  fc.record({
    kind: fc.constant("RequestBlockRange" as const),
    fromHeight: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.maxSafeNat()),
    count: fc.integer({ min: 1, max: 1_024 }),
    lastHash: fc.constantFrom(NETWORK_ID, ...chain.map(({ header }) => header.hash)),
  }),
  fc.record({
    kind: fc.constant("AnnounceBlock" as const),
    height: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    hash: fc.constantFrom(...chain.map(({ header }) => header.hash)),
    totalDifficulty: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
);

type Damage = (frame: Uint8Array) => Uint8Array;

const flip = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, by]): Damage => {
  return (frame) => {
    const damaged = frame.slice();
    damaged[at % damaged.length]! ^= by;
    return damaged;
  };
});
/** Leaves the header alone, or the decoder alone would see it. */
const flipPayload = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, by]): Damage => {
  return (frame) => {
    const damaged = frame.slice();
    damaged[10 + (at % (damaged.length - 10))]! ^= by;
    return damaged;
  };
});
const cut = fc.nat().map(
  (at): Damage =>
    (frame) =>
      frame.subarray(0, at % frame.length),
);
const repeat = fc.constant<Damage>((frame) => Buffer.concat([frame, frame]));
const none = fc.constant<Damage>((frame) => frame);
const damage = fc.oneof(
  { weight: 6, arbitrary: none },
  { weight: 2, arbitrary: flipPayload },
  flip,
  cut,
  repeat,
);

const frames = fc.array(fc.tuple(fc.oneof(anyMessage, meaningful), fc.nat({ max: 9 }), damage), {
  minLength: 1,
  maxLength: 12,
});

function frameOf(message: Message, id: number): Uint8Array {
  const { code, lane, role } = KINDS[message.kind];
  return frameBytes({
    code,
    flags: LANES.indexOf(lane) | (role === "response" ? 8 : 0),
    requestId: requestIdFor(message.kind, id),
    payload: encodeMessage(message),
  });
}

test("no stream of damaged frames makes an actor of the node fail", async (t) => {
  t.timeout(110_000);
  const errors: string[] = [];
  const log: Log = {
    write(level, event, fields) {
      if (level === "error") errors.push(`${event}: ${JSON.stringify(fields)}`);
    },
  };
  const own = { log, blockStore: await storeOf(chain.slice(0, 6)) };
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" }, own);
  const joined = nextEvent(node, "PeerConnected");
  const honest = await startTestNode(t, { seedPeers: [node.listenAddress!] });
  await joined;
  let next = 1;
  await fc.assert(
    fc.asyncProperty(frames, fc.boolean(), async (parts, shakes) => {
      const identity = identityOf(next++);
      const peer = await RawPeer.connect({ address: node.listenAddress!, identity });
      if (shakes) peer.send(handshakeInfo(NETWORK_ID));
      for (const [message, id, harm] of parts) peer.writeBytes(harm(frameOf(message, id)));
      peer.socket.end();
      await peer.closed;
      if (errors.length > 0) throw new Error(errors[0]);
      if ((await honest.pingPeer(node.peerId)) === undefined) throw new Error("unresponsive");
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  t.deepEqual(errors, []);
  t.is((await node.status()).peers.length, 1);
});
