// Blocks at the tip between whole nodes and peers that announce and do not send, send what is not
// what it says it is, or send out of order: honest peers' blocks and the node's own are taken.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import type { Message } from "../../src/protocol/index.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  type MadeBlock,
} from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, reaches, startTestNode } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const [one, two] = makeChain(2) as [MadeBlock, MadeBlock];

const listening = (t: ExecutionContext, config: NetworkConfigInput = {}): Promise<Network> =>
  startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", ...config });

async function join(t: ExecutionContext, node: Network, number: number): Promise<RawPeer> {
  const peer = await RawPeer.connect({
    address: node.listenAddress!,
    identity: identityOf(number),
  });
  t.teardown(() => peer.destroy());
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send(handshakeInfo(NETWORK_ID));
  await ready;
  return peer;
}

function announcement({ header }: MadeBlock, hash = header.hash): Message {
  const { height, totalDifficulty } = header;
  return { kind: "AnnounceBlock", hash, height: BigInt(height), totalDifficulty };
}

/** Every message that it sent so far was dealt with. */
async function settled(peer: RawPeer): Promise<void> {
  await peer.ping();
  await new Promise((resolve) => setImmediate(resolve));
}

const requestsTo = (peer: RawPeer): number =>
  peer.received.filter(({ kind }) => kind === "RequestBlock").length;

/** Many blocks that do not exist, announced as the next one. */
async function flood(peer: RawPeer, count: number, from = 0): Promise<void> {
  for (let index = from; index < from + count; index++) {
    peer.send(announcement(one, index.toString(16).padStart(64, "0")));
  }
  await settled(peer);
}

test("blocks that one peer announces and does not send keep out no block that is pushed or made", async (t) => {
  const node = await listening(t);
  const silent = await join(t, node, 1);
  await flood(silent, 100);
  const honest = await join(t, node, 2);
  honest.send({ kind: "NewBlock", block: one.bytes });
  await reaches(node, one.header.hash);
  await flood(silent, 100, 1_000);
  node.broadcastBlock(two.bytes);
  await reaches(node, two.header.hash);
  t.true(requestsTo(silent) < 10, `${requestsTo(silent)} are asked of it at once`);
});

test("a block that others announced and do not send is asked of the next one", async (t) => {
  const node = await listening(t);
  for (let number = 1; number <= 4; number++) {
    const silent = await join(t, node, number);
    silent.send(announcement(one));
    await flood(silent, 20, number * 100);
  }
  const honest = await join(t, node, 9);
  honest.send(announcement(one));
  await honest.until(() => requestsTo(honest) > 0);
  const at = honest.received.findIndex(({ kind }) => kind === "RequestBlock");
  honest.send({ kind: "ResponseBlock", block: one.bytes }, honest.requestIds[at]);
  await reaches(node, one.header.hash);
  t.is(node.head().height, 1);
});

test("a block that comes while its parent is fetched follows at once, and lowers no claim", async (t) => {
  // Sync looks every minute: only what is at hand can bring the second block.
  const node = await listening(t, { sync: { retryMs: 60_000 } });
  const peer = await join(t, node, 1);
  peer.send(announcement(one));
  await peer.until(() => requestsTo(peer) > 0);
  const at = peer.received.findIndex(({ kind }) => kind === "RequestBlock");
  peer.send({ kind: "NewBlock", block: two.bytes });
  await settled(peer);
  peer.send({ kind: "ResponseBlock", block: one.bytes }, peer.requestIds[at]);
  await reaches(node, two.header.hash);
  const { peers } = await node.status();
  t.is(peers[0]!.claimedHeight, "2");
});

test("a copy with another body does not keep out the true block that comes during its check", async (t) => {
  const node = await listening(t);
  const liar = await join(t, node, 1);
  const honest = await join(t, node, 2);
  const block = makeBlock({ transactions: [makeTransaction(makeKey(1), 1)] });
  const mutated = block.bytes.slice();
  mutated[mutated.length - 1]! ^= 1;
  liar.send({ kind: "NewBlock", block: mutated });
  honest.send({ kind: "NewBlock", block: block.bytes });
  await reaches(node, block.header.hash);
  t.is(node.head().height, 1);
});
