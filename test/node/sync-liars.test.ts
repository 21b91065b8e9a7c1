// A whole node that has to sync while others lie: over real connections, peers that claim and have
// nothing, that withhold, and that offer again what cannot be valid.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import type { Message } from "../../src/protocol/types/message.js";
import { claimOf, honestAnswer } from "../actors/sync/sync-bench.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  type MadeBlock,
} from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, reaches, startTestNode, storeOf, until } from "./nodes.js";

const BIND = "tcp://127.0.0.1:0";
const NETWORK_ID = genesisOf(consensus).header.hash;
const CLAIM = 2n ** 62n;
/** Far more than it takes here, on a busy machine too, and less than one unanswered request. */
const GUARD_MS = 15_000;
const chain = makeChain(200);
const tip = chain.at(-1)!.header;

/** Bytes: a payload as it is. */
type Answer = Message | "silence" | Uint8Array;

/** Instead of what a peer with this chain would answer. */
type Lie = (request: Message, honest: Message | "silence") => Answer;

const REFUSED = { kind: "RequestRefused", reason: "NotFound" } as const;

/** A peer that joins a node and answers for a chain, or lies; answers what it was asked. */
async function join(
  t: ExecutionContext,
  node: Network,
  options: { id: number; chain: readonly MadeBlock[]; claim?: bigint; lie?: Lie },
): Promise<{ readonly raw: RawPeer; readonly asked: Message[] }> {
  const { id, chain: served, claim, lie } = options;
  const raw = await RawPeer.connect({ address: node.listenAddress!, identity: identityOf(id) });
  t.teardown(() => raw.destroy());
  const asked: Message[] = [];
  let read = 0;
  const answer = (): void => {
    for (; read < raw.received.length; read++) {
      const request = raw.received[read]!;
      if (request.kind !== "RequestHeaders" && request.kind !== "RequestBlockRange") continue;
      asked.push(request);
      const truth = honestAnswer(served, request);
      const honest = typeof truth === "string" ? REFUSED : truth;
      const said = lie?.(request, honest) ?? honest;
      const requestId = raw.requestIds[read]!;
      if (said instanceof Uint8Array) raw.writePayload("ResponseBlockRange", said, requestId);
      else if (said !== "silence") raw.send(said, requestId);
    }
  };
  raw.socket.on("data", answer);
  const head = served.at(-1)?.header ?? genesisOf(consensus).header;
  raw.send(handshakeInfo(NETWORK_ID, { head: claimOf(head, claim) }));
  return { raw, asked };
}

/** A node with the chain of 200 blocks. */
async function honestNode(t: ExecutionContext): Promise<Network> {
  return startTestNode(t, { bindAddr: BIND }, { blockStore: await storeOf(chain) });
}

test("200 keys without work that come and go do not keep a node from the peer that it dialed", async (t) => {
  const node = await startTestNode(t, { bindAddr: BIND });
  const honest = await honestNode(t);
  let keys = 0;
  const present: RawPeer[] = [];
  const silent: Lie = () => "silence";
  const comeAndGo = async (): Promise<void> => {
    while (keys < 200 && node.head().hash !== tip.hash) {
      const { raw } = await join(t, node, { id: 1_000 + keys++, chain, claim: CLAIM, lie: silent });
      present.push(raw);
      if (present.length > 16) present.shift()!.destroy();
    }
  };
  // Some are there first.
  for (let i = 0; i < 8; i++) {
    const { raw } = await join(t, node, { id: 1_000 + keys++, chain, claim: CLAIM, lie: silent });
    present.push(raw);
  }
  await until(async () => (await node.peers()).length >= 8);
  const coming = comeAndGo();
  void node.connect(honest.listenAddress!);
  const startMs = performance.now();
  await until(() => node.head().hash === tip.hash);
  const tookMs = Math.round(performance.now() - startMs);
  t.true(tookMs < GUARD_MS, `${tookMs} ms`);
  keys = 200;
  await coming;
});

