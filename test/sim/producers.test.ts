import test from "ava";
import { encodeCbor } from "../../src/bytes/cbor.js";
import { toHex } from "../../src/bytes/hex.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { createMempool } from "../../src/chain/mempool.js";
import type { KeyPair } from "../../src/chain/signatures.js";
import { EFFECT_BYTES } from "../../src/chain/rules.js";
import { readTransaction, signTransaction } from "../../src/chain/transaction.js";
import { seededRandom } from "../../src/runtime/random.js";
import type { HashHex } from "../../src/types/chain.js";
import type { Consensus, Mempool } from "../../src/ports.js";
import {
  createWorld,
  fastSignatures,
  SIM_PARAMS,
  type LogLine,
  type SimNode,
  type World,
  type WorldOptions,
} from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const BLOCK_BYTES_MAX = 8_192;
const PARAMS = { ...SIM_PARAMS, name: "vibecoin-small", blockBytesMax: BLOCK_BYTES_MAX };
const INTERVAL_MS = 2_000;
const pow = createPowConsensus(PARAMS);

interface Ports {
  readonly consensus?: Partial<Consensus>;
  readonly mempool?: (mempool: Mempool) => Partial<Mempool>;
}

/** Two producers of a chain with small blocks, unless `options` say otherwise. */
function worldOf(own: string, ports: Ports = {}, options: Partial<WorldOptions> = {}): World {
  const seed = SEED_ASKED ?? own;
  return createWorld({
    seed,
    replay: replayOf("producers", seed),
    nodes: 2,
    producers: 2,
    chain: {
      consensus: { ...pow, ...ports.consensus },
      mempool(config) {
        const mempool = createMempool(config.mempool, (bytes) => readTransaction(bytes, PARAMS));
        const changed = ports.mempool?.(mempool);
        return changed === undefined ? mempool : wrapped(mempool, changed);
      },
    },
    ...options,
  });
}

function wrapped(mempool: Mempool, changed: Partial<Mempool>): Mempool {
  return {
    add: (transaction, view) => mempool.add(transaction, view),
    has: (id) => mempool.has(id),
    get: (id) => mempool.get(id),
    select: (bytesMax, view) => mempool.select(bytesMax, view),
    confirmed: (ids, view) => mempool.confirmed(ids, view),
    get count() {
      return mempool.count;
    },
    get bytes() {
      return mempool.bytes;
    },
    ...changed,
  };
}

function keyOf(name: string): KeyPair {
  return fastSignatures.keyPairFromSeed(sha256(encodeCbor([name])));
}

/** A transaction whose own bytes and five more are `bytesInBlock`, where that is given. */
function payment(name: string, nonce: number, gasPrice: bigint, bytesInBlock?: number) {
  const { publicKey, secretKey } = keyOf(name);
  const made = (dataBytes: number) =>
    signTransaction(
      {
        sender: publicKey,
        recipient: publicKey,
        value: 1n,
        gasPrice,
        gasLimit: 21_000,
        nonce,
        timestampMs: 0,
        data: new Uint8Array(dataBytes),
      },
      secretKey,
      fastSignatures,
    );
  if (bytesInBlock === undefined) return made(0);
  for (let dataBytes = bytesInBlock - 200; ; dataBytes++) {
    const transaction = made(dataBytes);
    if (transaction.length + 5 >= bytesInBlock) return transaction;
  }
}

async function submit(world: World, node: SimNode, transaction: Uint8Array): Promise<HashHex> {
  const outcome = await world.settled(node.network.broadcastTransaction(transaction));
  if (!outcome.ok) throw new Error(outcome.rule);
  return outcome.id;
}

/** Ids that the chain of a node has confirmed. */
function confirmedAt({ network }: SimNode): ReadonlySet<HashHex> {
  const ids = new Set<HashHex>();
  for (let height = 1; height <= network.head().height; height++) {
    const parts = pow.rules.splitBlock(network.block(height)!);
    if (!parts.ok) throw new Error(parts.fault.detail);
    for (const bytes of parts.value.transactions) ids.add(toHex(sha256(bytes)));
  }
  return ids;
}

