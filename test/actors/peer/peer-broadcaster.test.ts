import test from "ava";
import { peerBroadcaster } from "../../../src/actors/peer/peer-broadcaster.js";
import type { PeerHandlerMessage } from "../../../src/actors/peer/peer-handler-messages.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { ConsensusMessage } from "../../../src/actors/integration/consensus-integration.js";
import type { MempoolMessage } from "../../../src/actors/integration/mempool-integration.js";
import type { ChainChanged } from "../../../src/actors/integration/chain-events.js";
import { decodeMessage } from "../../../src/protocol/codec/codec.js";
import { makeChain, type MadeBlock } from "../../support/chain.js";
import { checkedBlocks, createHarness, peerIdOf, type HarnessOptions } from "../support.js";
import { handshakeOf } from "../remote-peer.js";

const chain = makeChain(3);
const HEAVY = chain[2]!.header.totalDifficulty;

interface JoinOptions {
  readonly capabilities?: readonly string[];
  readonly totalDifficulty?: bigint;
}

interface StartOptions extends HarnessOptions {
  /** What waits in the mempool, the best first. */
  readonly waiting?: readonly string[];
}

async function start(options: StartOptions = {}) {
  const harness = createHarness({ chain, ...options });
  const registry = harness.probe<RegistryMessage>();
  const consensus = harness.probe<ConsensusMessage>();
  const reputation = harness.probe<ReputationMessage>();
  const waiting = options.waiting ?? [];
  let told = 0;
  const mempool = harness.probe<MempoolMessage>((asked) => {
    if (asked.type !== "ListWaiting") return;
    if (asked.from === "best") told = 0;
    const ids = waiting.slice(told, told + asked.countMax);
    told += ids.length;
    asked.replyTo.tell({ ids, done: told >= waiting.length });
  });
  const ref = harness.spawn(peerBroadcaster, {
    registry: registry.ref,
    consensus: consensus.ref,
    mempool: mempool.ref,
    reputation: reputation.ref,
  });
  await harness.settle();
  const join = (number: number, options: JoinOptions = {}) => {
    const handler = harness.probe<PeerHandlerMessage>();
    const info = handshakeOf();
    const { totalDifficulty = 0n, capabilities = info.capabilities } = options;
    ref.tell({
      type: "PeerReady",
      peerId: peerIdOf(number),
      handler: handler.ref,
      direction: "inbound",
      address: "tcp://127.0.0.1:1",
      info,
      head: { claimed: { ...info.head, totalDifficulty } },
      capabilities: new Set(capabilities),
    });
    return handler;
  };
  return {
    ...harness,
    ref,
    registry,
    consensus,
    mempool,
    reputation,
    join,
    joinAll: (count: number) => Array.from({ length: count }, (_, i) => join(i + 1)),
    relay: (ids: readonly string[]) => ref.tell({ type: "RelayTransactions", ids }),
  };
}

function changeOf(blocks: readonly MadeBlock[]): ChainChanged {
  const connected = checkedBlocks(chain).filter(({ header }) =>
    blocks.some((block) => block.header.hash === header.hash),
  );
  const head = connected.at(-1)!.header;
  return { type: "ChainChanged", disconnected: [], connected, head };
}

const one = changeOf([chain[2]!]);
const idOf = (number: number): string => number.toString(16).padStart(64, "0");

function announcedIds(messages: readonly PeerHandlerMessage[]): readonly string[][] {
  return messages.flatMap((message) =>
    message.type === "Send" && message.message.kind === "AnnounceTransactions"
      ? [[...message.message.ids]]
      : [],
  );
}

test("it follows the peers and the chain", async (t) => {
  const { registry, consensus } = await start();
  t.like(registry.received, [{ type: "Subscribe" }]);
  t.like(consensus.received, [{ type: "Subscribe" }]);
});

test("a new block is pushed to as many peers as configured and announced to the rest", async (t) => {
  for (const [peers, blockPushes, pushes] of [
    [1, 1, 1],
    [9, 1, 1],
    [9, 4, 4],
    [2, 4, 2],
    [5, 0, 0],
  ] as const) {
    const harness = await start({ config: { gossip: { blockPushes } } });
    const handlers = harness.joinAll(peers);
    harness.ref.tell(one);
    await harness.settle();
    t.true(handlers.every(({ received }) => received.length === 1));
    const pushed = handlers.filter(({ received }) => received[0]?.type === "SendEncoded");
    t.is(pushed.length, pushes, `${peers} peers`);
    const announced = handlers.flatMap((handler) => handler.of("Send"));
    t.is(announced.length, peers - pushes);
    for (const { message } of announced) {
      const { hash, height, totalDifficulty } = one.head;
      const kind = "AnnounceBlock";
      t.deepEqual(message, { kind, hash, height: BigInt(height), totalDifficulty });
    }
  }
});

