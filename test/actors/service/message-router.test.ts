import test from "ava";
import { messageRouter, type KindStatistics } from "../../../src/actors/service/message-router.js";
import type {
  Incoming,
  PeerHandlerMessage,
} from "../../../src/actors/peer/peer-handler-messages.js";
import type { Answer } from "../../../src/actors/peer/dealt.js";
import { KINDS, type Message } from "../../../src/protocol/types/message.js";
import { createHarness, peerIdOf } from "../support.js";

const HASH = "ab".repeat(32);
const block: Message = { kind: "NewBlock", block: new Uint8Array(1) };
const transaction: Message = { kind: "NewTransaction", transaction: new Uint8Array(1) };
const headers: Message = { kind: "RequestHeaders", locator: [HASH], countMax: 1 };

function start() {
  const harness = createHarness();
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
  t.deepEqual(asker.last, {
    NewBlock: { messages: 2, bytes: 12 },
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
