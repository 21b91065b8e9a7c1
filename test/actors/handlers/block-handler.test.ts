import test from "ava";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { blockHandler } from "../../../src/actors/handlers/block-handler.js";
import type { ProducedOutcome } from "../../../src/actors/handlers/block-origin.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type { NetworkEvent } from "../../../src/actors/events/event-types.js";
import type { OutcomeBody } from "../../../src/actors/integration/chain-commits.js";
import type {
  ConnectOutcome,
  ConsensusMessage,
} from "../../../src/actors/integration/consensus-integration.js";
import type { BroadcasterMessage } from "../../../src/actors/peer/peer-broadcaster.js";
import type {
  Incoming,
  PeerHandlerMessage,
} from "../../../src/actors/peer/peer-handler-messages.js";
import type { Answer } from "../../../src/actors/peer/dealt.js";
import { guardConsensus } from "../../../src/actors/integration/guarded-consensus.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import type { SystemRouterMessage } from "../../../src/actors/service/system-router.js";
import type { SyncMessage } from "../../../src/actors/sync/sync-messages.js";
import { CodedError } from "../../../src/errors.js";
import type { WorkerPool } from "../../../src/ports.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  testParams,
  type MadeBlock,
} from "../../support/chain.js";
import type { ChainRules, RuleName } from "../../../src/types/chain.js";
import {
  connectAll,
  consensus,
  createHarness,
  genesis,
  peerIdOf,
  published,
  refusing,
  START_WALL_MS,
  type HarnessOptions,
  type Probe,
} from "../support.js";

type Connect = Extract<ConsensusMessage, { type: "Connect" }>;
type Outcome = ConnectOutcome extends infer O
  ? O extends ConnectOutcome
    ? Omit<O, "type" | "tag">
    : never
  : never;
interface StartOptions extends HarnessOptions {
  /** The fate of a block; undefined: it is connected. */
  readonly outcome?: (hash: string) => Outcome | undefined;
  readonly full?: boolean;
}

async function start(options: StartOptions = {}) {
  const harness = createHarness(options);
  const router = harness.probe<MessageRouterMessage>();
  const registry = harness.probe<RegistryMessage>();
  const broadcaster = harness.probe<BroadcasterMessage>();
  const sync = harness.probe<SyncMessage>();
  const reputation = harness.probe<ReputationMessage>();
  const events = harness.probe<EventBusMessage>();
  const peer = harness.probe<PeerHandlerMessage>();
  const answers = harness.probe<Answer>();
  const producer = harness.probe<ProducedOutcome>();
  const connects: Connect[] = [];
  const system = harness.probe<SystemRouterMessage>(({ message }) => {
    if (message.type !== "Connect") return;
    connects.push(message);
    const { header } = message.blocks[0]!;
    const outcome = options.outcome?.(header.hash);
    if (outcome === undefined) connectAll(harness.stores.blocks, message.blocks);
    const fate = outcome ?? { ok: true, head: header };
    const { tag, replyTo } = message;
    replyTo.tell({ type: "ConnectOutcome", tag, ...fate });
  });
  const ref = harness.spawn(blockHandler, {
    router: router.ref,
    registry: registry.ref,
    system: options.full ? refusing<SystemRouterMessage>() : system.ref,
    broadcaster: broadcaster.ref,
    sync: sync.ref,
    reputation: reputation.ref,
    events: events.ref,
  });
  await harness.settle();
  type BlockMessage = Incoming<"NewBlock" | "AnnounceBlock" | "RequestBlock">["message"];
  const request = (message: BlockMessage, replyTo: ActorRef<Answer>, requestId = 5) => {
    const held = { lane: "block", bytes: 9, requestId } as const;
    const from = { peerId: peerIdOf(1), from: peer.ref, replyTo };
    return { type: "Incoming", ...from, ...held, message } as const;
  };
  const incoming = (message: BlockMessage, requestId = 0): void =>
    void ref.tell(request(message, answers.ref, requestId));
  return {
    ...harness,
    ref,
    router,
    registry,
    system,
    sync,
    broadcaster,
    reputation,
    events,
    peer,
    producer,
    connects,
    request,
    incoming,
    push: (block: Uint8Array) => incoming({ kind: "NewBlock", block }),
    announce: ({ header }: MadeBlock, height = header.height) =>
      incoming({
        kind: "AnnounceBlock",
        hash: header.hash,
        height: BigInt(height),
        totalDifficulty: header.totalDifficulty,
      }),
    deliver: (block: Uint8Array | undefined, replyTo = peer.of("Request").at(-1)!.replyTo) => {
      if (block === undefined) replyTo.tell({ ok: false, reason: "NotFound" });
      else {
        replyTo.tell({ ok: true, elapsedMs: 1, message: { kind: "ResponseBlock", block } });
      }
    },
    /** Messages of peers that were dealt with. */
    done: () => answers.received.filter((answer) => answer === "Done").length,
    answers,
    blames: () => reputation.of("Report").map(({ event }) => event),
  };
}

