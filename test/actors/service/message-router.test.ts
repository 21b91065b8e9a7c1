import test from "ava";
import { messageRouter, type KindStatistics } from "../../../src/actors/service/message-router.js";
import type {
  Incoming,
  PeerHandlerMessage,
} from "../../../src/actors/peer/peer-handler-messages.js";
import { Dealt, type Answer } from "../../../src/actors/peer/dealt.js";
import { defineActor, type ActorRef } from "../../../src/runtime/actor.js";
import { KINDS, type Message } from "../../../src/protocol/types/message.js";
import { createHarness, peerIdOf, type HarnessOptions } from "../support.js";

const HASH = "ab".repeat(32);
const block: Message = { kind: "NewBlock", block: new Uint8Array(1) };
const transaction: Message = { kind: "NewTransaction", transaction: new Uint8Array(1) };
const headers: Message = { kind: "RequestHeaders", locator: [HASH], countMax: 1 };

function start(options: HarnessOptions = {}) {
  const harness = createHarness(options);
  const router = harness.spawn(messageRouter, { mailboxMax: 100 });
  const peer = harness.probe<PeerHandlerMessage>();
  const answers = harness.probe<Answer>();
  const incoming = (message: Message, requestId = 0, bytes = 10): Incoming => {
    const { lane } = KINDS[message.kind];
    return {
      type: "Incoming",
      peerId: peerIdOf(1),
      from: peer.ref,
      message,
      lane,
      bytes,
      requestId,
      replyTo: answers.ref,
    };
  };
  return { ...harness, router, answers, incoming };
}

const kindsOf = (messages: readonly Incoming[]): string[] =>
  messages.map(({ message }) => message.kind);

test("each kind goes to the handler that registered for it", async (t) => {
  const harness = start();
  const [one, other] = [harness.probe<Incoming>(), harness.probe<Incoming>()];
  harness.router.tell({ type: "Register", kinds: ["NewBlock"], handler: one.ref });
  harness.router.tell({ type: "Register", kinds: ["NewTransaction"], handler: other.ref });
  for (const message of [transaction, block]) harness.router.tell(harness.incoming(message));
  await harness.settle();
  t.deepEqual(kindsOf(one.received), ["NewBlock"]);
  t.deepEqual(kindsOf(other.received), ["NewTransaction"]);
});

test("what comes in one turn leaves by the priority of its lane, in order within it", async (t) => {
  const harness = start();
  const handler = harness.probe<Incoming>();
  const kinds = ["NewBlock", "NewTransaction", "RequestHeaders"] as const;
  harness.router.tell({ type: "Register", kinds, handler: handler.ref });
  await harness.settle();
  harness.scheduler.messagesPerTurn = 100;
  for (const bytes of [1, 2]) {
    for (const message of [transaction, headers, block]) {
      harness.router.tell(harness.incoming(message, message === headers ? 5 : 0, bytes));
    }
  }
  await harness.settle();
  t.deepEqual(
    handler.received.map(({ message, bytes }) => `${message.kind} ${bytes}`),
    [
      "NewBlock 1",
      "NewBlock 2",
      "RequestHeaders 1",
      "RequestHeaders 2",
      "NewTransaction 1",
      "NewTransaction 2",
    ],
  );
});

test("a kind that nobody handles gives its credit back, and a request is refused", async (t) => {
  const harness = start();
  harness.router.tell(harness.incoming(transaction));
  harness.router.tell(harness.incoming(headers, 5));
  await harness.settle();
  t.deepEqual(harness.answers.received, ["Done", { kind: "RequestRefused", reason: "NotFound" }]);
});

test("what a full handler cannot take waits in order until it can", async (t) => {
  const harness = start();
  const handler = harness.probe<Incoming>(undefined, 2);
  const other = harness.probe<Incoming>();
  harness.router.tell({ type: "Register", kinds: ["NewBlock"], handler: handler.ref });
  harness.router.tell({ type: "Register", kinds: ["NewTransaction"], handler: other.ref });
  await harness.settle();
  harness.scheduler.hold(handler.ref.path);
  for (let bytes = 1; bytes <= 7; bytes++) harness.router.tell(harness.incoming(block, 0, bytes));
  harness.router.tell(harness.incoming(transaction));
  await harness.settle();
  t.is(other.received.length, 1, "the other handler does not wait");
  harness.scheduler.release(handler.ref.path);
  await harness.settle();
  t.deepEqual(
    handler.received.map(({ bytes }) => bytes),
    [1, 2, 3, 4, 5, 6, 7],
  );
});