const LIES: Readonly<Record<string, Lie>> = {
  "do not have them": () => REFUSED,
  "answer nothing": () => "silence",
  "have no headers": ({ kind }) =>
    kind === "RequestHeaders"
      ? { kind: "ResponseHeaders", headers: [] }
      : { kind: "RequestRefused", reason: "Busy" },
};
for (const [how, lie] of Object.entries(LIES)) {
  test(`eight peers that claim all blocks and ${how} do not hold up the one that has them`, async (t) => {
    // Many ranges: many failures.
    const node = await startTestNode(t, { bindAddr: BIND, sync: { rangeBlocksMax: 2 } });
    const honest = await honestNode(t);
    for (let id = 1; id <= 8; id++) await join(t, node, { id, chain, claim: 2n ** 64n - 1n, lie });
    await until(async () => (await node.peers()).length >= 8);
    void node.connect(honest.listenAddress!);
    const startMs = performance.now();
    await until(() => node.head().hash === tip.hash);
    const tookMs = Math.round(performance.now() - startMs);
    t.true(tookMs < GUARD_MS, `${tookMs} ms`);
  });
}

type Blocks = readonly Uint8Array[];
/** A range of no block, which no session would encode. */
const EMPTY_RANGE = Uint8Array.of(0x81, 0x80);

const RANGES: Readonly<Record<string, (blocks: Blocks) => Blocks | Uint8Array>> = {
  "by no block": () => EMPTY_RANGE,
  "in another order": (blocks) => [...blocks].reverse(),
  "with a block left out": ([first, , ...rest]) => [first!, ...rest],
  "with a block too many": (blocks) => [...blocks, blocks.at(-1)!],
};
for (const [how, spoil] of Object.entries(RANGES)) {
  test(`who answers a range ${how} is gone for it, and another one is asked`, async (t) => {
    const node = await startTestNode(t, { bindAddr: BIND });
    const lie: Lie = (_request, honest) => {
      if (honest === "silence" || honest.kind !== "ResponseBlockRange") return honest;
      const blocks = spoil(honest.blocks);
      return blocks instanceof Uint8Array ? blocks : { ...honest, blocks };
    };
    const gone = nextEvent(node, "PeerDisconnected");
    const { raw } = await join(t, node, { id: 1, chain, lie });
    const { peerId, reason } = await gone;
    t.deepEqual([peerId, reason], [raw.peerId, "ProtocolViolation"]);
    void node.connect((await honestNode(t)).listenAddress!);
    await reaches(node, tip.hash);
    t.pass();
  });
}

test("a chain with an invalid block is downloaded once, whoever offers it again", async (t) => {
  const key = makeKey(1);
  const forged = makeTransaction(key, 0).slice();
  forged[forged.length - 1]! ^= 1;
  const bad = makeBlock({ parent: chain[29]!.header, transactions: [forged] });
  const invalid = [...chain.slice(0, 30), bad, ...makeChain(60, { parent: bad.header })];
  const node = await startTestNode(t, { bindAddr: BIND });
  for (const id of [1, 2, 3]) {
    const ended = nextEvent(node, "PeerDisconnected");
    const { asked } = await join(t, node, { id, chain: invalid });
    await ended;
    const bodies = asked.some(({ kind }) => kind === "RequestBlockRange");
    t.is(bodies, id === 1, `asked ${id}`);
  }
  t.true(node.head().height <= 30);
});

test("a node is synced once it has seen headers, not when nobody says more", async (t) => {
  const node = await startTestNode(t, { bindAddr: BIND, sync: { retryMs: 50 } });
  const stateOf = async (): Promise<string> => (await node.status()).sync.state;
  t.is(await stateOf(), "waiting");
  // It claims less than the node has, and proves nothing.
  const connected = nextEvent(node, "PeerConnected");
  await join(t, node, { id: 1, chain: [], claim: 1n, lie: () => "silence" });
  await connected;
  t.is(await stateOf(), "waiting");
  const honest = await honestNode(t);
  void node.connect(honest.listenAddress!);
  await reaches(node, tip.hash);
  await until(async () => (await stateOf()) === "synced");
});

test("a node that starts with its peer's chain looks at one header of it before it is synced", async (t) => {
  const blockStore = await storeOf(chain);
  const node = await startTestNode(t, { bindAddr: BIND, sync: { retryMs: 50 } }, { blockStore });
  const { asked } = await join(t, node, { id: 1, chain });
  await until(async () => (await node.status()).sync.state === "synced");
  t.like(asked, [{ kind: "RequestHeaders", countMax: 1 }]);
  t.is(asked.length, 1);
});

test("a network of one is synced when it is told that it is alone", async (t) => {
  const node = await startTestNode(t, { alone: true });
  t.is((await node.status()).sync.state, "synced");
});