const [one, two, three] = makeChain(3) as [MadeBlock, MadeBlock, MadeBlock];

function rejections(events: Probe<EventBusMessage>): NetworkEvent[] {
  return published(events).filter(({ type }) => type === "BlockRejected");
}

const { header } = one;
const fault = { rule: "nonce", detail: "used twice" } as const;
for (const [outcome, fate] of [
  [{ ok: true, head: header }, []],
  [{ ok: true, head: header, aside: "kept" }, [{ type: "BlockSetAside" }]],
  [{ ok: true, head: header, aside: "let-go" }, [{ type: "BlockDropped", reason: "light" }]],
  [{ ok: false, reason: "too-deep" }, [{ type: "BlockDropped", reason: "too-deep" }]],
  [{ ok: false, reason: "busy" }, [{ type: "BlockDropped", reason: "busy" }]],
  [{ ok: false, reason: "fault", hash: header.hash, fault }, [{ type: "BlockRejected" }]],
] as [OutcomeBody, Partial<NetworkEvent>[]][]) {
  const name = fate[0]?.type ?? "nothing more";
  const why = outcome.ok ? (outcome.aside ?? "connected") : outcome.reason;
  test(`of a block that is taken one fate is told: ${name} where it is ${why}`, async (t) => {
    const harness = await start({ outcome: () => outcome });
    harness.push(one.bytes);
    await harness.settle();
    const { hash, height } = header;
    t.like(published(harness.events), [
      { type: "BlockReceived", hash, height, peerId: peerIdOf(1) },
      { type: "BlockValidated", hash, height },
      ...fate.map((event) => ({ ...event, hash })),
    ]);
    t.is(published(harness.events).length, 2 + fate.length);
  });
}

test("it registers for the kinds of blocks", async (t) => {
  const { router } = await start();
  const [register] = router.of("Register");
  const kinds = [
    "AnnounceBlock",
    "CompactBlock",
    "GetBlockTransactions",
    "NewBlock",
    "RequestBlock",
  ];
  t.deepEqual([...register!.kinds].sort(), kinds);
});

test("a pushed block is checked, connected and rewarded; credit goes back at the end", async (t) => {
  const harness = await start();
  harness.push(one.bytes);
  await harness.settle();
  t.is(harness.stores.blocks.head().hash, one.header.hash);
  t.deepEqual(harness.blames(), ["GoodBlock"]);
  t.is(harness.done(), 1);
  t.deepEqual(harness.broadcaster.of("PeerKnows"), [
    {
      type: "PeerKnows",
      what: "block",
      how: "pushed",
      peerId: peerIdOf(1),
      hashes: [one.header.hash],
    },
  ]);
  t.is(harness.registry.of("HeadClaimed")[0]?.head.hash, one.header.hash);
});

