// Parts of a node that fail, hang or are gone: the others go on, and an operator sees it wherever one
// looks.

import test, { type ExecutionContext } from "ava";
import { openHttpServer } from "../../src/api/server.js";
import { genesisOf } from "../../src/compose.js";
import { createMempool } from "../../src/chain/mempool.js";
import { readTransaction } from "../../src/chain/transaction.js";
import { resolveConfig } from "../../src/config.js";
import { silentLog } from "../../src/log.js";
import type { Network } from "../../src/network.js";
import type { BlockStore, Consensus, Log, Mempool } from "../../src/ports.js";
import { makeChain, makeKey, makeTransaction, testParams } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, reaches, startTestNode, storeOf, until } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;

async function join(t: ExecutionContext, node: Network, number: number): Promise<RawPeer> {
  const peer = await RawPeer.connect({
    address: node.listenAddress!,
    identity: identityOf(number),
  });
  t.teardown(() => peer.destroy());
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send(handshakeInfo(NETWORK_ID));
  await ready;
  return peer;
}

interface Line {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

function keptLog(): { readonly log: Log; readonly lines: Line[] } {
  const lines: Line[] = [];
  return { log: { write: (_level, event, fields) => void lines.push({ event, fields }) }, lines };
}

async function overHttp(t: ExecutionContext, network: Network) {
  const http = await openHttpServer({ address: "127.0.0.1:0", network, log: silentLog });
  t.teardown(() => http.close());
  return {
    health: async () => (await (await fetch(`${http.address}/health`)).json()) as object,
    metrics: async () => (await fetch(`${http.address}/metrics`)).text(),
  };
}

/** A store whose reads of whole blocks hang until they are let go. */
function slow(store: BlockStore): { readonly store: BlockStore; readonly letGo: () => void } {
  let isHeld = true;
  const held: (() => void)[] = [];
  const readBlocks = async (hashes: readonly string[]): Promise<readonly Uint8Array[]> => {
    if (isHeld) await new Promise<void>((resolve) => void held.push(resolve));
    return hashes.map((hash) => store.block(hash)!);
  };
  return {
    store: Object.assign(Object.create(store) as BlockStore, { readBlocks }),
    letGo: () => {
      isHeld = false;
      for (const resolve of held) resolve();
    },
  };
}

test("a store that takes its time makes those who ask for blocks wait or go, and nobody else", async (t) => {
  t.timeout(60_000);
  const blocks = makeChain(4);
  const stored = blocks.slice(0, 3);
  const { store, letGo } = slow(await storeOf(stored));
  const { log, lines } = keptLog();
  const node = await startTestNode(
    t,
    {
      bindAddr: "tcp://127.0.0.1:0",
      subsystems: { slowMs: 20, failuresMax: 1, restMinMs: 200, restMaxMs: 200 },
    },
    { blockStore: store, log },
  );
  const { health, metrics } = await overHttp(t, node);
  const [first, second, bystander] = [
    await join(t, node, 1),
    await join(t, node, 2),
    await join(t, node, 3),
  ];
  const hash = stored[1]!.header.hash;
  const waits = first.ask({ kind: "RequestBlock", hash });
  const stateOf = async () =>
    (await node.status()).subsystems.find(({ name }) => name === "storage")?.state;
  await until(async () => (await stateOf()) === "open");

  t.like(await second.ask({ kind: "RequestBlock", hash }), { ok: false, reason: "Busy" });
  t.like(await health(), {
    healthy: true,
    unanswering: [{ subsystem: "storage", state: "open" }],
  });
  t.regex(
    await metrics(),
    /^vibecoin_subsystem_refused_total\{subsystem="storage",reason="open"\} [1-9]/m,
  );
  t.like(
    lines.find(({ event }) => event === "a subsystem does not answer"),
    {
      fields: { subsystem: "storage", restMs: 200 },
    },
  );

  // The rest of the node: control, transactions and the tip.
  t.true(await bystander.ping());
  t.true((await node.broadcastTransaction(makeTransaction(makeKey(1), 1))).ok);
  const headers = { kind: "RequestHeaders", locator: [NETWORK_ID], countMax: 3 } as const;
  t.is((await node.status()).height, 3);
  const tip = blocks[3]!;
  bystander.send({ kind: "NewBlock", block: tip.bytes });
  await reaches(node, tip.header.hash);

  letGo();
  t.like(await waits, { ok: true, message: { kind: "ResponseBlock" } });
  // One question after the rest tries it, and closes it.
  await until(async () => {
    await second.ask(headers);
    return (await stateOf()) === "closed";
  });
  t.like(await second.ask({ kind: "RequestBlock", hash }), { ok: true });
  t.like(await health(), { unanswering: [] });
  t.true(lines.some(({ event }) => event === "a subsystem answers again"));
});

test("a consensus that throws costs the block that it threw at, and tells whom to ask about it", async (t) => {
  t.timeout(60_000);
  const [good] = makeChain(1);
  const bad = makeChain(1, { fields: { extra: Uint8Array.of(1) } })[0]!;
  const connect: Consensus["connect"] = (block, view) => {
    if (block.header.hash === bad.header.hash) throw new Error("a consensus of the caller's own");
    return consensus.connect(block, view);
  };
  const { log, lines } = keptLog();
  const node = await startTestNode(
    t,
    { bindAddr: "tcp://127.0.0.1:0" },
    { consensus: { ...consensus, connect }, log },
  );
  const { health, metrics } = await overHttp(t, node);
  const [peer, bystander] = [await join(t, node, 1), await join(t, node, 2)];
  const rejected = nextEvent(node, "BlockRejected");
  peer.send({ kind: "NewBlock", block: bad.bytes });
  t.like(await rejected, { rule: "consensus-failed", hash: bad.header.hash });
  t.regex(await metrics(), /^vibecoin_blocks_rejected_total\{rule="consensus-failed"\} 1$/m);
  t.true(await bystander.ping());
  t.true(await peer.ping(), "who sent it is not to blame");
  t.true((await node.broadcastTransaction(makeTransaction(makeKey(1), 1))).ok);
  bystander.send({ kind: "NewBlock", block: good!.bytes });
  await reaches(node, good!.header.hash);
  t.like(await health(), { healthy: true, degraded: [], unanswering: [] });
  t.false(lines.some(({ event }) => event === "an actor failed"));
});

test("a mempool that throws at everything costs what was asked of it", async (t) => {
  t.timeout(60_000);
  const { mempool: limits } = resolveConfig({});
  const inner = createMempool(limits, (bytes) => readTransaction(bytes, testParams));
  const mempool = new Proxy<Mempool>(inner, {
    get: () => () => {
      throw new Error("a mempool of the caller's own");
    },
  });
  const { log, lines } = keptLog();
  const [block] = makeChain(1);
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" }, { mempool, log });
  const peer = await join(t, node, 1);
  t.like(await node.broadcastTransaction(makeTransaction(makeKey(1), 1)), {
    ok: false,
    rule: "failed",
  });
  t.true(lines.some(({ event }) => event === "the mempool failed"));
  peer.send({ kind: "NewBlock", block: block!.bytes });
  await reaches(node, block!.header.hash);
  t.like(await node.status(), { mempool: { count: 0, bytes: 0 }, degraded: [] });
  t.true(await peer.ping());
});