/** The longest time between two blocks from `height` on, by their own clocks. */
function longestPauseMs({ network }: SimNode, from: number): number {
  let longest = 0;
  for (let height = from + 1; height <= network.head().height; height++) {
    const [parent, block] = [network.header(height - 1)!, network.header(height)!];
    longest = Math.max(longest, block.timestampMs - parent.timestampMs);
  }
  return longest;
}

/** Fills a block to the last byte, if only transactions counted. */
async function fillMempool(world: World, node: SimNode, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await submit(world, node, payment(`filler ${index}`, 0, 50n, BLOCK_BYTES_MAX / 8));
  }
}

const forbidden = Buffer.from(keyOf("forbidden").publicKey);

/** Refuses whatever a sender wants, and does not say which transaction it is. */
function refuseSender(named: boolean): Partial<Consensus> {
  return {
    connect(block, view) {
      const effects = Buffer.from(block.effects);
      const at = effects.indexOf(forbidden);
      if (at < 0) return pow.connect(block, view);
      const fault = { rule: "custom", detail: "a forbidden sender" } as const;
      // One effect a sender, in order, and every sender has one transaction here.
      const transaction = at / EFFECT_BYTES;
      return { ok: false, fault: named ? { ...fault, transaction } : fault };
    },
  };
}

test("a block as full as it can be is within its limit: the chain goes on", async (t) => {
  const refused: LogLine[] = [];
  const onLog = (line: LogLine): void => {
    if (line.event === "own block refused") refused.push(line);
  };
  const world = worldOf("full", {}, { onLog });
  const [one, two] = world.nodes as [SimNode, SimNode];
  await world.runFor(5_000);
  await fillMempool(world, one, 40);
  const from = two.head().height;
  await world.runFor(30_000);
  t.true(two.head().height >= from + 8, `${two.head().height - from} blocks in 30 s`);
  t.is(confirmedAt(two).size, 40);
  t.deepEqual(refused, []);
});

for (const named of [true, false]) {
  const how = named ? "names" : "does not name";
  test(`transactions that the consensus refuses, and ${how}, leave; those of others confirm`, async (t) => {
    const world = worldOf("refused", { consensus: refuseSender(named) });
    const [one, two] = world.nodes as [SimNode, SimNode];
    await world.runFor(5_000);
    const told = new Map<HashHex, string>();
    one.network.subscribe(["TransactionDropped"], ({ id, rule, detail }) => {
      told.set(id, `${rule}: ${detail}`);
    });
    await fillMempool(world, one, 24);
    const bad = await submit(world, one, payment("forbidden", 0, 1_000n));
    const users: HashHex[] = [];
    const from = two.head().height;
    for (let second = 0; second < 30; second++) {
      users.push(await submit(world, two, payment(`user ${second}`, 0, 10n)));
      await world.runFor(1_000);
    }
    await world.runFor(10_000);
    t.true(two.head().height >= from + 10, `${two.head().height - from} blocks in 40 s`);
    t.true(longestPauseMs(two, from) < 4 * INTERVAL_MS, `${longestPauseMs(two, from)} ms`);
    const confirmed = confirmedAt(two);
    t.deepEqual(
      users.filter((id) => !confirmed.has(id)),
      [],
    );
    t.false(confirmed.has(bad));
    t.regex(
      told.get(bad) ?? "",
      /^(custom: a forbidden sender|refused: an own block failed for it)$/,
    );
    // The other producer finds it out when it wins with a block of its own.
    const left = async (): Promise<number> => {
      let count = 0;
      for (const { network } of world.nodes) {
        count += (await world.settled(network.status())).mempool.count;
      }
      return count;
    };
    for (let minute = 0; minute < 10 && (await left()) > 0; minute++) await world.runFor(60_000);
    t.is(await left(), 0);
  });
}

