import test from "ava";
import { peerBroadcaster } from "../../../src/actors/peer/peer-broadcaster.js";
import type { PeerHandlerMessage } from "../../../src/actors/peer/peer-handler-messages.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { Answer } from "../../../src/actors/peer/dealt.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import type { RelayKind } from "../../../src/actors/peer/broadcaster-state.js";
import type { Incoming } from "../../../src/actors/peer/peer-handler-messages.js";
import type { RelayMessage } from "../../../src/protocol/kinds/relay.js";
import { ShortIds } from "../../../src/protocol/relay-ids.js";
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
  const router = harness.probe<MessageRouterMessage>();
  const consensus = harness.probe<ConsensusMessage>();
  const reputation = harness.probe<ReputationMessage>();
  const answers = harness.probe<Answer>();
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
    router: router.ref,
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
    relay: (ids: readonly string[]) =>
      ref.tell({
        type: "RelayTransactions",
        transactions: ids.map((id) => ({ id, bytes: bytesOf(id) })),
      }),
    knows: (
      number: number,
      what: "block" | "transaction",
      hashes: readonly string[],
      how: "announced" | "pushed" = "announced",
    ) => ref.tell({ type: "PeerKnows", what, how, peerId: peerIdOf(number), hashes }),
    hears: (number: number, message: RelayMessage) =>
      ref.tell({
        type: "Incoming",
        peerId: peerIdOf(number),
        from: harness.probe<PeerHandlerMessage>().ref,
        message: message as Incoming<RelayKind>["message"],
        lane: "block",
        bytes: 10,
        requestId: 0,
        replyTo: answers.ref,
      }),
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
const bytesOf = (id: string): Uint8Array => Uint8Array.from(Buffer.from(id, "hex"));
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
  harness.knows(1, "block", [one.head.hash]);
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
  harness.knows(1, "transaction", [idOf(1)]);
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
  harness.knows(1, "transaction", [idOf(2)]);
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
    harness.knows(1, "transaction", [idOf(number)]);
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
  harness.knows(1, "transaction", [waiting[3]!]);
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
  harness.relay([idOf(1)]);
  await harness.advance(1_000);
  harness.relay([idOf(1)]);
  await harness.advance(1_000);
  harness.ref.tell({ type: "ReturnedTransactions", ids: [idOf(1)] });
  await harness.advance(1_000);
  t.deepEqual(announcedIds(peer.received), [[idOf(1)], [idOf(1)]]);
});

// ---- relay trees -----------------------------------------------------------------------------

const RELAY = { capabilities: ["blocks/1", "transactions/1", "relay/1"] } as const;

function pushedIds(messages: readonly PeerHandlerMessage[]): readonly string[] {
  return messages.flatMap((message) => {
    if (message.type !== "SendEncoded" || message.kind !== "NewTransaction") return [];
    const decoded = decodeMessage("NewTransaction", message.payload);
    if (!decoded.ok || decoded.message.kind !== "NewTransaction") return [];
    return [Buffer.from(decoded.message.transaction).toString("hex")];
  });
}

function sentOf(messages: readonly PeerHandlerMessage[], ...kinds: readonly string[]) {
  return messages.flatMap((message) =>
    message.type === "Send" && kinds.includes(message.message.kind) ? [message.message] : [],
  );
}

test("a transaction is pushed at once to all that prune nothing, encoded once", async (t) => {
  const harness = await start();
  const handlers = [harness.join(1, RELAY), harness.join(2, RELAY)];
  await harness.settle();
  harness.relay([idOf(1)]);
  await harness.settle();
  const payloads = handlers.map((handler) => handler.of("SendEncoded")[0]?.payload);
  t.truthy(payloads[0]);
  t.is(payloads[0], payloads[1]);
  t.deepEqual(pushedIds(handlers[0]!.received), [idOf(1)]);
  await harness.advance(2_000);
  for (const { received } of handlers) t.deepEqual(sentOf(received, "AnnounceShortIds"), []);
});

