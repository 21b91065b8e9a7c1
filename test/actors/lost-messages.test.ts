// What a peer's message holds (credit of its lane, a place among those that are served) and who waits
// for its answer, when the actor that has it in hand is lost: told at the wire, and at submitters.

import test from "ava";
import type { ActorRef, OnFault } from "../../src/runtime/actor.js";
import { defineActor } from "../../src/runtime/actor.js";
import { blockHandler } from "../../src/actors/handlers/block-handler.js";
import { syncHandler } from "../../src/actors/handlers/sync-handler.js";
import { transactionHandler } from "../../src/actors/handlers/transaction-handler.js";
import type { SubmitOutcome } from "../../src/actors/handlers/transaction-handler-state.js";
import type { ConsensusMessage } from "../../src/actors/integration/consensus-integration.js";
import { nothingFollowed } from "../../src/actors/integration/mempool-follower.js";
import { mempoolIntegration } from "../../src/actors/integration/mempool-integration.js";
import type { MempoolMessage } from "../../src/actors/integration/mempool-integration.js";
import type { StorageMessage } from "../../src/actors/integration/storage-integration.js";
import type { Incoming } from "../../src/actors/peer/peer-handler-messages.js";
import { RESTART } from "../../src/actors/policies.js";
import type { MessageRouterMessage } from "../../src/actors/service/message-router.js";
import { messageRouter } from "../../src/actors/service/message-router.js";
import { systemRouter } from "../../src/actors/service/system-router.js";
import type { Lane, Message, MessageKind } from "../../src/protocol/types/message.js";
import type { WorkerPool } from "../../src/ports.js";
import { makeChain, makeKey, makeTransaction, type MadeBlock } from "../support/chain.js";
import { HASH, KIB, ready, type StartOptions } from "./peer/peer-bench.js";
import { createHarness } from "./support.js";

const key = makeKey(1);

/** Crashes on the messages that `isFatal` picks, and passes the others on. */
function crashing<M>(isFatal: (message: M) => boolean, onFault: OnFault = RESTART) {
  return defineActor<{ to?: ActorRef<M> }, M, { to?: ActorRef<M> }, unknown>({
    name: "crashing",
    mailbox: {
      dataMax: 1_024,
      controlMax: 16,
      overflow: "reject",
      replyOf: (message) => (message as { replyTo?: ActorRef<never> }).replyTo,
    },
    onFault,
    init: (_context, args) => args,
    receive({ to }, message) {
      if (isFatal(message)) throw new Error("a bug of this actor");
      to?.tell(message);
    },
  });
}

/** A peer at the wire, its handler, and a real router. */
async function connected(options: StartOptions = {}) {
  const toRouter: ((message: MessageRouterMessage) => void)[] = [];
  const harness = await ready({ ...options, route: (message) => toRouter[0]?.(message) });
  const router = harness.spawn(messageRouter, { mailboxMax: 1_024 });
  toRouter.push((message) => void router.tell(message));
  const register = (handler: ActorRef<Incoming>, kinds: readonly MessageKind[]): void =>
    void router.tell({ type: "Register", kinds, handler });
  const granted = { block: 0, sync: 0, transaction: 0, control: 0 } satisfies Record<Lane, number>;
  return {
    ...harness,
    register,
    /** Credit that came back on the lane, at the wire. */
    granted(lane: Lane): number {
      for (const { message } of harness.remote.heardOf("WindowUpdate")) {
        granted[message.lane] += message.bytes;
      }
      return granted[lane];
    },
    refusals: () =>
      harness.remote
        .heardOf("RequestRefused")
        .map(({ requestId, message }) => `${requestId} ${message.reason}`),
  };
}

const block = (bytes: number): Message => ({ kind: "NewBlock", block: new Uint8Array(bytes) });

test("a handler that crashes on every block costs its lane no credit", async (t) => {
  const harness = await connected();
  const handler = harness.spawn(
    crashing<Incoming>(() => true),
    {},
  );
  harness.expectFault(handler);
  harness.register(handler, ["NewBlock"]);
  // Three times the window of 256 KiB.
  for (let sent = 0; sent < 6; sent++) {
    harness.remote.send(block(128 * KIB));
    await harness.advance(2_000);
  }
  t.is(harness.faults.length, 6);
  t.true(harness.granted("block") >= 5 * 128 * KIB, `${harness.granted("block")} bytes came back`);
  t.is(harness.closing(), undefined);
});

test("what waits for a handler that stops gives its credit back, and a request is refused", async (t) => {
  const harness = await connected();
  const handler = harness.spawn(
    crashing<Incoming>(({ message }) => message.kind === "AnnounceBlock", { kind: "stop" }),
    {},
  );
  harness.expectFault(handler);
  harness.register(handler, ["NewBlock", "RequestBlock", "AnnounceBlock"]);
  await harness.settle();
  harness.scheduler.hold(handler.path);
  harness.remote.send({ kind: "AnnounceBlock", height: 1n, hash: HASH, totalDifficulty: 1n });
  harness.remote.send(block(150 * KIB));
  harness.remote.send({ kind: "RequestBlock", hash: HASH }, 5);
  await harness.settle();
  harness.scheduler.release(handler.path);
  await harness.settle();
  t.true(harness.granted("block") >= 128 * KIB, `${harness.granted("block")} bytes came back`);
  t.deepEqual(harness.refusals(), ["5 Busy"]);
});