test("a block of this node takes the same way, without anybody to reward", async (t) => {
  const harness = await start();
  harness.ref.tell({ type: "Produced", block: one.bytes, replyTo: harness.producer.ref });
  await harness.settle();
  t.is(harness.stores.blocks.head().hash, one.header.hash);
  t.deepEqual(harness.reputation.received, []);
  t.deepEqual(harness.broadcaster.received, []);
});

const { header: parent } = genesis;
const broken: { readonly [R in RuleName]?: Uint8Array } = {
  encoding: Uint8Array.of(1, 2, 3),
  size: new Uint8Array(testParams.blockBytesMax + 1),
  height: makeBlock({ fields: { height: 2 } }).bytes,
  time: makeBlock({ fields: { timestampMs: parent.timestampMs } }).bytes,
  difficulty: makeBlock({
    fields: { difficulty: 17n, totalDifficulty: parent.totalDifficulty + 17n },
  }).bytes,
  "total-difficulty": makeBlock({ fields: { totalDifficulty: 10_000n } }).bytes,
  "proof-of-work": makeBlock({ sealed: false }).bytes,
  root: makeBlock({ fields: { transactionRoot: new Uint8Array(32).fill(1) } }).bytes,
  signature: makeBlock({ transactions: [forged()] }).bytes,
};
function forged(): Uint8Array {
  const bytes = makeTransaction(makeKey(1), 0).slice();
  bytes[bytes.length - 1]! ^= 1;
  return bytes;
}
for (const [rule, block] of Object.entries(broken)) {
  test(`a pushed block that breaks the rule of ${rule} is named and blamed`, async (t) => {
    const harness = await start();
    harness.push(block);
    await harness.settle();
    t.like(rejections(harness.events)[0], {
      type: "BlockRejected",
      rule: rule as RuleName,
      peerId: peerIdOf(1),
    });
    t.deepEqual(harness.blames(), ["InvalidBlock"]);
    t.is(harness.connects.length, 0);
    t.is(harness.done(), 1);
  });
}

test("a block from the future is refused and blames nobody: its sender's clock allowed it", async (t) => {
  const timestampMs = START_WALL_MS + testParams.maxFutureMs + 500;
  const harness = await start();
  harness.push(makeBlock({ fields: { timestampMs } }).bytes);
  await harness.settle();
  t.like(rejections(harness.events)[0], { type: "BlockRejected", rule: "future" });
  t.deepEqual(harness.blames(), []);
  t.is(harness.connects.length, 0);
  t.is(harness.done(), 1);
});

test("rules that throw at a peer's block cost that block, and blame nobody", async (t) => {
  const rules: ChainRules = {
    ...consensus.rules,
    readHeader() {
      throw new Error("rules of the caller's own");
    },
  };
  const guarded = guardConsensus({ ...consensus, rules }, { write: () => undefined });
  const harness = await start({ env: { consensus: guarded } });
  harness.push(one.bytes);
  await harness.settle();
  t.like(rejections(harness.events)[0], { type: "BlockRejected", rule: "consensus-failed" });
  t.deepEqual(harness.reputation.received, []);
  t.is(harness.done(), 1);
});

test("whoever made a block hears what became of it", async (t) => {
  const broken = makeBlock({ transactions: [makeTransaction(makeKey(1), 1)], sealed: false });
  const custom = { rule: "custom", detail: "of the chain's own", transaction: 1 } as const;
  const cases = [
    [one.bytes, undefined, { ok: true }],
    [broken.bytes, undefined, { ok: false, reason: "proof-of-work" }],
    [Uint8Array.of(1, 2, 3), undefined, { ok: false, reason: "encoding" }],
    [two.bytes, undefined, { ok: false, reason: "orphan" }],
    [one.bytes, { ok: false, reason: "too-deep" }, { ok: false, reason: "too-deep" }],
    [
      one.bytes,
      { ok: false, reason: "fault", hash: one.header.hash, fault: custom },
      { ok: false, reason: "custom", fault: custom },
    ],
  ] as const;
  for (const [block, outcome, expected] of cases) {
    const harness = await start(outcome === undefined ? {} : { outcome: () => outcome });
    harness.ref.tell({ type: "Produced", block, replyTo: harness.producer.ref });
    await harness.settle();
    t.is(harness.producer.received.length, 1);
    t.like(harness.producer.last, expected);
  }
});

