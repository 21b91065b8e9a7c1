// What a peer may do with TLS records, over real sockets: floods of records that cost much and
// bring little are slowed or ended, and an honest peer is read meanwhile.

import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { DEFAULTS } from "../../src/config.js";
import { formatAddress, parseAddress } from "../../src/protocol/address.js";
import { RecordCutter } from "../../src/transport/tls-records.js";
import { RecordPeer } from "../support/record-peer.js";
import { rsaChainOf } from "../support/rsa-chain.js";
import { identityOf, Inbox, patterned, Recorder, tcpTransport } from "./support.js";

const { handshakeBytesMax, silentRecordsMax } = DEFAULTS.tls;

async function victim(t: ExecutionContext) {
  t.timeout(60_000);
  const transport = tcpTransport(1);
  const inbox = new Inbox();
  const { endpoint } = await transport.listen(parseAddress("tcp://127.0.0.1:0"), inbox);
  t.teardown(() => transport.close());
  return { transport, inbox, endpoint };
}

async function attacker(t: ExecutionContext, target: Awaited<ReturnType<typeof victim>>) {
  const peer = await RecordPeer.connect({
    address: formatAddress(target.endpoint),
    identity: identityOf(9),
  });
  t.teardown(() => peer.destroy());
  return { peer, accepted: new Recorder(await target.inbox.connection()) };
}

for (const paddingBytes of [0, 1_500]) {
  test(`a flood of KeyUpdates with ${paddingBytes} bytes of padding ends the connection by its rule, and early`, async (t) => {
    const target = await victim(t);
    const { peer, accepted } = await attacker(t, target);
    peer.sendKeyUpdates(paddingBytes === 0 ? 5_000 : 500, paddingBytes);
    await Promise.all([accepted.closed(), peer.closed]);
    t.is(accepted.broken?.rule, "tls-records");
    t.is(accepted.bytes, 0);
    t.deepEqual(target.transport.figures(), { pendingInbound: 0, pendingDials: 0, connections: 0 });
  });
}

test("keys may be renewed now and then, and the data around it arrives", async (t) => {
  const target = await victim(t);
  const { peer, accepted } = await attacker(t, target);
  const bytes = patterned(1_000);
  for (let i = 0; i < silentRecordsMax; i++) {
    peer.sendKeyUpdates(1);
    peer.sendRecords(bytes, 300);
  }
  await accepted.received(silentRecordsMax * bytes.length);
  t.deepEqual(
    Buffer.concat(accepted.chunks),
    Buffer.concat(Array.from({ length: silentRecordsMax }, () => bytes)),
  );
  peer.sendKeyUpdates(1);
  await accepted.closed();
  t.is(accepted.broken?.rule, "tls-records");
});

test("a connection that is not read takes no records of one byte from its socket", async (t) => {
  const target = await victim(t);
  const { peer, accepted } = await attacker(t, target);
  accepted.connection.pause();
  const bytes = patterned(100_000);
  peer.sendRecords(bytes, 1);
  // The other side's bytes stay in the kernel, and so does most of this in its own buffer.
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.true(accepted.bytes <= DEFAULTS.tls.recordsPerTurn, `${accepted.bytes} were read`);
  accepted.connection.resume();
  await accepted.received(1_000);
});

test("while one connection floods with records of one byte another one is served", async (t) => {
  const target = await victim(t);
  const { peer, accepted } = await attacker(t, target);
  peer.sendRecords(patterned(50_000), 1);
  const honest = tcpTransport(3);
  t.teardown(() => honest.close());
  const dialed = new Recorder(await honest.dial(target.endpoint, { timeoutMs: 20_000 }));
  const other = new Recorder(await target.inbox.connection(1));
  dialed.connection.write(patterned(200_000));
  await other.received(200_000);
  t.true(accepted.bytes < 50_000, "the flood waits for its turns");
  t.is(accepted.closes, 0, "and nobody is ended for small records alone");
});

test("a certificate chain is refused before it is verified", async (t) => {
  const target = await victim(t);
  const identity = rsaChainOf(identityOf(9), 5);
  // On its own side the handshake may be done before it hears.
  const peer = RecordPeer.connect({ address: formatAddress(target.endpoint), identity });
  await peer.then(({ closed }) => closed).catch(() => undefined);
  t.deepEqual(await target.inbox.refusal(), ["handshake-size"]);
  t.is(target.inbox.refused[0]?.detail, `over ${handshakeBytesMax} bytes of handshake`);
  t.is(target.transport.figures().pendingInbound, 0);
});

test("records are cut at their bounds, however they arrive", (t) => {
  const records = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 12 });
  const pieces = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 40 });
  const property = fc.property(records, pieces, (lengths, sizes) => {
    const stream = Buffer.concat(
      lengths.map((length) =>
        Buffer.from([23, 3, 3, length >> 8, length & 255, ...Buffer.alloc(length, 7)]),
      ),
    );
    const cutter = new RecordCutter();
    const bounds: number[] = [];
    for (let at = 0, i = 0; at < stream.length; i++) {
      const chunk = stream.subarray(at, at + sizes[i % sizes.length]!);
      for (let start = 0; start < chunk.length;) {
        start = cutter.cut(chunk, start);
        if (cutter.atBound) bounds.push(at + start);
      }
      at += chunk.length;
    }
    let end = 0;
    t.deepEqual(
      bounds,
      lengths.map((length) => (end += 5 + length)),
    );
  });
  t.notThrows(() => fc.assert(property, { seed: 1, numRuns: 200 }));
});