test("each peer is told the key of short ids, and no peer that knows no trees is", async (t) => {
  const harness = await start();
  const relay = harness.join(1, RELAY);
  const old = harness.join(2);
  const blocksOnly = harness.join(3, { capabilities: ["blocks/1", "relay/1"] });
  await harness.settle();
  t.deepEqual(
    [relay, old, blocksOnly].map(({ received }) => sentOf(received, "RelayKey").length),
    [1, 0, 0],
  );
});

/** More peers than this node wants at first: the last ones are on lazy edges, if they prune too. */
async function startLazy() {
  const harness = await start();
  const handlers = [1, 2, 3, 4, 5].map((number) => harness.join(number, RELAY));
  for (const number of [4, 5]) harness.hears(number, { kind: "Prune", what: "transaction" });
  await harness.advance(1_000);
  for (const handler of handlers) handler.take();
  return { ...harness, handlers };
}

test("over a lazy edge go short ids under the key of whoever hears them", async (t) => {
  const harness = await startLazy();
  const peer = harness.handlers[3]!;
  const key = Uint8Array.from({ length: 16 }, (_, index) => index);
  harness.hears(4, { kind: "RelayKey", key });
  await harness.settle();
  harness.relay([plain(1), plain(2)]);
  await harness.advance(2_000);
  const shortIds = new ShortIds(key);
  t.deepEqual(pushedIds(peer.received), []);
  t.deepEqual(sentOf(peer.received, "AnnounceShortIds", "AnnounceTransactions"), [
    { kind: "AnnounceShortIds", ids: [plain(1), plain(2)].map((id) => shortIds.of(id)) },
  ]);
});

test("what was announced by short ids is served by them, and nothing else", async (t) => {
  const harness = await startLazy();
  const key = new Uint8Array(16).fill(7);
  harness.hears(4, { kind: "RelayKey", key });
  await harness.settle();
  harness.relay([plain(1)]);
  await harness.advance(2_000);
  const short = new ShortIds(key).of(plain(1));
  harness.hears(4, { kind: "RequestShortIds", ids: ["00".repeat(8), short] });
  harness.hears(5, { kind: "RequestShortIds", ids: [short] });
  await harness.settle();
  t.deepEqual(
    harness.mempool.of("ServeTransactions").map(({ ids }) => ids),
    [[plain(1)], []],
  );
});

test("what had to be asked for again and again grafts one of those who announced it", async (t) => {
  const harness = await startLazy();
  const announcedBy = [4, 5].map(peerIdOf);
  for (let count = 0; count < 4; count++) {
    harness.ref.tell({ type: "NotPushed", what: "transaction", announcedBy });
  }
  await harness.settle();
  const grafts = harness.handlers.map(({ received }) => sentOf(received, "Graft").length);
  t.deepEqual(grafts, [0, 0, 0, 1, 0]);
});

const beacon = (number: number): string =>
  `00${"ab".repeat(30)}${number.toString(16).padStart(2, "0")}`;
const plain = (number: number): string =>
  `ff${"ab".repeat(30)}${number.toString(16).padStart(2, "0")}`;

test("of many peers three are wanted until it is known by whom things come first", async (t) => {
  const harness = await start();
  const handlers = [1, 2, 3, 4, 5].map((number) => harness.join(number, RELAY));
  await harness.settle();
  const pruned = handlers.map(
    ({ received }) =>
      sentOf(received, "Prune").filter((sent) => "what" in sent && sent.what === "transaction")
        .length,
  );
  t.deepEqual(pruned, [0, 0, 0, 1, 1]);
});