test("a broken block of this node is published and blames nobody", async (t) => {
  const harness = await start();
  const block = new Uint8Array([1, 2, 3]);
  harness.ref.tell({ type: "Produced", block, replyTo: harness.producer.ref });
  await harness.settle();
  t.like(rejections(harness.events)[0], { type: "BlockRejected", rule: "encoding" });
  t.false("peerId" in rejections(harness.events)[0]!);
  t.deepEqual(harness.reputation.received, []);
});

test("a block that breaks a rule of state is blamed too", async (t) => {
  const fault = { rule: "nonce", detail: "used twice" } as const;
  const harness = await start({
    outcome: (hash) => ({ ok: false, reason: "fault", hash, fault }),
  });
  harness.push(one.bytes);
  await harness.settle();
  t.like(rejections(harness.events)[0], { rule: "nonce", hash: one.header.hash });
  t.deepEqual(harness.blames(), ["InvalidBlock"]);
});

test("what cannot be connected for other reasons is nobody's fault", async (t) => {
  for (const outcome of [
    { ok: false, reason: "busy" },
    { ok: false, reason: "too-deep" },
    { ok: false, reason: "store-failed" },
    { ok: false, reason: "orphan", missing: "" },
  ] as const) {
    const harness = await start({ outcome: () => outcome });
    harness.push(one.bytes);
    await harness.settle();
    t.deepEqual(harness.blames(), []);
    t.is(harness.done(), 1);
    t.is(harness.sync.of("BehindPeer").length, outcome.reason === "orphan" ? 1 : 0);
  }
});

test("a known block is not checked again", async (t) => {
  const harness = await start({ chain: [one] });
  harness.push(one.bytes);
  harness.push(two.bytes);
  harness.push(two.bytes);
  await harness.settle();
  t.is(harness.connects.length, 1);
  t.is(harness.done(), 3);
});

test("a block whose parent is on its way waits for it", async (t) => {
  const harness = await start();
  for (const { bytes } of [one, three, two]) harness.push(bytes);
  await harness.settle();
  t.is(harness.stores.blocks.head().hash, two.header.hash);
  harness.push(three.bytes);
  await harness.settle();
  t.is(harness.stores.blocks.head().hash, three.header.hash);
});

test("children of an invalid block are a case for sync", async (t) => {
  const fault = { rule: "nonce", detail: "used twice" } as const;
  const harness = await start({
    outcome: (hash) => ({ ok: false, reason: "fault", hash, fault }),
  });
  harness.push(one.bytes);
  harness.push(two.bytes);
  await harness.settle();
  t.is(harness.connects.length, 1);
  t.is(harness.sync.of("BehindPeer").length, 1);
  t.is(harness.done(), 2);
});

test("a block without its parent is a case for sync", async (t) => {
  const harness = await start();
  harness.push(three.bytes);
  await harness.settle();
  t.deepEqual(harness.sync.received, [{ type: "BehindPeer", peerId: peerIdOf(1) }]);
  t.deepEqual(harness.blames(), []);
  t.is(harness.done(), 1);
});

test("a block that the pool lost comes by sync, and blames nobody", async (t) => {
  const base = createHarness().env.workers;
  const workers: WorkerPool = {
    ...base,
    validateBlocks: () => Promise.reject(new CodedError("QUEUE_FULL", "The pool is full.")),
  };
  const harness = await start({ env: { workers } });
  harness.push(one.bytes);
  await harness.settle();
  t.is(harness.sync.of("BehindPeer").length, 1);
  t.deepEqual(harness.blames(), []);
  t.is(harness.done(), 1);
});

