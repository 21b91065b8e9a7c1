// The registry and the dialer together: whom the node dials, when, and who hears of it. The peers at
// the other ends speak real bytes.

import test from "ava";
import type { DialerMessage } from "../../../src/actors/service/dial-messages.js";
import { peerIdOf, SELF, START_WALL_MS } from "../support.js";
import { FakeConnection, type RemotePeer } from "../remote-peer.js";
import { seeds, start } from "./dial-bench.js";

test("it dials the seeds until the outbound slots are filled", async (t) => {
  const harness = await start({ seedPeers: seeds(5), maxOutbound: 3 });
  t.deepEqual(harness.dials(), seeds(3));
  t.is(harness.transport.dials[0]?.options.timeoutMs, harness.config.dial.timeoutMs);
});

test("addresses are known by their one form: a bare host and port means tcp", async (t) => {
  const harness = await start({ seedPeers: ["10.0.0.1:8765", "tcp://10.0.0.1:8765"] });
  t.deepEqual(harness.dials(), ["tcp://10.0.0.1:8765"]);
});

test("an identity that the address pins is asked of the transport", async (t) => {
  const harness = await start({ seedPeers: [`tcp://${peerIdOf(9)}@10.0.0.1:8765`] });
  t.deepEqual(harness.dials(), [`tcp://${peerIdOf(9)}@10.0.0.1:8765`]);
});

test("no more dials run at once than the configuration allows", async (t) => {
  const harness = await start({ seedPeers: seeds(5), dial: { concurrentMax: 2 } });
  t.is(harness.transport.dials.length, 2);
  await harness.fail();
  t.deepEqual(harness.dials(), [seeds(5)[1]!, seeds(5)[2]!]);
});

test("a failed dial is repeated after growing pauses, and another address takes its slot", async (t) => {
  const harness = await start({ seedPeers: seeds(2), maxOutbound: 1 });
  await harness.fail();
  t.deepEqual(harness.dials(), [seeds(2)[1]!]);
  await harness.fail();
  t.deepEqual(harness.dials(), []);
  const pauses: number[] = [];
  for (let i = 0; i < 8; i++) {
    const fromMs = harness.clock.monotonicMs();
    await harness.untilDials(100);
    pauses.push(harness.clock.monotonicMs() - fromMs);
    await harness.fail();
  }
  t.true(pauses.every((pauseMs) => pauseMs <= harness.config.dial.backoffMaxMs + 1_100));
  t.true(pauses.at(-1)! + pauses.at(-2)! > pauses[0]! + pauses[1]!);
  t.true(harness.log.some(({ event }) => event === "dial failed"));
});

test("there is no transport for some addresses", async (t) => {
  const harness = await start({ seedPeers: ["memory://node:1"] });
  t.regex(
    String(harness.log.find(({ event }) => event === "dial failed")?.fields.reason),
    /no transport/,
  );
});

test("an address whose peer is connected already, from its side, is not dialed", async (t) => {
  const harness = await start({ seedPeers: seeds(1) });
  const inbound = await harness.join(peerIdOf(1));
  // Of two in opposite directions the one stays that the smaller id dialed.
  const outbound = await harness.succeed(peerIdOf(1));
  t.is(outbound.heardOf("Disconnect")[0]?.message.reason, "DuplicateConnection");
  await harness.awake([inbound], 600_000);
  t.deepEqual(harness.dials(), []);
  await harness.goodbye(inbound);
  await harness.advance(3_000);
  t.deepEqual(harness.dials(), seeds(1));
});

test("our own address is never dialed again, and gives its slot back", async (t) => {
  const harness = await start({ seedPeers: seeds(2), maxOutbound: 1 });
  await harness.succeed(SELF);
  t.deepEqual(harness.dials(), [seeds(2)[1]!]);
  // The other side may tell us apart first.
  await harness.goodbye(await harness.succeed(SELF), "SelfConnection");
  await harness.advance(3_600_000);
  t.deepEqual(harness.dials(), []);
});

