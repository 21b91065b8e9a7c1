import test from "ava";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { transactionHandler } from "../../../src/actors/handlers/transaction-handler.js";
import type { SubmitOutcome } from "../../../src/actors/handlers/transaction-handler-state.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type { MempoolMessage } from "../../../src/actors/integration/mempool-integration.js";
import type { BroadcasterMessage } from "../../../src/actors/peer/peer-broadcaster.js";
import type {
  Incoming,
  PeerHandlerMessage,
} from "../../../src/actors/peer/peer-handler-messages.js";
import type { Answer } from "../../../src/actors/peer/dealt.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import type { SystemRouterMessage } from "../../../src/actors/service/system-router.js";
import { CodedError } from "../../../src/errors.js";
import type { MempoolAnswer, WorkerPool } from "../../../src/ports.js";
import { makeKey, makeTransaction, transactionId } from "../../support/chain.js";
import { createHarness, peerIdOf, published, refusing, type HarnessOptions } from "../support.js";

const key = makeKey(1);
const at = (nonce: number): Uint8Array => makeTransaction(key, nonce);
const idAt = (nonce: number): string => transactionId(at(nonce));
function forged(nonce: number): Uint8Array {
  const bytes = at(nonce).slice();
  bytes[bytes.length - 1]! ^= 1;
  return bytes;
}

type Kind = "NewTransaction" | "AnnounceTransactions" | "RequestTransactions";
interface StartOptions extends HarnessOptions {
  readonly answer?: (id: string) => MempoolAnswer;
  readonly mempoolFull?: boolean;
}

async function start(options: StartOptions = {}) {
  const harness = createHarness(options);
  const router = harness.probe<MessageRouterMessage>();
  const broadcaster = harness.probe<BroadcasterMessage>();
  const reputation = harness.probe<ReputationMessage>();
  const events = harness.probe<EventBusMessage>();
  const peer = harness.probe<PeerHandlerMessage>();
  const answers = harness.probe<Answer>();
  const submitter = harness.probe<SubmitOutcome>();
  const batches: string[][] = [];
  const answer = options.answer ?? ((): MempoolAnswer => ({ ok: true }));
  const system = harness.probe<SystemRouterMessage>(({ message }) => {
    if ((message as MempoolMessage).type !== "AddTransactions") return;
    const add = message as Extract<MempoolMessage, { type: "AddTransactions" }>;
    const ids = add.transactions.map(({ id }) => id);
    batches.push(ids);
    add.replyTo.tell(ids.map(answer));
  });
  const ref = harness.spawn(transactionHandler, {
    router: router.ref,
    system: options.mempoolFull ? refusing<SystemRouterMessage>() : system.ref,
    broadcaster: broadcaster.ref,
    reputation: reputation.ref,
    events: events.ref,
  });
  await harness.settle();
  const request = (
    message: Incoming<Kind>["message"],
    replyTo: ActorRef<Answer>,
    requestId = 12,
    peerId = peerIdOf(1),
  ) => {
    const held = { lane: "transaction", bytes: 9, requestId } as const;
    return { type: "Incoming", peerId, from: peer.ref, replyTo, ...held, message } as const;
  };
  const incoming = (
    message: Incoming<Kind>["message"],
    requestId = 0,
    peerId = peerIdOf(1),
    from = peer.ref,
  ): void => void ref.tell({ ...request(message, answers.ref, requestId, peerId), from });
  return {
    ...harness,
    ref,
    router,
    system,
    broadcaster,
    reputation,
    events,
    peer,
    submitter,
    batches,
    request,
    incoming,
    push: (transaction: Uint8Array) => incoming({ kind: "NewTransaction", transaction }),
    announce: (...ids: string[]) => incoming({ kind: "AnnounceTransactions", ids }),
    submit: (transaction: Uint8Array) =>
      ref.tell({ type: "Submit", transaction, replyTo: submitter.ref }),
    relayed: () =>
      broadcaster
        .of("RelayTransactions")
        .flatMap(({ transactions }) => transactions.map(({ id }) => id)),
    /** Messages of peers that were dealt with. */
    done: () => answers.received.filter((answer) => answer === "Done").length,
    answers,
    requested: () => peer.of("Request"),
  };
}

test("it registers for the kinds of transactions", async (t) => {
  const { router } = await start();
  const [register] = router.of("Register");
  t.deepEqual([...register!.kinds].sort(), [
    "AnnounceShortIds",
    "AnnounceTransactions",
    "NewTransaction",
    "RequestTransactions",
  ]);
});

test("a valid transaction of a peer is added, relayed, rewarded, and its credit given back", async (t) => {
  const harness = await start();
  harness.push(at(0));
  await harness.settle();
  t.deepEqual(harness.batches, [[idAt(0)]]);
  t.deepEqual(harness.relayed(), [idAt(0)]);
  t.deepEqual(
    harness.reputation.of("Report").map(({ event }) => event),
    ["GoodTransaction"],
  );
  t.is(harness.done(), 1);
  t.deepEqual(harness.broadcaster.of("PeerKnows"), [
    {
      type: "PeerKnows",
      what: "transaction",
      how: "pushed",
      peerId: peerIdOf(1),
      hashes: [idAt(0)],
    },
  ]);
});

