// What waits in a mempool and the end of its node, in simulated worlds.

import test from "ava";
import { encodeKeptPage } from "../../src/actors/integration/kept-page.js";
import { sha256Hex } from "../../src/bytes/sha256.js";
import { encodeCbor } from "../../src/bytes/cbor.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { signTransaction } from "../../src/chain/transaction.js";
import { DEFAULTS } from "../../src/config.js";
import type { MempoolStore } from "../../src/ports.js";
import { createWorld, type SimNode, type World } from "../../src/sim/index.js";
import { KeptAuditor } from "../../src/sim/kept-auditor.js";
import { replayOf, SEED_ASKED } from "./support.js";

const { keepEveryMs } = DEFAULTS.mempool;

function worldOf(own: string, producers: number): World {
  const seed = SEED_ASKED ?? own;
  const replay = replayOf("kept-mempool", seed);
  return createWorld({ seed, replay, nodes: 2, producers, commitMs: [0, 50] });
}

function payment({ signatures }: World, nonce: number): Uint8Array {
  const { publicKey, secretKey } = signatures.keyPairFromSeed(sha256(encodeCbor([1])));
  const fields = {
    sender: publicKey,
    recipient: publicKey,
    value: 1n,
    gasPrice: 1n,
    gasLimit: 21_000,
    nonce,
    timestampMs: 0,
    data: new Uint8Array(),
  };
  return signTransaction(fields, secretKey, signatures);
}

async function submit(world: World, node: SimNode, ...nonces: number[]): Promise<void> {
  for (const nonce of nonces) {
    await world.settled(node.network.broadcastTransaction(payment(world, nonce)));
  }
}

async function waiting(world: World, node: SimNode): Promise<number> {
  return (await world.settled(node.network.status())).mempool.count;
}

test("both nodes lose their power, and what they took before waits in both again", async (t) => {
  const world = worldOf("power", 0);
  const [one, two] = world.nodes as [SimNode, SimNode];
  await submit(world, one, 0, 1, 2, 3);
  await world.runFor(5_000);
  t.is(await waiting(world, two), 4);
  for (const node of [one, two]) node.crash({ silent: true });
  for (const node of [one, two]) node.start();
  await world.runFor(keepEveryMs);
  t.is(await waiting(world, one), 4);
  t.is(await waiting(world, two), 4);
  await world.converge(60_000);
});

test("nonces that overtook others on a quicker route are confirmed behind them", async (t) => {
  const world = worldOf("overtaking", 1);
  const [producer] = world.nodes as [SimNode, SimNode];
  await world.runFor(5_000);
  await submit(world, producer, 5, 6, 7, 8, 9);
  await world.runFor(1_000);
  await submit(world, producer, 0, 1, 2, 3, 4);
  const lost: string[] = [];
  producer.network.subscribe(["TransactionRejected"], ({ rule }) => void lost.push(rule));
  await world.runFor(60_000);
  t.is(await waiting(world, producer), 0);
  t.deepEqual(lost, []);
});

test("a transaction that was durable and is not given to the next mempool is missed", async (t) => {
  const auditor = new KeptAuditor();
  const store: MempoolStore = {
    names: () => [],
    read: () => Promise.resolve(undefined),
    write: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  const bytes = Uint8Array.of(1, 2, 3);
  const id = sha256Hex(bytes);
  const page = encodeKeptPage([{ bytes, own: false, sinceWallMs: 0 }]);
  const written = auditor.watch(store).write([{ name: "000000000000", bytes: page }]);
  auditor.ended({ has: () => true }, new Set());
  t.is(auditor.lost(new Set()), undefined, "it was not durable");
  await written;
  auditor.ended({ has: () => false }, new Set());
  t.is(auditor.lost(new Set()), undefined, "it did not wait any more");
  auditor.ended({ has: () => true }, new Set([id]));
  t.is(auditor.lost(new Set()), id);
  t.is(auditor.lost(new Set([id])), undefined);
  auditor.ended({ has: () => false }, new Set());
  t.is(auditor.lost(new Set()), id, "another end forgives nothing");
});
