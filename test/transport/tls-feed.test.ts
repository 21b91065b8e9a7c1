// The raw side of TLS on a real socket: buffers whose memory is freed at once hold nothing that
// anybody still needs.

import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import type { Connection } from "../../src/ports.js";
import { parseAddress } from "../../src/protocol/address.js";
import { Inbox, patterned, Recorder, tcpTransport } from "./support.js";

/** Until the kernel takes no more: looked at too early, a write is just not waiting yet. */
async function stuck(connection: Connection): Promise<void> {
  for (let before = -1; before !== connection.bufferedBytes; await sleep(100)) {
    before = connection.bufferedBytes;
  }
}

async function arrived(side: Recorder, bytes: number): Promise<void> {
  const closed = side.closed().then(() => {
    throw new Error("TLS ended the connection", { cause: side.error });
  });
  await Promise.race([side.received(bytes), closed]);
}

test("bytes arrive whole while both sides write and the reader stops again and again", async (t) => {
  t.timeout(60_000);
  const [server, client] = [tcpTransport(1), tcpTransport(2)];
  t.teardown(() => Promise.all([server.close(), client.close()]));
  const inbox = new Inbox();
  const { endpoint } = await server.listen(parseAddress("tcp://127.0.0.1:0"), inbox);
  const dialed = await client.dial(endpoint, { timeoutMs: 20_000 });
  const accepted = await inbox.connection();
  const sides = [new Recorder(dialed), new Recorder(accepted)] as const;
  // More than the kernel takes of a peer that does not read, in pieces of many sizes.
  const bytes = patterned(24 * 1_048_576);
  for (const { connection } of sides) {
    connection.pause();
    for (let at = 0, piece = 1; at < bytes.length; piece = (piece * 7 + 11) % 200_003) {
      connection.write(bytes.subarray(at, (at += piece)));
    }
  }
  for (let stops = 1; stops <= 3; stops++) {
    await Promise.all(sides.map(({ connection }) => stuck(connection)));
    for (const { connection } of sides) connection.resume();
    await Promise.all(sides.map((side) => arrived(side, stops * 5 * 1_048_576)));
    for (const { connection } of sides) connection.pause();
  }
  for (const { connection } of sides) connection.resume();
  await Promise.all(sides.map((side) => arrived(side, bytes.length)));
  for (const { chunks } of sides) t.is(Buffer.compare(Buffer.concat(chunks), bytes), 0);
});