test("who gets the block whole is drawn anew each time", async (t) => {
  const receivers = new Set<number>();
  for (let seed = 0; seed < 12; seed++) {
    const harness = await start({ seed });
    const handlers = harness.joinAll(16);
    harness.ref.tell(one);
    await harness.settle();
    for (const [index, handler] of handlers.entries()) {
      if (handler.of("SendEncoded").length > 0) receivers.add(index);
    }
  }
  t.true(receivers.size > 10);
});

test("a pushed block is the block, encoded once for all of them", async (t) => {
  const harness = await start({ config: { gossip: { blockPushes: 2 } } });
  const handlers = harness.joinAll(2);
  harness.ref.tell(one);
  await harness.settle();
  const payloads = handlers.map((handler) => handler.of("SendEncoded")[0]!.payload);
  t.is(payloads[0], payloads[1]);
  const decoded = decodeMessage("NewBlock", payloads[0]!);
  t.deepEqual(decoded.ok && decoded.message, { kind: "NewBlock", block: chain[2]!.bytes });
});

test("a step of several blocks is announced by its head only", async (t) => {
  const harness = await start();
  const handlers = harness.joinAll(3);
  harness.ref.tell(changeOf(chain));
  await harness.settle();
  for (const handler of handlers) {
    t.is(handler.received.length, 1);
    t.like(handler.received[0], { type: "Send", message: { kind: "AnnounceBlock" } });
  }
});

test("a peer that knows the block, or claims as much or more, hears nothing", async (t) => {
  const harness = await start();
  const sender = harness.join(1);
  const equal = harness.join(2, { totalDifficulty: HEAVY });
  const behind = harness.join(3, { totalDifficulty: HEAVY - 1n });
  const caughtUp = harness.join(4);
  harness.ref.tell({
    type: "PeerKnows",
    what: "block",
    peerId: peerIdOf(1),
    hashes: [one.head.hash],
  });
  const head = { height: 3n, hash: one.head.hash, totalDifficulty: HEAVY };
  harness.ref.tell({ type: "PeerClaimed", peerId: peerIdOf(4), head: { claimed: head } });
  await harness.settle();
  harness.ref.tell(one);
  await harness.settle();
  t.deepEqual(
    [sender, equal, behind, caughtUp].map(({ received }) => received.length),
    [0, 0, 1, 0],
  );
});

test("nobody is told of the same head twice", async (t) => {
  const harness = await start();
  const handlers = harness.joinAll(4);
  harness.ref.tell(one);
  harness.ref.tell(one);
  await harness.settle();
  t.true(handlers.every(({ received }) => received.length === 1));
});

test("what a peer cannot take is not sent to it", async (t) => {
  const harness = await start();
  const blocksOnly = harness.join(1, { capabilities: ["blocks/1"] });
  const transactionsOnly = harness.join(2, { capabilities: ["transactions/1"] });
  harness.ref.tell(one);
  harness.relay([idOf(1)]);
  await harness.advance(1_000);
  t.deepEqual(
    blocksOnly.received.map(({ type }) => type),
    ["SendEncoded"],
  );
  t.is(transactionsOnly.received.length, 1);
  t.is(announcedIds(transactionsOnly.received).length, 1);
});

test("transactions are gathered and announced together, each once to each peer", async (t) => {
  const harness = await start();
  const [first, second] = harness.joinAll(2);
  harness.ref.tell({
    type: "PeerKnows",
    what: "transaction",
    peerId: peerIdOf(1),
    hashes: [idOf(1)],
  });
  await harness.settle();
  harness.relay([idOf(1), idOf(2)]);
  const { announceIntervalMs } = harness.config.gossip;
  await harness.advance(announceIntervalMs / 4);
  harness.relay([idOf(2), idOf(3)]);
  await harness.advance(announceIntervalMs / 8);
  t.is(first!.received.length, 0);
  await harness.advance((announceIntervalMs * 3) / 2);
  t.deepEqual(announcedIds(first!.take()), [[idOf(2), idOf(3)]]);
  t.deepEqual(announcedIds(second!.take()), [[idOf(1), idOf(2), idOf(3)]]);
  await harness.advance(10_000);
  harness.relay([idOf(3)]);
  await harness.advance(10_000);
  t.is(first!.received.length + second!.received.length, 0);
});

test("what a peer announces first is not announced to it", async (t) => {
  const harness = await start();
  const [first, second] = harness.joinAll(2);
  harness.relay([idOf(1), idOf(2)]);
  await harness.settle();
  harness.ref.tell({
    type: "PeerKnows",
    what: "transaction",
    peerId: peerIdOf(1),
    hashes: [idOf(2)],
  });
  await harness.advance(1_000);
  t.deepEqual(announcedIds(first!.take()), [[idOf(1)]]);
  t.deepEqual(announcedIds(second!.take()), [[idOf(1), idOf(2)]]);
});

test("nodes that hear of a transaction together announce it at different times", async (t) => {
  const announcedAt = new Set<number>();
  for (let seed = 0; seed < 8; seed++) {
    const harness = await start({ seed });
    const handler = harness.join(1);
    await harness.settle();
    harness.relay([idOf(1)]);
    let waitedMs = 0;
    for (; handler.received.length === 0; waitedMs++) await harness.advance(1);
    announcedAt.add(waitedMs);
  }
  t.true(announcedAt.size > 4);
});