test("a request that crashes who serves it is refused at once, and its place is free", async (t) => {
  const serve = { repliesQueuedMax: 1 };
  const harness = await connected({ config: { serve } });
  const storage = harness.spawn(
    crashing<StorageMessage>(({ type }) => type === "Serve"),
    {},
  );
  harness.expectFault(storage);
  const probe = harness.probe<unknown>().ref;
  const system = harness.spawn(systemRouter, { consensus: probe, mempool: probe, storage });
  const router = harness.probe<unknown>().ref;
  const handler = harness.spawn(syncHandler, { router, system });
  harness.register(handler as ActorRef<Incoming>, ["RequestHeaders"]);
  for (let id = 1; id <= 3; id++) {
    harness.remote.send({ kind: "RequestHeaders", locator: [HASH], countMax: 5 }, id);
    await harness.advance(100);
  }
  t.deepEqual(harness.refusals(), ["1 Busy", "2 Busy", "3 Busy"]);
});

test("a block that crashes who connects it may come again", async (t) => {
  const harness = await connected();
  let left = 1;
  const connects: ConsensusMessage[] = [];
  const consensus = harness.spawn(
    crashing<ConsensusMessage>((message) => {
      if (message.type === "Connect") connects.push(message);
      return message.type === "Connect" && left-- > 0;
    }),
    {},
  );
  harness.expectFault(consensus);
  const probe = harness.probe<unknown>().ref;
  const system = harness.spawn(systemRouter, { consensus, mempool: probe, storage: probe });
  const others = { registry: probe, broadcaster: probe, sync: probe, reputation: probe };
  const handler = harness.spawn(blockHandler, { ...others, router: probe, system, events: probe });
  harness.register(handler as ActorRef<Incoming>, ["NewBlock"]);
  const [{ bytes }] = makeChain(1) as [MadeBlock];
  for (let sent = 0; sent < 2; sent++) {
    harness.remote.send({ kind: "NewBlock", block: bytes });
    await harness.advance(2_000);
  }
  t.is(connects.length, 2);
});

/** The transaction handler and the mempool, which crashes on the first so many batches. */
async function submitting(crashes: number, pool?: (base: WorkerPool) => Partial<WorkerPool>) {
  const base = createHarness().env.workers;
  const config = { gossip: { transactionBatchMax: 1 } };
  const workers = { ...base, ...pool?.(base) };
  const harness = createHarness({ config, env: { workers } });
  const probe = harness.probe<unknown>().ref;
  const real = harness.spawn(mempoolIntegration, {
    consensus: probe,
    events: probe,
    followed: nothingFollowed(),
  });
  let left = crashes;
  const mempool = harness.spawn(
    crashing<MempoolMessage>(({ type }) => type === "AddTransactions" && left-- > 0),
    { to: real },
  );
  harness.expectFault(mempool);
  const system = harness.spawn(systemRouter, { consensus: probe, mempool, storage: probe });
  const handler = harness.spawn(transactionHandler, {
    router: probe,
    system,
    broadcaster: probe,
    reputation: probe,
    events: probe,
  });
  const submitter = harness.probe<SubmitOutcome>();
  const submit = (nonce: number): void =>
    void handler.tell({
      type: "Submit",
      transaction: makeTransaction(key, nonce),
      replyTo: submitter.ref,
    });
  return { ...harness, handler, submit, submitter };
}

test("a mempool that crashes on two batches costs these two: the others are answered", async (t) => {
  const harness = await submitting(2);
  for (let nonce = 0; nonce < 5; nonce++) harness.submit(nonce);
  await harness.advance(5_000);
  t.deepEqual(
    harness.submitter.received.map((outcome) => (outcome.ok ? "ok" : outcome.rule)).toSorted(),
    ["failed", "failed", "ok", "ok", "ok"],
  );
});

test("a transaction handler that crashes with transactions in hand answers their submitters", async (t) => {
  let calls = 0;
  const validateTransactions = (base: WorkerPool): WorkerPool["validateTransactions"] => {
    return (packed) => {
      if (++calls === 1) throw new Error("a pool that throws in place of rejecting");
      return base.validateTransactions(packed);
    };
  };
  const harness = await submitting(0, (base) => ({
    validateTransactions: validateTransactions(base),
  }));
  const { handler, system } = harness;
  harness.expectFault(handler);
  const submit = (nonce: number): Promise<SubmitOutcome> =>
    system.ask<Parameters<typeof handler.tell>[0], SubmitOutcome>(
      handler,
      (replyTo) => ({ type: "Submit", transaction: makeTransaction(key, nonce), replyTo }),
      5_000,
    );
  const lost = t.throwsAsync(submit(0), { code: "CRASHED" });
  await harness.advance(5_000);
  await lost;
  const taken = submit(0);
  await harness.advance(5_000);
  t.like(await taken, { ok: true });
});