test("it counts messages and bytes by kind", async (t) => {
  const harness = start();
  const handler = harness.probe<Incoming>();
  const kinds = ["NewBlock", "RequestHeaders"] as const;
  harness.router.tell({ type: "Register", kinds, handler: handler.ref });
  harness.router.tell(harness.incoming(block, 0, 7));
  harness.router.tell(harness.incoming(block, 0, 5));
  await harness.settle();
  const asker = harness.probe<KindStatistics>();
  harness.router.tell({ type: "GetKindStatistics", replyTo: asker.ref });
  await harness.settle();
  t.like(asker.last, {
    NewBlock: { messages: 2, bytes: 12, dropped: { overload: 0, unhandled: 0 } },
    RequestHeaders: { messages: 0, bytes: 0 },
  });
});

test("a handler that registers again after a restart keeps its route and its figures", async (t) => {
  const harness = start();
  const handler = harness.probe<Incoming>();
  const register = { type: "Register", kinds: ["NewBlock"], handler: handler.ref } as const;
  harness.router.tell(register);
  harness.router.tell(harness.incoming(block));
  await harness.settle();
  harness.router.tell(register);
  harness.router.tell(harness.incoming(block));
  await harness.settle();
  t.is(handler.received.length, 2);
  const asker = harness.probe<KindStatistics>();
  harness.router.tell({ type: "GetKindStatistics", replyTo: asker.ref });
  await harness.settle();
  t.is(asker.last?.NewBlock?.messages, 2);
});

test("two handlers for one kind are a programmer's mistake", async (t) => {
  const harness = start();
  harness.expectFault(harness.router);
  for (const handler of [harness.probe<Incoming>().ref, harness.probe<Incoming>().ref]) {
    harness.router.tell({ type: "Register", kinds: ["NewBlock"], handler });
  }
  await harness.settle();
  t.regex(String(harness.faults[0]?.error), /two handlers for NewBlock/);
});

test("after its handler stopped a kind is nobody's, and another may take it", async (t) => {
  const harness = start();
  const first = harness.probe<Incoming>();
  harness.router.tell({ type: "Register", kinds: ["NewBlock"], handler: first.ref });
  await harness.settle();
  first.stop();
  await harness.settle();
  harness.router.tell(harness.incoming(block));
  await harness.settle();
  t.deepEqual(harness.answers.received, ["Done"]);
  const second = harness.probe<Incoming>();
  harness.router.tell({ type: "Register", kinds: ["NewBlock"], handler: second.ref });
  harness.router.tell(harness.incoming(block));
  await harness.settle();
  t.is(second.received.length, 1);
});

/** Sends what a peer handler would, and keeps what comes back to it. */
function asPeer(harness: ReturnType<typeof start>) {
  const dealt: Dealt[] = [];
  const leases = { handedBytes: 0, dealt: (bytes: number) => void (leases.handedBytes -= bytes) };
  type Sent = Dealt | { readonly send: Message };
  const peer = harness.system.spawn(
    defineActor<null, Sent, null, unknown>({
      name: "sender",
      mailbox: { dataMax: 100_000, controlMax: 1, overflow: "reject" },
      onFault: { kind: "stop" },
      init: () => null,
      receive(_state, message, context) {
        if (message instanceof Dealt) {
          message.free(context.nowMs);
          dealt.push(message);
          return;
        }
        const held = { lane: KINDS[message.send.kind].lane, bytes: 10, requestId: 0 };
        const replyTo = new Dealt(held, leases, context.nowMs);
        context.expect(replyTo);
        harness.router.tell({ ...harness.incoming(message.send), replyTo });
      },
    }),
    null,
    { name: "sender" },
  );
  return {
    dealt,
    leases,
    send(message: Message, count: number): void {
      for (let i = 0; i < count; i++) peer.tell({ send: message });
    },
  };
}

async function statisticsOf(harness: ReturnType<typeof start>): Promise<KindStatistics> {
  const asker = harness.probe<KindStatistics>();
  harness.router.tell({ type: "GetKindStatistics", replyTo: asker.ref });
  await harness.settle();
  return asker.last!;
}

const announced: Message = { kind: "AnnounceTransactions", ids: [HASH] };
const request: Message = { kind: "RequestTransactions", ids: [HASH] };
const FEW = { config: { overload: { dropFrom: 8, dropAll: 32 } } };