test("who brought a beacon first is wanted, once it is valid, and the others are pruned", async (t) => {
  const harness = await start();
  const handlers = [1, 2, 3].map((number) => harness.join(number, RELAY));
  await harness.settle();
  for (const number of [2, 1, 3]) harness.knows(number, "transaction", [beacon(1)], "pushed");
  await harness.advance(2_000);
  t.deepEqual(
    handlers.flatMap(({ received }) => sentOf(received, "Prune")),
    [],
  );
  harness.relay([beacon(1)]);
  await harness.advance(2_000);
  harness.knows(2, "transaction", [plain(1)], "pushed");
  await harness.settle();
  const pruned = handlers.map(({ received }) => sentOf(received, "Prune").length);
  t.deepEqual(pruned, [1, 0, 1]);
  harness.relay([plain(2)]);
  await harness.settle();
  t.deepEqual(
    handlers.map(({ received }) => pushedIds(received).includes(plain(2))),
    [true, true, true],
    "they have not pruned",
  );
  for (const number of [1, 3]) harness.hears(number, { kind: "Prune", what: "transaction" });
  await harness.settle();
  harness.relay([plain(3), beacon(2)]);
  await harness.settle();
  const last = handlers.map(({ received }) => pushedIds(received).slice(-2));
  t.deepEqual(last[1], [plain(3), beacon(2)]);
  t.false(last[0]!.includes(plain(3)));
  t.true(last[0]!.includes(beacon(2)), "a beacon goes over all edges");
});

test("the last edge is not pruned, whatever comes over it", async (t) => {
  const harness = await start();
  const peer = harness.join(1, RELAY);
  await harness.advance(1_000);
  harness.relay([idOf(1)]);
  for (let count = 0; count < 3; count++) {
    harness.knows(1, "transaction", [idOf(1)], "pushed");
  }
  await harness.advance(1_000);
  t.deepEqual(sentOf(peer.received, "Prune", "Graft"), []);
});

test("a push that finds no room is made up for by an announcement", async (t) => {
  const harness = await start();
  const peer = harness.join(1, RELAY);
  await harness.settle();
  harness.relay([idOf(1)]);
  harness.ref.tell(one);
  await harness.settle();
  for (const { refused } of peer.of("SendEncoded")) {
    const { what, hash } = refused!;
    harness.ref.tell({ type: "PushRefused", what, hash, peerId: peerIdOf(1) });
  }
  peer.take();
  await harness.advance(2_000);
  const kinds = sentOf(peer.received, "AnnounceBlock", "AnnounceTransactions").map(
    ({ kind }) => kind,
  );
  t.deepEqual(kinds, ["AnnounceBlock", "AnnounceTransactions"]);
});

test("a block of this node is pushed to all that take part in trees", async (t) => {
  const harness = await start();
  const handlers = [1, 2, 3, 4, 5].map((number) => harness.join(number, RELAY));
  for (const number of [1, 2, 3, 4, 5]) {
    harness.hears(number, { kind: "Prune", what: "block" });
  }
  harness.ref.tell(one);
  await harness.settle();
  t.true(handlers.every((handler) => handler.of("SendEncoded").length === 1));
});

test("another's block is pushed over eager edges and announced over lazy ones", async (t) => {
  const harness = await start();
  const handlers = [1, 2, 3].map((number) => harness.join(number, RELAY));
  harness.hears(2, { kind: "Prune", what: "block" });
  harness.knows(1, "block", [one.head.hash], "pushed");
  await harness.settle();
  harness.ref.tell(one);
  await harness.settle();
  const told = handlers.map(({ received }) =>
    received.flatMap((sent) => {
      if (sent.type === "SendEncoded") return [sent.kind];
      return sent.type === "Send" && sent.message.kind !== "RelayKey" ? [sent.message.kind] : [];
    }),
  );
  t.deepEqual(told, [[], ["AnnounceBlock"], ["NewBlock"]]);
});

test("of the copies of a block the fourth prunes, and three go on", async (t) => {
  const harness = await start();
  const handlers = [1, 2, 3, 4, 5].map((number) => harness.join(number, RELAY));
  await harness.advance(1_000);
  for (const number of [1, 2, 3, 4, 5]) harness.knows(number, "block", [one.head.hash], "pushed");
  await harness.settle();
  const pruned = handlers.map(
    ({ received }) =>
      sentOf(received, "Prune").filter((sent) => "what" in sent && sent.what === "block").length,
  );
  t.deepEqual(pruned, [0, 0, 0, 1, 1]);
});
