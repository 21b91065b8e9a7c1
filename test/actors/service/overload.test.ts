// More comes than a node can deal with, on a virtual clock: what may be lost is, and nothing else.

import test from "ava";
import type { KindFigures } from "../../../src/actors/service/kind-flow.js";
import type { NodeStatus } from "../../../src/actors/service/node-status.js";
import type { Clock, WorkerPool } from "../../../src/ports.js";
import { makeChain, makeKey, makeTransaction } from "../../support/chain.js";
import { createHarness, peerIdOf } from "../support.js";
import type { RemotePeer } from "../remote-peer.js";
import { BIND, startNetworkService } from "./whole-network.js";

type Started = Awaited<ReturnType<typeof startNetworkService>>;

const CHECKS_PER_SECOND = 100;
const OVERLOAD = { dropFrom: 64, dropAll: 128 };
const FLOODERS = 4;
const STEP_MS = 50;
const SECONDS = 60;

/** A pool that takes its time for each transaction, and none for blocks. */
function slowPool(clockOf: () => Clock): WorkerPool {
  const base = createHarness().env.workers;
  let freeAtMs = 0;
  return {
    ...base,
    validateTransactions: (packed) => {
      const clock = clockOf();
      const nowMs = clock.monotonicMs();
      freeAtMs = Math.max(freeAtMs, nowMs) + (packed.ends.length * 1_000) / CHECKS_PER_SECOND;
      const verdict = base.validateTransactions(packed);
      return new Promise((resolve) => {
        clock.setTimer(freeAtMs - nowMs, () => resolve(verdict));
      });
    },
  };
}

/** Each with another id and a signature that does not fit: a check like any other. */
function forgeries(): () => Uint8Array {
  const bytes = makeTransaction(makeKey(1), 1);
  let number = 0;
  return () => {
    const forged = bytes.slice();
    new DataView(forged.buffer).setUint32(forged.length - 8, number++);
    return forged;
  };
}

test("at ten times what is sustained blocks and control pass, memory is bounded, and soon after it is over", async (t) => {
  t.timeout(120_000);
  const harness: Started = await startNetworkService({
    config: {
      bindAddr: BIND,
      overload: OVERLOAD,
      trustedPeers: Array.from({ length: FLOODERS }, (_, index) => peerIdOf(index + 1)),
      receive: { transactionsPerSecond: 1_000_000, transactionsBurst: 1_000_000 },
    },
    env: { workers: slowPool(() => harness.env.clock) },
  });
  const flooders: RemotePeer[] = [];
  for (let number = 1; number <= FLOODERS; number++) flooders.push(await harness.join(number));
  const [bringer, hearer] = [await harness.join(11), await harness.join(12)];
  const statusOf = async (): Promise<NodeStatus> =>
    (await harness.ask<NodeStatus>((replyTo) => ({ type: "GetStatus", replyTo })))!;
  const pushedOf = async (): Promise<KindFigures> => {
    const kinds = await harness.ask<Record<string, KindFigures>>((replyTo) => ({
      type: "GetKindStatistics",
      replyTo: replyTo as never,
    }));
    return kinds!["NewTransaction"]!;
  };
  const heldBytes = (): number =>
    harness.env.memory.report().holders.find(({ name }) => name === "receiveLanes")!.heldBytes;

  const chain = makeChain(SECONDS);
  const forged = forgeries();
  const pongs = new Set<bigint>();
  let heldMax = 0;
  const step = async (second: number, perStep: number): Promise<void> => {
    for (let i = 0; i < perStep; i++) {
      flooders[i % FLOODERS]!.send({ kind: "NewTransaction", transaction: forged() });
    }
    await harness.advance(STEP_MS);
    heldMax = Math.max(heldMax, heldBytes());
    for (const peer of [...flooders, bringer, hearer]) {
      for (const { message } of peer.heardOf("Pong")) pongs.add(message.nonce);
      if (second % 5 === 0) peer.pong();
    }
  };
  const perStep = (10 * CHECKS_PER_SECOND * STEP_MS) / 1_000;
  const heard = new Set<string>();
  for (let second = 0; second < SECONDS; second++) {
    const { bytes, header } = chain[second]!;
    for (const [index, peer] of flooders.entries()) {
      peer.send({ kind: "Ping", nonce: BigInt(second * FLOODERS + index) });
    }
    bringer.send({ kind: "NewBlock", block: bytes });
    for (let part = 0; part < 1_000 / STEP_MS; part++) {
      await step(second, perStep);
      for (const { message } of hearer.heardOf("AnnounceBlock")) heard.add(message.hash);
      if (hearer.heardOf("NewBlock").length > 0) heard.add(header.hash);
      for (const peer of flooders) peer.heardOf("NewBlock");
    }
  }
  t.is(harness.env.blocks.head().height, SECONDS, "every block arrived");
  t.is(heard.size, SECONDS, "and went on");
  const answered = [...pongs].filter((nonce) => nonce < BigInt(SECONDS * FLOODERS));
  t.is(answered.length, SECONDS * FLOODERS, "every ping was answered");
  t.true(heldMax < 128 * 1_024, `${heldMax} bytes of messages were held`);
  const flooded = await pushedOf();
  t.true(Math.abs(flooded.dropPart - 0.9) < 0.05, `${flooded.dropPart} of them are dropped`);
  t.true(flooded.open <= OVERLOAD.dropAll);
  const { overload, peers } = await statusOf();
  t.deepEqual(
    overload.map(({ kind }) => kind),
    ["NewTransaction"],
  );
  t.true(peers.filter(({ droppedBusy }) => droppedBusy > 0).length === FLOODERS);

  // It is over: as many as are sustained come, and in ten seconds none is dropped any more.
  for (let part = 0; part < 10_000 / STEP_MS; part++) await step(0, 4);
  const droppedBefore = (await pushedOf()).dropped.overload;
  for (let part = 0; part < 2_000 / STEP_MS; part++) await step(0, 4);
  const after = await pushedOf();
  t.is(after.dropped.overload, droppedBefore);
  t.true(after.dropPart < 0.01, `${after.dropPart} is told`);
  t.true(after.open < 20, `${after.open} are open`);
});