test("a local submitter hears what became of its transaction", async (t) => {
  const harness = await start({
    answer: (id) => (id === idAt(1) ? { ok: false, reason: "underpriced" } : { ok: true }),
  });
  for (const transaction of [at(0), at(1), forged(2)]) {
    harness.submit(transaction);
    await harness.settle();
  }
  const [good, poor, bad] = harness.submitter.received;
  t.deepEqual(good, { ok: true, id: idAt(0) });
  t.deepEqual(poor, { ok: false, id: idAt(1), rule: "underpriced", detail: "" });
  t.like(bad, { ok: false, id: transactionId(forged(2)), rule: "signature" });
  t.regex(bad!.ok ? "" : bad!.detail, /signature/);
  t.deepEqual(harness.reputation.received, []);
  t.deepEqual(harness.relayed(), [idAt(0)]);
});

test("an invalid transaction is its sender's fault; a refused one is nobody's", async (t) => {
  const harness = await start({ answer: () => ({ ok: false, reason: "nonce" }) });
  harness.push(forged(0));
  harness.push(at(1));
  await harness.settle();
  t.deepEqual(
    harness.reputation.of("Report").map(({ event, peerId }) => [event, peerId]),
    [["InvalidTransaction", peerIdOf(1)]],
  );
  const told = published(harness.events).map((event) =>
    event.type === "TransactionRejected" ? event.rule : event.type,
  );
  const each = ["TransactionReceived", "TransactionReceived", "TransactionValidated"];
  t.deepEqual(told.sort(), [...each, "nonce", "signature"]);
  t.is(harness.done(), 2);
});

test("what was seen is not checked again: no blame, credit back", async (t) => {
  const harness = await start();
  for (const transaction of [at(0), forged(1)]) {
    for (let i = 0; i < 3; i++) harness.push(transaction);
  }
  await harness.settle();
  t.is(harness.batches.flat().length, 1);
  t.is(harness.done(), 6);
  t.is(harness.reputation.of("Report").length, 2);
});

test("what is submitted again is answered as the mempool is by then", async (t) => {
  const answers: MempoolAnswer[] = [
    { ok: false, reason: "full" },
    { ok: true },
    { ok: false, reason: "known" },
  ];
  const harness = await start({ answer: () => answers.shift()! });
  const id = idAt(0);
  for (const outcome of [
    { ok: false, id, rule: "full", detail: "" },
    { ok: true, id },
    { ok: false, id, rule: "known", detail: "" },
  ]) {
    harness.submit(at(0));
    await harness.settle();
    t.deepEqual(harness.submitter.last, outcome);
  }
});

test("what comes together is checked together, in batches of the limit", async (t) => {
  const sizes: number[] = [];
  const base = createHarness().env.workers;
  const workers: WorkerPool = {
    ...base,
    validateTransactions: (packed) => {
      sizes.push(packed.ends.length);
      return base.validateTransactions(packed);
    },
  };
  const config = { gossip: { transactionBatchMax: 4 } };
  const harness = await start({ config, env: { workers } });
  harness.scheduler.messagesPerTurn = 100;
  for (let nonce = 0; nonce < 10; nonce++) harness.push(at(nonce));
  await harness.settle();
  t.deepEqual(sizes, [4, 4, 2]);
  t.deepEqual(
    harness.batches.flat(),
    Array.from({ length: 10 }, (_, nonce) => idAt(nonce)),
  );
});

test("whoever answers no requests owes a bounded number, and others are asked all the same", async (t) => {
  const harness = await start();
  for (let nonce = 0; nonce < 5; nonce++) {
    harness.announce(idAt(nonce));
    await harness.settle();
  }
  t.is(harness.requested().length, 2);
  const message = { kind: "AnnounceTransactions", ids: [idAt(4)] } as const;
  const other = harness.probe<PeerHandlerMessage>();
  harness.incoming(message, 0, peerIdOf(2), other.ref);
  await harness.settle();
  t.is(other.of("Request").length, 1);
});

test("a stranger has a batch in the pool at once, and a submission has its place beside it", async (t) => {
  const base = createHarness().env.workers;
  const answers: (() => void)[] = [];
  const workers: WorkerPool = {
    ...base,
    validateTransactions: (packed) =>
      new Promise((resolve) => answers.push(() => resolve(base.validateTransactions(packed)))),
  };
  const config = { gossip: { transactionBatchMax: 1 } };
  const harness = await start({ config, env: { workers } });
  for (let nonce = 0; nonce < 4; nonce++) {
    harness.push(at(nonce));
    await harness.settle();
  }
  t.is(answers.length, 1);
  t.is(harness.done(), 0, "all that the router hands on is taken");
  harness.submit(at(9));
  await harness.settle();
  t.is(answers.length, 2);
  t.is(harness.submitter.received.length, 0, "it is not refused");
  while (answers.length > 0) {
    answers.shift()!();
    await harness.settle();
  }
  t.is(harness.batches.flat().length, 5);
});