test("an address at which another key answers is dialed again, though it is called our own", async (t) => {
  const harness = await start({ seedPeers: seeds(1) });
  await harness.goodbye(await harness.succeed(peerIdOf(2)), "SelfConnection");
  await harness.advance(3_000);
  t.deepEqual(harness.dials(), seeds(1));
});

test("a peer that is full does not make the pauses grow", async (t) => {
  const harness = await start({ seedPeers: seeds(1) });
  for (let i = 0; i < 10; i++) {
    await harness.goodbye(await harness.succeed(), "TooManyConnections");
    await harness.advance(2_100);
    t.is(harness.transport.dials.length, 1, `${i}`);
  }
});

test("a connection that was stable starts the pauses anew, a short one does not", async (t) => {
  const harness = await start({ seedPeers: seeds(1) });
  for (let i = 0; i < 12; i++) {
    const remote = await harness.handshake(await harness.succeed());
    await harness.awake([remote], 59_000);
    await harness.goodbye(remote);
    await harness.untilDials(1_000);
  }
  const remote = await harness.handshake(await harness.succeed());
  await harness.awake([remote], 60_000);
  await harness.goodbye(remote);
  await harness.advance(3_100);
  t.is(harness.transport.dials.length, 1);
});

test("after a stop nothing is dialed, and what still connects is closed", async (t) => {
  const harness = await start({ seedPeers: seeds(2), maxOutbound: 2 });
  harness.registry.tell({ type: "Shutdown", replyTo: harness.probe<"Drained">().ref });
  await harness.settle();
  const { connection } = await harness.succeed();
  t.true(connection.destroyed);
  await harness.fail();
  await harness.advance(3_600_000);
  t.deepEqual(harness.dials(), []);
  t.is(harness.subscriber.received.length, 0);
});

test("a crash of the dialer costs its dials, and no address, slot or answer", async (t) => {
  const harness = await start({ seedPeers: seeds(1), maxOutbound: 2 });
  harness.expectFault(harness.dialing);
  const remote = await harness.handshake(await harness.succeed(peerIdOf(1)));
  const [, second] = seeds(2) as [string, string];
  const asked = await harness.connect(second);
  t.deepEqual(harness.dials(), [second]);
  const [underWay] = harness.transport.dials.splice(0);
  harness.dialing.tell({ type: "None" } as unknown as DialerMessage);
  await harness.settle();
  const why = `Cannot connect to ${second}: the dial was lost to a fault of this node.`;
  t.deepEqual(asked.outcome, { ok: false, why });
  // What the dial that was lost still brings belongs to nobody.
  const late = new FakeConnection({ peerId: peerIdOf(2), direction: "outbound" });
  underWay!.resolve(late);
  await harness.settle();
  t.true(late.destroyed);
  await harness.awake([remote], 3_000);
  t.deepEqual(harness.dials(), [second], "it was given once, and is dialed again");
  await harness.handshake(await harness.succeed(peerIdOf(2)));
  t.deepEqual(
    harness.subscriber.of("PeerReady").map(({ peerId }) => peerId),
    [peerIdOf(1), peerIdOf(2)],
  );
});

test("a node without a peer dials again within a minute, and says so", async (t) => {
  const harness = await start({ seedPeers: seeds(1) });
  t.is((await harness.status()).waitingFor, "a peer (none for 0 s; 1 being dialed)");
  let longestMs = 0;
  for (let i = 0; i < 40; i++) {
    await harness.fail();
    const fromMs = harness.clock.monotonicMs();
    await harness.untilDials();
    longestMs = Math.max(longestMs, harness.clock.monotonicMs() - fromMs);
  }
  t.true(longestMs <= 60_000, `${longestMs} ms`);
  const warnings = harness.log.filter(({ event }) => event === "there is no peer");
  t.true(warnings.length > 5);
  t.true(warnings.every(({ level }) => level === "warn"));
  t.like(warnings.at(-1)?.fields, { next: seeds(1)[0], reason: "refused" });
  t.is(typeof warnings.at(-1)?.fields.nextTrySeconds, "number");
  await harness.fail();
  const sentence = /^a peer \(none for \d+ s; tcp:\S+ failed 41 times, next try in \d+ s\)$/;
  t.regex((await harness.status()).waitingFor!, sentence);
  await harness.untilDials();
  await harness.handshake(await harness.succeed());
  t.is((await harness.status()).waitingFor, null);
});

