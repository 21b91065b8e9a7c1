import test from "ava";
import type { PeerHandlerMessage } from "../../src/actors/peer/peer-handler-messages.js";
import { encodeCbor } from "../../src/bytes/cbor.js";
import { toHex } from "../../src/bytes/hex.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { signTransaction } from "../../src/chain/transaction.js";
import type { HashHex } from "../../src/types/chain.js";
import { createWorld, type SimNode, type World, type WorldOptions } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

function worldOf(own: string, options: Partial<WorldOptions>): World {
  const seed = SEED_ASKED ?? own;
  return createWorld({ seed, replay: replayOf("transactions", seed), nodes: 2, ...options });
}

/** A signed payment of one of many senders. */
function payment({ signatures }: World, sender: number, nonce: number, dataBytes = 0) {
  const { publicKey, secretKey } = signatures.keyPairFromSeed(sha256(encodeCbor([sender])));
  const fields = {
    sender: publicKey,
    recipient: publicKey,
    value: 1n,
    gasPrice: 1n,
    gasLimit: 21_000,
    nonce,
    timestampMs: 0,
    data: new Uint8Array(dataBytes),
  };
  return signTransaction(fields, secretKey, signatures);
}

async function waiting(world: World, node: SimNode): Promise<number> {
  return (await world.settled(node.network.status())).mempool.count;
}

/** Until so many wait at a node, or no longer than `withinMs`. */
async function waitFor(world: World, node: SimNode, count: number, withinMs: number) {
  const untilMs = world.nowMs + withinMs;
  while (world.nowMs < untilMs && (await waiting(world, node)) !== count) await world.runFor(100);
  return waiting(world, node);
}

test("transactions that no single answer can hold all reach a peer", async (t) => {
  // Announced, so that they are asked for in one request.
  const config = { gossip: { relayTrees: false } };
  const world = worldOf("all of them", { producers: 0, config });
  const [one, two] = world.nodes as [SimNode, SimNode];
  await world.runFor(3_000);
  for (let nonce = 0; nonce < 6; nonce++) {
    one.network.broadcastTransaction(payment(world, 1, nonce, 60_000)).catch(() => undefined);
  }
  t.is(await waitFor(world, one, 6, 60_000), 6);
  t.is(await waitFor(world, two, 6, 20_000), 6);
});

test("a peer that joins later hears of the transactions that wait", async (t) => {
  const world = worldOf("later", { producers: 0, late: 1 });
  const [one, two] = world.nodes as [SimNode, SimNode];
  for (let nonce = 0; nonce < 100; nonce++) {
    t.true((await world.settled(one.network.broadcastTransaction(payment(world, 1, nonce)))).ok);
  }
  two.start();
  t.is(await waitFor(world, two, 100, 10_000), 100);
});

test("a producer that joins later puts into blocks what a gateway took before", async (t) => {
  const world = worldOf("gateway", { producers: 1 });
  const [producer, gateway] = world.nodes as [SimNode, SimNode];
  await world.runFor(3_000);
  world.crash(producer.name);
  await world.runFor(60_000);
  for (let nonce = 0; nonce < 100; nonce++) {
    const outcome = gateway.network.broadcastTransaction(payment(world, 1, nonce));
    t.true((await world.settled(outcome)).ok);
  }
  world.restart(producer.name);
  let confirmed = 0;
  gateway.network.subscribe(["BlockConnected"], ({ transactionCount }) => {
    confirmed += transactionCount;
  });
  await world.runUntil(() => confirmed === 100, 60_000);
  t.is(confirmed, 100);
});

test("what was submitted here is announced again while it waits, and expires in the end", async (t) => {
  const announced: number[] = [];
  let id: HashHex = "";
  const world: World = worldOf("again", {
    producers: 0,
    onDelivery: ({ atMs, path, message }) => {
      if (!/^\/n0\/network\/registry\/peer-\d+$/.test(path)) return;
      if (announces(message, id)) announced.push(atMs);
    },
  });
  const [one, two] = world.nodes as [SimNode, SimNode];
  await world.runFor(3_000);
  const transaction = payment(world, 1, 0);
  id = toHex(sha256(transaction));
  t.true((await world.settled(one.network.broadcastTransaction(transaction))).ok);
  await world.runFor(600_000);
  t.true(announced.length >= 5 && announced.length <= 50, `${announced.length} times`);
  t.is(await waiting(world, two), 1);

  const rejected: string[] = [];
  one.network.subscribe(["TransactionDropped"], (event) => {
    rejected.push(`${event.id} ${event.rule}`);
  });
  await world.runFor(7 * 3_600_000);
  t.deepEqual(rejected, [`${id} expired`]);
  t.is(await waiting(world, one), 0);
  t.is(await waiting(world, two), 0);
});

/** A message to a peer handler that makes it announce this transaction. */
function announces(delivered: unknown, id: HashHex): boolean {
  const sent = delivered as PeerHandlerMessage;
  if (sent.type !== "Send" || sent.message.kind !== "AnnounceTransactions") return false;
  return sent.message.ids.includes(id);
}

test("a burst of one sender is confirmed in full, though its first batch is checked last", async (t) => {
  let batches = 0;
  const world = worldOf("burst", {
    nodes: 1,
    pool: {
      taskMs({ kind }) {
        if (kind === "seal") return 100;
        return kind === "validateTransactions" && batches++ === 0 ? 8_000 : 1;
      },
    },
  });
  const [node] = world.nodes as [SimNode];
  await world.runFor(5_000);
  const accepted = new Set<HashHex>();
  const gone = new Set<HashHex>();
  const confirmed = new Set<HashHex>();
  const { rules } = world.chain.consensus;
  node.network.subscribe(["TransactionDropped"], ({ id }) => void gone.add(id));
  node.network.subscribe(["BlockConnected"], ({ hash }) => {
    const parts = rules.splitBlock(node.network.block(hash)!);
    if (parts.ok) for (const bytes of parts.value.transactions) confirmed.add(toHex(sha256(bytes)));
  });
  for (let nonce = 0; nonce < 200; nonce++) {
    node.network.broadcastTransaction(payment(world, 1, nonce)).then(
      (outcome) => outcome.ok && accepted.add(outcome.id),
      () => undefined,
    );
  }
  await world.runFor(60_000);
  t.is(accepted.size, 200);
  t.deepEqual([...gone], []);
  t.is(confirmed.size, 200);
});
