import test from "ava";
import { transactionHandler } from "../../../src/actors/handlers/transaction-handler.js";
import type {
  SubmitOutcome,
  TransactionHandlerArgs,
} from "../../../src/actors/handlers/transaction-handler-state.js";
import type { Answer } from "../../../src/actors/peer/dealt.js";
import type { PeerHandlerMessage } from "../../../src/actors/peer/peer-handler-messages.js";
import { sha256 } from "../../../src/bytes/sha256.js";
import { toHex } from "../../../src/bytes/hex.js";
import type { TransactionsVerdict, WorkerPool } from "../../../src/ports.js";
import { createHarness, peerIdOf } from "../support.js";

const MIB = 1024 * 1024;
const gossip = {
  transactionFetchBytesMax: 4 * MIB,
  submittedBytesMax: MIB,
  transactionBatchMax: 1,
};

/** A handler whose pool answers nothing. */
async function start() {
  const checked: Uint8Array[] = [];
  const workers = {
    validateTransactions: ({ buffer }: { buffer: Uint8Array }) => {
      checked.push(buffer);
      return new Promise<TransactionsVerdict>(() => undefined);
    },
  };
  const env = { workers: workers as unknown as WorkerPool };
  const harness = createHarness({ config: { gossip }, env });
  const nobody = harness.probe<never>().ref;
  const args = { router: nobody, system: nobody, broadcaster: nobody, reputation: nobody };
  const ref = harness.spawn(transactionHandler, {
    ...args,
    events: nobody,
  } as TransactionHandlerArgs);
  await harness.settle();
  return { ...harness, ref, checked };
}

const bytesOf = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

test("submissions are taken by their bytes beside what may be fetched, and then answered as busy", async (t) => {
  const { probe, ref, settle, env } = await start();
  const submitter = probe<SubmitOutcome>();
  const length = 120_000;
  const most = Math.floor((5 * MIB) / length);
  for (let i = 0; i < most + 3; i++) {
    ref.tell({ type: "Submit", transaction: bytesOf(length, i), replyTo: submitter.ref });
  }
  await settle();
  t.is(submitter.received.length, 3);
  for (const outcome of submitter.received) t.like(outcome, { ok: false, rule: "busy" });
  t.is(env.memory.leasedBytes("fetches"), most * length);
});

test("an answer whose room was given to others is taken only as far as it still fits", async (t) => {
  const harness = await start();
  const { probe, ref, settle, env, checked } = harness;
  const answers = probe<Answer>();
  const bodies = [bytesOf(120_000, 1), bytesOf(120_000, 2)] as const;
  const peers = bodies.map(() => probe<PeerHandlerMessage>());
  const announce = async (index: 0 | 1): Promise<void> => {
    ref.tell({
      type: "Incoming",
      peerId: peerIdOf(index + 1),
      from: peers[index]!.ref,
      replyTo: answers.ref,
      lane: "transaction",
      bytes: 9,
      requestId: 0,
      message: { kind: "AnnounceTransactions", ids: [toHex(sha256(bodies[index]))] },
    });
    await settle();
  };
  const answer = async (index: 0 | 1): Promise<void> => {
    peers[index]!.of("Request")[0]!.replyTo.tell({
      ok: true,
      elapsedMs: 1,
      message: { kind: "ResponseTransactions", transactions: [bodies[index]] },
    });
    await settle();
  };
  await announce(0);
  // What else has room fills it, while the first is silent until its lease goes to others.
  const submitter = probe<SubmitOutcome>();
  await harness.advance(30_000);
  for (let i = 0; i < 50; i++) {
    ref.tell({ type: "Submit", transaction: bytesOf(110_000, 100 + i), replyTo: submitter.ref });
  }
  await settle();
  const before = env.memory.leasedBytes("fetches");
  t.true(before > 4 * MIB);
  await answer(0);
  t.is(env.memory.leasedBytes("fetches"), before, "it has no room");
  t.true(checked.length <= 3, "submissions have three places in the pool");
});
