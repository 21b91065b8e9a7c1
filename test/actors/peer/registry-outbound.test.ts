// What the registry makes of addresses that peers tell of: whom it dials for them, what for, and what of
// it a restart finds again. The peers at the other ends speak real bytes.

import test from "ava";
import type { Endpoint } from "../../../src/protocol/address.js";
import { peerIdOf } from "../support.js";
import { seeds, start } from "./dial-bench.js";

type Bench = Awaited<ReturnType<typeof start>>;

const told = (count: number): Endpoint[] =>
  Array.from({ length: count }, (_, i) => ({ scheme: "tcp", host: `8.${i}.1.1`, port: 8765 }));

/** A peer from outside tells of addresses. */
async function tell(bench: Bench, endpoints: readonly Endpoint[]) {
  const teller = await bench.join(peerIdOf(500), "9.9.9.9");
  bench.registry.tell({ type: "AddressesLearned", from: peerIdOf(500), endpoints });
  await bench.settle();
  return teller;
}

async function sample(bench: Bench): Promise<readonly Endpoint[]> {
  const asker = bench.probe<readonly Endpoint[]>();
  bench.registry.tell({ type: "SampleAddresses", countMax: 99, replyTo: asker.ref });
  await bench.settle();
  return asker.last!;
}

/** Every dial brings a peer, until nobody is dialed for a while. */
async function fill(bench: Bench, first = 1) {
  const remotes = [];
  for (let idle = 0; idle < 8; idle++) {
    for (; bench.transport.dials.length > 0; idle = 0) {
      remotes.push(await bench.handshake(await bench.succeed(peerIdOf(first + remotes.length))));
    }
    await bench.advance(250);
  }
  return remotes;
}

test("what a peer tells of is dialed, and nobody is told it until somebody was there", async (t) => {
  const bench = await start();
  await tell(bench, told(3));
  t.deepEqual(await sample(bench), []);
  t.is((await fill(bench)).length, 3);
  t.is((await sample(bench)).length, 3);
});

test("what somebody tells who is not connected is not believed", async (t) => {
  const bench = await start();
  bench.registry.tell({ type: "AddressesLearned", from: peerIdOf(500), endpoints: told(3) });
  await bench.advance(5_000);
  t.deepEqual(bench.dials(), []);
});

test("on a connection for blocks alone no transactions are offered", async (t) => {
  const bench = await start({ maxOutbound: 2 });
  await tell(bench, told(9));
  const remotes = await fill(bench);
  const offers = remotes.map((remote) => remote.heardOf("Handshake")[0]!.message.capabilities);
  t.deepEqual(
    offers.map((capabilities) => capabilities.includes("transactions/1")),
    [true, true, false, false],
  );
  t.true(offers.every((capabilities) => capabilities.includes("blocks/1")));
  t.false(offers[2]!.includes("peers/1"));
  const ready = bench.subscriber
    .of("PeerReady")
    .filter(({ direction }) => direction === "outbound");
  t.deepEqual(
    ready.map(({ capabilities }) => capabilities.has("transactions/1")),
    [true, true, false, false],
  );
});

test("a test of an address ends with a word, and nobody else hears of it", async (t) => {
  const bench = await start({ maxOutbound: 1, dial: { blocksOnlyMax: 0 } });
  const teller = await tell(bench, told(9));
  const remotes = await fill(bench);
  t.is(remotes.length, 1);
  const here = [teller, ...remotes];
  while (bench.transport.dials.length === 0) await bench.awake(here, 1_000);
  const before = bench.subscriber.received.length;
  const feeler = await bench.handshake(await bench.succeed(peerIdOf(77)));
  t.is(feeler.heardOf("Disconnect")[0]?.message.reason, "TooManyConnections");
  t.true(feeler.connection.closing);
  const news = bench.subscriber.received.slice(before);
  t.true(news.every(({ type }) => type === "PeerGone"));
  t.is((await sample(bench)).length, 2, "it is known to be good");
});

test("an address that leads to a peer which is connected already costs neither connection", async (t) => {
  const bench = await start();
  const teller = await tell(bench, told(1));
  await bench.advance(250);
  const second = await bench.succeed(peerIdOf(500));
  t.is(second.heardOf("Disconnect")[0]?.message.reason, "DuplicateConnection");
  t.false(teller.connection.closing);
});

test("a registry that starts again knows whom it had found, and dials two of them first", async (t) => {
  const first = await start({ maxOutbound: 1 });
  await tell(first, told(9));
  await fill(first);
  await first.advance(6_000);
  const pages = first.stores.peers.addresses!.pages();
  t.true(pages.some(({ name }) => name === "secret"));
  const again = await start({ maxOutbound: 1 }, { peers: first.stores.peers });
  t.is(again.dials().length, 2, "the anchors, for blocks alone");
  const anchors = await fill(again, 100);
  const isForBlocks = anchors
    .slice(0, 2)
    .map((one) => !one.heardOf("Handshake")[0]!.message.capabilities.includes("transactions/1"));
  t.deepEqual(isForBlocks, [true, true]);
  t.true(anchors.length >= 3);
});

test("an orderly end writes all that is known", async (t) => {
  const bench = await start();
  await tell(bench, told(9));
  t.deepEqual(bench.stores.peers.addresses!.pages(), []);
  bench.registry.tell({ type: "Shutdown", replyTo: bench.probe<"Drained">().ref });
  await bench.settle();
  t.true(bench.stores.peers.addresses!.pages().some(({ name }) => name.startsWith("new-")));
});

test("a caller's store without addresses will do, and one that fails costs a log line", async (t) => {
  const plain = {
    records: () => [],
    put: async () => {},
    delete: async () => {},
    close: async () => {},
  };
  const bench = await start({}, { peers: plain });
  await tell(bench, told(3));
  t.is((await fill(bench)).length, 3);
  const broken = {
    ...plain,
    addresses: { pages: () => 7 as never, write: () => Promise.reject(new Error("no disk")) },
  };
  const other = await start({}, { peers: broken });
  await tell(other, told(3));
  t.is((await fill(other)).length, 3);
  await other.advance(6_000);
  const failures = other.log.filter(({ event }) => event === "the peer store failed");
  t.deepEqual([...new Set(failures.map(({ fields }) => fields.call))].sort(), [
    "addresses.pages",
    "addresses.write",
  ]);
});

test("seeds alone are dialed where the operator wants that", async (t) => {
  const bench = await start({ seedPeers: seeds(1), dial: { onlyConfigured: true } });
  await tell(bench, told(9));
  await bench.advance(10_000);
  t.deepEqual(bench.dials(), seeds(1));
});
