import test from "ava";
import { toHex } from "../../src/bytes/hex.js";
import { encodeCbor } from "../../src/bytes/cbor.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { signTransaction } from "../../src/chain/transaction.js";
import { headOf } from "../../src/sim/byzantine/chain-view.js";
import { mine, mineChain, pay } from "../../src/sim/byzantine/forge.js";
import {
  createWorld,
  fastSignatures,
  type ByzantineScript,
  type SimNode,
  type WorldOptions,
} from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

function worldOf(own: string, options: Partial<WorldOptions>) {
  const seed = SEED_ASKED ?? own;
  return createWorld({
    seed,
    replay: replayOf("fetching", seed),
    nodes: 1,
    producers: 0,
    ...options,
  });
}

/** Of 100 senders in turn; one in 25 is as large as it can be. */
const TRANSACTIONS = Array.from({ length: 10_000 }, (_, index) => {
  const { publicKey, secretKey } = fastSignatures.keyPairFromSeed(
    sha256(encodeCbor([index % 100])),
  );
  const fields = {
    sender: publicKey,
    recipient: publicKey,
    value: 1n,
    gasPrice: 1n,
    gasLimit: 21_000,
    nonce: Math.floor(index / 100),
    timestampMs: 0,
    data: new Uint8Array(index % 25 === 0 ? 65_000 : index % 1_000),
  };
  return signTransaction(fields, secretKey, fastSignatures);
});
const IDS = TRANSACTIONS.map((transaction) => toHex(sha256(transaction)));

/** Announces all of them to whomever it meets, and sends none. */
const silent: ByzantineScript = {
  name: "silent-announcer",
  behave: () => ({
    onReady(session) {
      for (let start = 0; start < IDS.length; start += 1_000) {
        session.send({ kind: "AnnounceTransactions", ids: IDS.slice(start, start + 1_000) });
      }
    },
    onMessage: (_session, { kind }) => kind === "RequestTransactions",
  }),
};

test("10,000 transactions arrive within 15 s, though a silent peer announced all first", async (t) => {
  const world = worldOf("silent", {
    nodes: 2,
    late: 1,
    byzantine: [silent],
    config: {
      memoryBudgetBytes: 2 ** 31,
      mempool: { countMax: 20_000 },
      gossip: { knownPerPeerMax: 20_000 },
    },
  });
  const [holder, late] = world.nodes as [SimNode, SimNode];
  await world.runFor(1_000);
  for (let start = 0; start < TRANSACTIONS.length; start += 1_000) {
    const batch = TRANSACTIONS.slice(start, start + 1_000);
    await world.settled(
      Promise.all(batch.map((transaction) => holder.network.broadcastTransaction(transaction))),
    );
  }
  late.start();
  const count = async (): Promise<number> =>
    (await world.settled(late.network.status())).mempool.count;
  await world.runFor(15_000);
  t.is(await count(), TRANSACTIONS.length);
});

test("what a silent peer announced is given up when its request has timed out", async (t) => {
  let told = false;
  const few: ByzantineScript = {
    name: "silent-about-few",
    behave: () => ({
      onReady(session) {
        if (!told) session.send({ kind: "AnnounceTransactions", ids: IDS.slice(0, 100) });
        told = true;
      },
      onMessage: (_session, { kind }) => kind === "RequestTransactions",
    }),
  };
  const world = worldOf("given up", { byzantine: [few] });
  const [node] = world.nodes as [SimNode];
  t.true(await world.runUntil(() => node.unrest !== undefined, 30_000));
  // Two timeouts, and not so long that an id is given up that nobody could be asked for.
  await world.runFor(50_000);
  t.is(node.unrest, undefined);
});

/** Announces the first of two blocks, and pushes the second one before it answers. */
const outOfOrder: ByzantineScript = {
  name: "out-of-order",
  behave(host) {
    const blocks = mineChain(host, host.book.best, 2);
    return {
      head: () => headOf(host.book.best),
      onReady(session) {
        session.send({ kind: "AnnounceBlock", ...headOf(blocks[0]!) });
      },
      onMessage(session, message, requestId) {
        if (message.kind === "RequestBlock" && message.hash === blocks[0]!.header.hash) {
          session.send({ kind: "NewBlock", block: blocks[1]!.bytes });
          session.send({ kind: "ResponseBlock", block: blocks[0]!.bytes }, requestId);
        }
        // Nothing comes by sync.
        return true;
      },
    };
  },
};

test("a block that comes while its parent is fetched is taken, and lowers no claim", async (t) => {
  const world = worldOf("out of order", { byzantine: [outOfOrder] });
  const [node] = world.nodes as [SimNode];
  await world.runUntil(() => node.head().height === 2, 30_000);
  t.is(node.head().height, 2);
  const { peers } = await world.settled(node.network.status());
  t.deepEqual(
    peers.map(({ claimedHeight }) => claimedHeight),
    peers.map(() => "2"),
  );
});

/** Announces a block, and the next one before it sends the first. */
const ahead: ByzantineScript = {
  name: "ahead",
  behave(host) {
    const blocks = mineChain(host, host.book.best, 2);
    return {
      head: () => headOf(host.book.best),
      onReady(session) {
        session.send({ kind: "AnnounceBlock", ...headOf(blocks[0]!) });
      },
      onMessage(session, { kind }, requestId) {
        if (kind === "RequestBlock") {
          session.send({ kind: "AnnounceBlock", ...headOf(blocks[1]!) });
          session.send({ kind: "ResponseBlock", block: blocks[0]!.bytes }, requestId);
        }
        return true;
      },
    };
  },
};

test("a block that was fetched does not lower the claim of its sender", async (t) => {
  const world = worldOf("ahead", { byzantine: [ahead] });
  const [node] = world.nodes as [SimNode];
  t.true(await world.runUntil(() => node.head().height === 1, 30_000));
  const { peers } = await world.settled(node.network.status());
  t.true(peers.length > 0);
  t.true(peers.every(({ claimedHeight }) => claimedHeight === "2"));
});

test("a copy with another body does not keep out the true block that comes during its check", async (t) => {
  const CHECK_MS = 500;
  const mutating: ByzantineScript = {
    name: "mutating",
    behave(host) {
      const parent = host.book.best;
      const { bytes } = mine(host, parent, [pay(host, parent.header.hash, 0)]);
      const mutated = bytes.slice();
      mutated[mutated.length - 1]! ^= 1;
      return {
        dialsMax: 2,
        manyIdentities: true,
        head: () => headOf(parent),
        // The second session is another peer's, as far as the node can tell.
        onReady(session) {
          if (host.sessions.length !== 2) return;
          host.sessions
            .find((other) => other !== session)!
            .send({ kind: "NewBlock", block: mutated });
          host.clock.setTimer(CHECK_MS / 2, () => session.send({ kind: "NewBlock", block: bytes }));
        },
        onMessage: () => true,
      };
    },
  };
  const world = worldOf("mutated", {
    byzantine: [mutating],
    links: { latencyMs: 20, jitterMs: 0 },
    pool: { taskMs: ({ kind }) => (kind === "validateBlocks" ? CHECK_MS : 1) },
  });
  const [node] = world.nodes as [SimNode];
  await world.runUntil(() => node.head().height === 1, 30_000);
  t.is(node.head().height, 1);
});
