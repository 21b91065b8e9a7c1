// The raw side of TLS on a real socket: buffers whose memory is freed at once hold nothing that
// anybody still needs.

import test from "ava";
import { Inbox, patterned, Recorder, tcpTransport } from "./support.js";

test("bytes arrive whole while both sides write and the reader stops again and again", async (t) => {
  t.timeout(60_000);
  const [server, client] = [tcpTransport(1), tcpTransport(2)];
  t.teardown(() => Promise.all([server.close(), client.close()]));
  const inbox = new Inbox();
  const { address } = await server.listen("tcp://127.0.0.1:0", inbox);
  const dialed = await client.dial(address, { timeoutMs: 20_000 });
  const accepted = await inbox.connection();
  const sides = [new Recorder(dialed), new Recorder(accepted)] as const;
  // More than the kernel takes of a peer that does not read, in pieces of many sizes.
  const bytes = patterned(24 * 1_048_576);
  for (const { connection } of sides) {
    for (let at = 0, piece = 1; at < bytes.length; piece = (piece * 7 + 11) % 200_003) {
      connection.write(bytes.subarray(at, (at += piece)));
    }
  }
  for (let stops = 1; stops <= 12; stops++) {
    for (const { connection } of sides) connection.pause();
    await new Promise((resolve) => void setImmediate(resolve));
    for (const { connection } of sides) connection.resume();
    await Promise.all(sides.map((side) => side.received(stops * 2 * 1_048_576)));
  }
  for (const { chunks } of sides) t.is(Buffer.compare(Buffer.concat(chunks), bytes), 0);
});