test("a consensus that refuses every block for a while costs no transaction", async (t) => {
  let refusing = true;
  const fault = { rule: "custom", detail: "not now" } as const;
  const connect: Consensus["connect"] = (block, view) =>
    refusing ? { ok: false, fault } : pow.connect(block, view);
  const world = worldOf("all", { consensus: { connect } }, { nodes: 1, producers: 1 });
  const [node] = world.nodes as [SimNode];
  await world.runFor(1_000);
  await fillMempool(world, node, 10);
  await world.runFor(60_000);
  t.is(node.head().height, 0);
  t.is((await world.settled(node.network.status())).mempool.count, 10);
  refusing = false;
  await world.runUntil(() => confirmedAt(node).size === 10, 120_000);
  t.is(confirmedAt(node).size, 10);
});

for (const call of ["template", "assemble", "connect", "select"] as const) {
  test(`a port that throws at times in ${call} does not end the production`, async (t) => {
    // Not every third time: a producer that tries what failed at every third call would never succeed.
    const random = seededRandom("throwing");
    const now = (): void => {
      if (random.float() < 1 / 3) throw new Error("a port of the caller's own");
    };
    // The simulator's own checks connect each block once more.
    const seen = new Set<HashHex>();
    const nowAt = (hash: HashHex): void => {
      if (seen.has(hash)) return;
      seen.add(hash);
      now();
    };
    const consensus: Partial<Consensus> =
      call === "template"
        ? { template: (...args) => (now(), pow.template(...args)) }
        : call === "assemble"
          ? { assemble: (parts) => (now(), pow.assemble(parts)) }
          : call === "connect"
            ? { connect: (block, view) => (nowAt(block.header.hash), pow.connect(block, view)) }
            : {};
    const mempool = (inner: Mempool): Partial<Mempool> =>
      call === "select" ? { select: (...args) => (now(), inner.select(...args)) } : {};
    const world = worldOf("throwing", { consensus, mempool }, { nodes: 1, producers: 1 });
    const [node] = world.nodes as [SimNode];
    await world.runFor(1_000);
    const id = await submit(world, node, payment("user", 0, 1n));
    await world.runFor(120_000);
    t.true(node.head().height >= 3, `height ${node.head().height}`);
    t.true(confirmedAt(node).has(id));
  });
}

test("ports written without types, whose answers are none, do not end the production", async (t) => {
  let calls = 0;
  let assembled = 0;
  const consensus = {
    template: (...args: Parameters<Consensus["template"]>) => {
      const wrong = [null, 7, {}, { header: "00", transactions: [] }, { notBeforeMs: Number.NaN }];
      return calls++ < wrong.length ? wrong[calls - 1] : pow.template(...args);
    },
    assemble: (...args: Parameters<Consensus["assemble"]>) =>
      assembled++ % 2 === 0 ? undefined : pow.assemble(...args),
  } as unknown as Partial<Consensus>;
  const world = worldOf("untyped", { consensus }, { nodes: 1, producers: 1 });
  const [node] = world.nodes as [SimNode];
  await world.runFor(120_000);
  t.true(node.head().height >= 3, `height ${node.head().height}`);
});

test("a consensus that waits for its turn is asked again then, and seldom before", async (t) => {
  const SLOT_MS = 20_000;
  let asked = 0;
  const template: Consensus["template"] = (parent, transactions, nowMs) => {
    asked++;
    const notBeforeMs = parent.timestampMs + SLOT_MS;
    if (nowMs >= notBeforeMs) return pow.template(parent, transactions, nowMs);
    return parent.height % 2 === 0 ? { notBeforeMs } : undefined;
  };
  const world = worldOf("turns", { consensus: { template } }, { nodes: 1, producers: 1 });
  const [node] = world.nodes as [SimNode];
  await world.runFor(200_000);
  const { height } = node.head();
  t.true(height >= 8 && height <= 10, `${height} blocks`);
  t.true(asked < 200, `asked ${asked} times`);
});