test("a peer that stops with a request in its mailbox keeps nobody from its transactions", async (t) => {
  const harness = await start();
  harness.scheduler.hold(harness.peer.ref.path);
  harness.announce(idAt(0));
  await harness.settle();
  harness.peer.stop();
  harness.scheduler.release(harness.peer.ref.path);
  await harness.settle();
  const other = harness.probe<PeerHandlerMessage>();
  const ids = [idAt(0)];
  harness.ref.tell({
    type: "Incoming",
    peerId: peerIdOf(2),
    from: other.ref,
    lane: "transaction",
    bytes: 9,
    requestId: 0,
    replyTo: harness.answers.ref,
    message: { kind: "AnnounceTransactions", ids },
  });
  await harness.settle();
  t.deepEqual(
    other.of("Request").map(({ message }) => message),
    [{ kind: "RequestTransactions", ids }],
  );
});

test("when the pool loses a batch its transactions may come again", async (t) => {
  const base = createHarness().env.workers;
  let lost = 1;
  const workers: WorkerPool = {
    ...base,
    validateTransactions: (packed) =>
      lost-- > 0
        ? Promise.reject(new CodedError("WORKER_LOST", "A thread died."))
        : base.validateTransactions(packed),
  };
  const harness = await start({ env: { workers } });
  harness.submit(at(0));
  await harness.settle();
  t.deepEqual(harness.submitter.last, { ok: false, id: idAt(0), rule: "busy", detail: "" });
  harness.submit(at(0));
  await harness.settle();
  t.deepEqual(harness.submitter.last, { ok: true, id: idAt(0) });
});

test("when the mempool cannot be told the submitter hears that the node is busy", async (t) => {
  const harness = await start({ mempoolFull: true });
  harness.submit(at(0));
  await harness.settle();
  t.deepEqual(harness.submitter.last, { ok: false, id: idAt(0), rule: "busy", detail: "" });
});

// ---- announcements ---------------------------------------------------------------------------

test("announced ids that nobody sent yet are asked of the announcer, once", async (t) => {
  const harness = await start();
  harness.push(at(0));
  await harness.settle();
  harness.announce(idAt(0), idAt(1), idAt(2));
  harness.announce(idAt(2), idAt(3));
  await harness.settle();
  t.deepEqual(
    harness.requested().map(({ message }) => message),
    [
      { kind: "RequestTransactions", ids: [idAt(1), idAt(2)] },
      { kind: "RequestTransactions", ids: [idAt(3)] },
    ],
  );
  t.is(harness.done(), 3);
  t.deepEqual(
    harness.broadcaster.of("PeerKnows").map(({ hashes }) => hashes),
    [[idAt(0)], [idAt(0), idAt(1), idAt(2)], [idAt(2), idAt(3)]],
  );
});

test("the answer is checked like any transaction, under its sender's name", async (t) => {
  const harness = await start();
  harness.announce(idAt(0), transactionId(forged(1)));
  await harness.settle();
  harness.requested()[0]!.replyTo.tell({
    ok: true,
    elapsedMs: 1,
    message: { kind: "ResponseTransactions", transactions: [at(0), forged(1)] },
  });
  await harness.settle();
  t.deepEqual(harness.batches, [[idAt(0)]]);
  const events = harness.reputation.of("Report").map(({ event }) => event);
  t.deepEqual(events.sort(), ["GoodTransaction", "InvalidTransaction"]);
});

test("what an announcer does not deliver is asked of the next one", async (t) => {
  const harness = await start();
  harness.announce(idAt(0));
  await harness.settle();
  harness.requested()[0]!.replyTo.tell({ ok: false, reason: "Timeout" });
  harness.announce(idAt(0));
  await harness.settle();
  t.is(harness.requested().length, 2);
  // An answer that lacks it is no delivery either.
  harness.requested()[1]!.replyTo.tell({
    ok: true,
    elapsedMs: 1,
    message: { kind: "ResponseTransactions", transactions: [] },
  });
  harness.announce(idAt(0));
  await harness.settle();
  t.is(harness.requested().length, 3);
});

test("a peer's request goes to the mempool", async (t) => {
  const harness = await start();
  harness.incoming({ kind: "RequestTransactions", ids: [idAt(0)] }, 12);
  await harness.settle();
  t.like(harness.system.received.at(-1), {
    to: "mempool",
    message: { type: "ServeTransactions", replyTo: harness.answers.ref },
  });
});

test("a peer's request that the node cannot take is refused", async (t) => {
  const harness = await start({ mempoolFull: true });
  const outcome = await harness.outcomeOf<Parameters<typeof harness.ref.tell>[0], Answer>(
    harness.ref,
    (replyTo) => harness.request({ kind: "RequestTransactions", ids: [idAt(0)] }, replyTo),
  );
  t.deepEqual(outcome, { ok: false, reason: "refused" });
});