test("what may be lost is dropped above its bound, and counted; nothing else is", async (t) => {
  const harness = start(FEW);
  const handler = harness.probe<Incoming>();
  const kinds = ["NewTransaction", "NewBlock", "RequestTransactions"] as const;
  harness.router.tell({ type: "Register", kinds, handler: handler.ref });
  const peer = asPeer(harness);
  peer.send(transaction, 100);
  peer.send(block, 100);
  peer.send(request, 100);
  await harness.settle();
  const count = (kind: string): number =>
    kindsOf(handler.received).filter((k) => k === kind).length;
  t.is(count("NewTransaction"), 32);
  t.is(count("NewBlock"), 100);
  t.is(count("RequestTransactions"), 100);
  t.is(peer.dealt.length, 68, "the credit of what is dropped comes back");
  t.true(peer.dealt.every(({ isLost }) => isLost));
  const statistics = await statisticsOf(harness);
  t.like(statistics.NewTransaction, { messages: 32, open: 32, dropped: { overload: 68 } });
  t.is(statistics.NewTransaction?.dropPart, 0.68);
  t.like(statistics.NewBlock, { messages: 100, open: 100, dropPart: 0 });
});

test("between its bounds it drops by chance, and no more when all is dealt with", async (t) => {
  const harness = start(FEW);
  const kept: ActorRef<Answer>[] = [];
  const handler = harness.probe<Incoming>(({ replyTo }) => void kept.push(replyTo));
  const kinds = ["AnnounceTransactions"] as const;
  harness.router.tell({ type: "Register", kinds, handler: handler.ref });
  const peer = asPeer(harness);
  peer.send(announced, 20);
  // The mean follows.
  for (let i = 0; i < 50; i++) {
    await harness.advance(100);
    if (i % 10 === 0) peer.send(request, 1);
  }
  await harness.settle();
  peer.send(announced, 11);
  await harness.settle();
  const dropped = peer.dealt.filter(({ isLost }) => isLost).length;
  t.true(dropped > 0 && dropped < 11, `${dropped} of 11`);
  for (const replyTo of kept) replyTo.tell("Done");
  await harness.settle();
  const before = handler.received.length;
  await harness.advance(20);
  peer.send(announced, 1);
  await harness.settle();
  await harness.advance(20);
  peer.send(announced, 1);
  await harness.settle();
  t.true(handler.received.length > before);
  t.is(peer.leases.handedBytes, 10 * (handler.received.length - before));
});

test("how long a message waited, and was worked on, is told by its kind", async (t) => {
  const harness = start();
  const kept: ActorRef<Answer>[] = [];
  const handler = harness.probe<Incoming>(({ replyTo }) => void kept.push(replyTo), 1);
  harness.router.tell({ type: "Register", kinds: ["NewBlock"], handler: handler.ref });
  await harness.settle();
  harness.scheduler.hold(handler.ref.path);
  const peer = asPeer(harness);
  peer.send(block, 2);
  await harness.advance(100);
  harness.scheduler.release(handler.ref.path);
  await harness.advance(2_000);
  for (const replyTo of kept) replyTo.tell("Done");
  await harness.settle();
  const { queued, handled, open } = (await statisticsOf(harness)).NewBlock!;
  t.is(open, 0);
  // At most 1, 4, 16, 64, 256, 1,024, 4,096 ms, and more.
  t.deepEqual(queued.counts, [1, 0, 0, 0, 1, 0, 0, 0]);
  t.deepEqual(handled.counts, [0, 0, 0, 0, 0, 0, 2, 0]);
  t.is(Math.round(queued.sumMs + handled.sumMs), 4_200);
});

test("what a busy handler cannot take goes on by weight, and a block passes a flood", async (t) => {
  const harness = start({ config: { overload: { dropFrom: 4_000, dropAll: 4_000 } } });
  const handler = harness.probe<Incoming>(undefined, 4);
  const kinds = ["NewBlock", "NewTransaction"] as const;
  harness.router.tell({ type: "Register", kinds, handler: handler.ref });
  await harness.settle();
  harness.scheduler.hold(handler.ref.path);
  for (let i = 0; i < 1_000; i++) {
    harness.router.tell(harness.incoming(transaction));
    if (i % 50 === 0) await harness.settle();
  }
  await harness.settle();
  harness.router.tell(harness.incoming(block));
  await harness.settle();
  harness.scheduler.release(handler.ref.path);
  await harness.settle();
  const kindsThen = kindsOf(handler.received);
  t.is(kindsThen.length, 1_001);
  t.true(kindsThen.indexOf("NewBlock") < 50, `it was number ${kindsThen.indexOf("NewBlock")}`);
});