test("when the last peer goes, seeds that were down for hours are dialed within a minute", async (t) => {
  const harness = await start({ seedPeers: seeds(2) });
  const remote = await harness.handshake(await harness.succeed(peerIdOf(1)));
  for (let i = 0; i < 12; i++) {
    await harness.fail();
    while (harness.transport.dials.length === 0) await harness.awake([remote], 1_000);
  }
  await harness.fail();
  await harness.goodbye(remote);
  await harness.advance(60_000);
  t.true(harness.dials().includes(seeds(2)[1]!));
});

test("an address that somebody wants is dialed at once, whatever its backoff and its turn", async (t) => {
  const harness = await start({ seedPeers: seeds(3), maxOutbound: 2, dial: { concurrentMax: 1 } });
  const other = await harness.join(peerIdOf(9));
  for (let i = 0; i < 20; i++) {
    if (harness.transport.dials.length > 0) await harness.fail();
    else await harness.awake([other], 10_000);
  }
  while (harness.transport.dials.length > 0) await harness.fail();
  const address = seeds(3)[2]!;
  const asked = await harness.connect(address);
  t.deepEqual(harness.dials(), [address]);
  const remote = await harness.succeed(peerIdOf(3));
  t.is(asked.outcome, undefined, "connected means ready");
  await harness.handshake(remote);
  t.deepEqual(asked.outcome, { ok: true, peerId: peerIdOf(3) });
  const again = await harness.connect(address);
  t.deepEqual(again.outcome, asked.outcome, "one that is connected is answered at once");
});

test("who wants an address hears why it cannot be", async (t) => {
  const [first, second] = seeds(2) as [string, string];
  const ended = (reason: string, by: string): string =>
    `Cannot connect to ${first}: the connection was ended by ${by} (${reason}).`;
  const cases: [
    (harness: Awaited<ReturnType<typeof start>>, remote: RemotePeer) => unknown,
    string,
  ][] = [
    [(harness, remote) => harness.goodbye(remote, "Banned"), ended("Banned", "the peer")],
    [(harness) => harness.advance(6_000), ended("Timeout", "this node")],
    [
      (harness, remote) => harness.goodbye(remote, "SelfConnection"),
      ended("SelfConnection", "the peer"),
    ],
  ];
  for (const [end, why] of cases) {
    const harness = await start({ maxOutbound: 1 });
    const asked = await harness.connect(first);
    const remote = await harness.succeed();
    const full = "all 1 outbound slots are taken; it is tried when one is free";
    const late = await harness.connect(second);
    t.deepEqual(late.outcome, { ok: false, why: `Cannot connect to ${second}: ${full}.` });
    await end(harness, remote);
    t.deepEqual(asked.outcome, { ok: false, why });
  }
  const own = await start();
  const ownAsked = await own.connect(first);
  await own.succeed(SELF);
  t.deepEqual(ownAsked.outcome, {
    ok: false,
    why: `Cannot connect to ${first}: this is our own node.`,
  });
  const harness = await start({ dial: { candidatesMax: 1 } });
  const asked = await harness.connect(first);
  const why = `Cannot connect to ${second}: no more addresses are kept.`;
  t.deepEqual((await harness.connect(second)).outcome, { ok: false, why });
  await harness.fail();
  t.deepEqual(asked.outcome, { ok: false, why: "refused" });
});

test("who wants an address whose peer calls each connection a double hears that at the second", async (t) => {
  const harness = await start();
  const asked = await harness.connect(seeds(1)[0]!);
  await harness.goodbye(await harness.succeed(), "DuplicateConnection");
  t.is(asked.outcome, undefined, "the other one may still come");
  await harness.untilDials();
  await harness.goodbye(await harness.succeed(), "DuplicateConnection");
  const why = "the connection was ended by the peer (DuplicateConnection)";
  t.deepEqual(asked.outcome, { ok: false, why: `Cannot connect to ${seeds(1)[0]!}: ${why}.` });
});