test("more ids than one message may hold go in several", async (t) => {
  const harness = await start();
  const handler = harness.join(1);
  const ids = Array.from({ length: 2_500 }, (_, i) => idOf(i));
  await harness.settle();
  harness.relay(ids);
  await harness.advance(1_000);
  t.deepEqual(
    announcedIds(handler.received).map(({ length }) => length),
    [1_024, 1_024, 452],
  );
  t.deepEqual(announcedIds(handler.received).flat(), ids);
});

test("what waits for one peer is bounded: the oldest ids are given up", async (t) => {
  const harness = await start({ config: { gossip: { knownPerPeerMax: 10 } } });
  const handler = harness.join(1);
  await harness.settle();
  harness.relay(Array.from({ length: 25 }, (_, i) => idOf(i)));
  await harness.advance(1_000);
  const expected = Array.from({ length: 10 }, (_, i) => idOf(15 + i));
  t.deepEqual(announcedIds(handler.received).flat(), expected);
});

test("what a peer is known to have is bounded too: the oldest is forgotten", async (t) => {
  const harness = await start({ config: { gossip: { knownPerPeerMax: 3 } } });
  const handler = harness.join(1);
  await harness.settle();
  for (const number of [1, 2, 3, 4]) {
    harness.ref.tell({
      type: "PeerKnows",
      what: "transaction",
      peerId: peerIdOf(1),
      hashes: [idOf(number)],
    });
  }
  await harness.settle();
  harness.relay([2, 3, 4].map(idOf));
  await harness.advance(1_000);
  t.deepEqual(announcedIds(handler.received), []);
  harness.relay([idOf(1)]);
  await harness.advance(1_000);
  t.deepEqual(announcedIds(handler.received), [[idOf(1)]]);
});

test("a peer that left is told nothing; a refused connection of it changes nothing", async (t) => {
  const harness = await start();
  const [first, second] = harness.joinAll(2);
  const gone = {
    type: "PeerGone",
    direction: "inbound",
    readyForMs: 0,
    reason: "Closed",
    detail: "",
    byPeer: false,
  } as const;
  harness.ref.tell({ ...gone, peerId: peerIdOf(1), wasReady: true });
  harness.ref.tell({ ...gone, peerId: peerIdOf(2), wasReady: false });
  await harness.settle();
  harness.ref.tell(one);
  await harness.settle();
  t.is(first!.received.length, 0);
  t.is(second!.received.length, 1);
});

// ---- new peers -------------------------------------------------------------------------------

const waiting = Array.from({ length: 1_200 }, (_, number) => idOf(number));

test("new peers hear of what waits in slices, the best first, all by one walk", async (t) => {
  const harness = await start({ waiting });
  const [one, two] = harness.joinAll(2);
  await harness.advance(0);
  t.is(harness.mempool.of("ListWaiting").length, 0, "not at once: others may become ready");
  await harness.advance(3_000);
  for (const peer of [one!, two!]) {
    const announced = announcedIds(peer.received);
    t.true(announced.length >= 2, "not all at once");
    t.deepEqual(announced.flat(), waiting);
  }
  t.is(harness.mempool.of("ListWaiting").length, 3);
});

test("a new peer hears of a bounded number, and not of what it has announced itself", async (t) => {
  const harness = await start({ waiting, config: { gossip: { knownPerPeerMax: 600 } } });
  const peer = harness.join(1);
  harness.ref.tell({
    type: "PeerKnows",
    what: "transaction",
    peerId: peerIdOf(1),
    hashes: [waiting[3]!],
  });
  await harness.advance(3_000);
  t.deepEqual(
    announcedIds(peer.received).flat(),
    waiting.slice(0, 600).filter((id) => id !== waiting[3]),
  );
});

test("a new peer without the capability costs no walk and hears nothing", async (t) => {
  const harness = await start({ waiting });
  const peer = harness.join(1, { capabilities: ["blocks/1"] });
  await harness.advance(3_000);
  t.deepEqual(announcedIds(peer.received), []);
  t.is(harness.mempool.of("ListWaiting").length, 0);
});

test("peers that come and go cost one walk at a time", async (t) => {
  const harness = await start({ waiting });
  for (let number = 1; number <= 40; number++) {
    harness.join(number);
    await harness.advance(50);
  }
  await harness.advance(3_000);
  const walks = harness.mempool.of("ListWaiting").filter(({ from }) => from === "best");
  t.true(walks.length <= 5, `${walks.length} walks`);
});

test("what came back is announced to all, whatever they were told before", async (t) => {
  const harness = await start();
  const peer = harness.join(1);
  for (const type of ["RelayTransactions", "RelayTransactions", "ReturnedTransactions"] as const) {
    harness.ref.tell({ type, ids: [idOf(1)] });
    await harness.advance(1_000);
  }
  t.deepEqual(announcedIds(peer.received), [[idOf(1)], [idOf(1)]]);
});