// ---- announcements ---------------------------------------------------------------------------

test("the next block is asked of its announcer, once", async (t) => {
  const harness = await start();
  harness.announce(one);
  harness.announce(one);
  await harness.settle();
  const requests = harness.peer.of("Request");
  t.deepEqual(
    requests.map(({ message }) => message),
    [{ kind: "RequestBlock", hash: one.header.hash }],
  );
  t.is(harness.done(), 2);
  harness.deliver(one.bytes);
  await harness.settle();
  t.is(harness.stores.blocks.head().hash, one.header.hash);
});

test("an announcement that was not delivered may be followed from another peer", async (t) => {
  const harness = await start();
  harness.announce(one);
  await harness.settle();
  harness.deliver(undefined);
  harness.announce(one);
  await harness.settle();
  t.is(harness.peer.of("Request").length, 2);
  t.deepEqual(harness.blames(), []);
});

test("a peer that stops with a request in its mailbox leaves the block to the next one", async (t) => {
  const harness = await start();
  harness.scheduler.hold(harness.peer.ref.path);
  harness.announce(one);
  await harness.settle();
  harness.peer.stop();
  harness.scheduler.release(harness.peer.ref.path);
  await harness.settle();
  const other = harness.probe<PeerHandlerMessage>();
  const { hash, height, totalDifficulty } = one.header;
  harness.ref.tell({
    type: "Incoming",
    peerId: peerIdOf(2),
    from: other.ref,
    lane: "block",
    bytes: 9,
    requestId: 0,
    replyTo: harness.answers.ref,
    message: { kind: "AnnounceBlock", hash, height: BigInt(height), totalDifficulty },
  });
  await harness.settle();
  t.deepEqual(
    other.of("Request").map(({ message }) => message),
    [{ kind: "RequestBlock", hash }],
  );
});

test("another block than the one asked for is a violation", async (t) => {
  const harness = await start();
  harness.announce(one);
  await harness.settle();
  harness.deliver(makeBlock({ fields: { extra: Uint8Array.of(1) } }).bytes);
  await harness.settle();
  t.like(harness.reputation.of("Broke"), [{ rule: "answer" }]);
  t.is(harness.connects.length, 0);
});

test("a head that is more than a step ahead is a case for sync", async (t) => {
  const harness = await start();
  harness.announce(two);
  harness.announce(one, 2 ** 53);
  await harness.settle();
  t.is(harness.peer.of("Request").length, 0);
  t.is(harness.sync.of("BehindPeer").length, 2);
});

test("a known head is not asked for", async (t) => {
  const harness = await start({ chain: [one] });
  harness.announce(one);
  await harness.settle();
  t.is(harness.peer.of("Request").length, 0);
});

test("no more than a bounded number of blocks are asked of one peer at once", async (t) => {
  const harness = await start();
  for (let i = 0; i < 70; i++) {
    const hash = i.toString(16).padStart(64, "0");
    harness.incoming({ kind: "AnnounceBlock", hash, height: 1n, totalDifficulty: 1n });
  }
  await harness.settle();
  t.is(harness.peer.of("Request").length, 2);
});

// ---- serving ---------------------------------------------------------------------------------

test("a request for a block goes to storage", async (t) => {
  const harness = await start();
  harness.incoming({ kind: "RequestBlock", hash: one.header.hash }, 5);
  await harness.settle();
  t.like(harness.system.received[0], { to: "storage", message: { type: "Serve" } });
  t.like(harness.system.received[0]!.message, { replyTo: harness.answers.ref });
});

test("a request that the node cannot take is refused", async (t) => {
  const harness = await start({ full: true });
  const outcome = await harness.outcomeOf<Parameters<typeof harness.ref.tell>[0], Answer>(
    harness.ref,
    (replyTo) => harness.request({ kind: "RequestBlock", hash: one.header.hash }, replyTo),
  );
  t.deepEqual(outcome, { ok: false, reason: "refused" });
});