test("another process with this identity is left more and more alone, and told of once", async (t) => {
  const harness = await start({ seedPeers: seeds(1) });
  // So that this node is not alone, and waits as long as it should.
  const other = await harness.join(peerIdOf(9));
  const pauses: number[] = [];
  for (let i = 0; i < 12; i++) {
    const remote = await harness.handshake(await harness.succeed(peerIdOf(1)));
    // It is here for long now and then, which is no sign that all is well.
    await harness.awake([other, remote], i % 3 === 0 ? 70_000 : 2_000);
    await harness.goodbye(remote, "DuplicateConnection");
    const fromMs = harness.clock.monotonicMs();
    while (harness.transport.dials.length === 0) await harness.awake([other], 1_000);
    pauses.push(harness.clock.monotonicMs() - fromMs);
  }
  t.true(Math.max(...pauses) > 60_000, `${pauses.join(", ")}`);
  const warnings = harness.log.filter(
    ({ level, event }) => level === "warn" && /identity/.test(event),
  );
  t.is(warnings.length, 1);
  t.like(warnings[0]?.fields, { peerId: SELF, seenAt: seeds(1)[0] });
});

test("a tie-break is none of another process", async (t) => {
  const harness = await start({ seedPeers: seeds(1) });
  for (let i = 0; i < 6; i++) {
    await harness.untilDials();
    const outbound = await harness.succeed(peerIdOf(1));
    // Of both the one stays that the smaller id dialed.
    const inbound = await harness.join(peerIdOf(1));
    await harness.goodbye(outbound, "DuplicateConnection");
    await harness.goodbye(inbound);
  }
  t.false(harness.log.some(({ event }) => /identity/.test(event)));
  await harness.advance(3_000);
  t.is(harness.transport.dials.length, 1, "the backoff did not grow");
});

test("who wants an address whose peer connects from its side hears when that is ready", async (t) => {
  const harness = await start();
  const asked = await harness.connect(seeds(1)[0]!);
  const inbound = harness.join(peerIdOf(1));
  const outbound = await harness.succeed();
  await inbound;
  t.is(outbound.heardOf("Disconnect")[0]?.message.reason, "DuplicateConnection");
  t.deepEqual(asked.outcome, { ok: true, peerId: peerIdOf(1) });
});

test("the address of a banned peer is left alone until its ban ends", async (t) => {
  const harness = await start({ seedPeers: seeds(1) });
  await harness.handshake(await harness.succeed());
  const untilWallMs = START_WALL_MS + 600_000;
  const ban = { peerId: peerIdOf(1), untilWallMs, reason: "InvalidBlock: root", count: 1 };
  harness.registry.tell({ type: "PeerBanned", ban });
  await harness.advance(599_000);
  t.deepEqual(harness.dials(), []);
  while (harness.dials().length === 0) await harness.advance(1_000);
  t.true(harness.clock.wallMs() < untilWallMs + 60_000);
});

test("a peer that was here and cannot be reached is charged, unless nobody else is here", async (t) => {
  const harness = await start({ seedPeers: seeds(1) });
  const charged = (): readonly string[] =>
    harness.reputation
      .of("Report")
      .filter(({ event }) => event === "ConnectionFailure")
      .map(({ peerId, detail }) => `${peerId}: ${detail}`);
  await harness.goodbye(await harness.handshake(await harness.succeed()));
  await harness.untilDials();
  await harness.fail();
  t.deepEqual(charged(), [], "our own line may be down");
  const other = await harness.join(peerIdOf(9));
  while (harness.transport.dials.length === 0) await harness.awake([other], 1_000);
  await harness.fail();
  t.deepEqual(charged(), [`${peerIdOf(1)}: refused`]);
  while (harness.transport.dials.length === 0) await harness.awake([other], 1_000);
  const remote = await harness.succeed();
  remote.connection.end();
  await harness.settle();
  t.deepEqual(charged().at(-1), `${peerIdOf(1)}: in its handshake`);
  t.is(charged().length, 2);
});
