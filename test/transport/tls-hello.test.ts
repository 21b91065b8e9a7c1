// The first bytes of a stream, before there is a TLS object.

import { connect as connectTls } from "node:tls";
import { Duplex } from "node:stream";
import test from "ava";
import fc from "fast-check";

import type { RawDuplex } from "../../src/transport/carrier.js";
import { readHello, watchForHello } from "../../src/transport/tls-hello.js";

const MAX = 4_096;

/** What node says first. */
async function nodesHello(): Promise<Buffer> {
  let hello = Buffer.alloc(0);
  const stream = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      hello = Buffer.concat([hello, chunk]);
      done();
    },
  });
  const socket = connectTls({ socket: stream, ALPNProtocols: ["vibecoin/1"] });
  socket.on("error", () => undefined);
  while (hello.length < 5 || hello.length < 5 + hello.readUInt16BE(3)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.destroy();
  return hello;
}

test("a ClientHello is known by its record, however it is cut", async (t) => {
  const hello = await nodesHello();
  for (let length = 0; length < hello.length; length++) {
    t.is(readHello(hello.subarray(0, length), MAX), "more");
  }
  t.is(readHello(hello, MAX), "whole");
  t.is(readHello(Buffer.concat([hello, Buffer.alloc(9)]), MAX), "whole");
});

test("what is none is known by its first bytes", (t) => {
  const none = { rule: "tls-failed" };
  const hex = (text: string): Buffer => Buffer.from(text, "hex");
  t.like(readHello(Buffer.from("GET / HTTP/1.1\r\n"), MAX), none);
  t.like(readHello(hex("17"), MAX), none);
  t.like(readHello(hex("1602"), MAX), none);
  t.like(readHello(hex("1603010000"), MAX), none);
  t.like(readHello(hex("160301000402"), MAX), none);
  t.like(readHello(hex("1603014000"), MAX), { rule: "handshake-size" });
});

test("whatever comes is judged, and never asked for more than fits", (t) => {
  const property = fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    const reading = readHello(bytes, 32);
    return reading !== "more" || bytes.length < 32;
  });
  fc.assert(property, { numRuns: 2_000 });
  t.pass();
});

/** A stream that is fed by hand. */
function fed(): {
  raw: RawDuplex;
  said: string[];
  stream: Duplex;
  knock: () => ReturnType<typeof watchForHello>;
} {
  const said: string[] = [];
  const stream = new Duplex({ read: () => undefined, write: (_c, _e, done) => done() });
  stream.on("error", () => undefined);
  const end = { scheme: "tcp", host: "h", port: 1 } as const;
  const raw: RawDuplex = {
    direction: "inbound",
    local: end,
    remote: end,
    openedAtMs: 0,
    duplex: stream,
    refuse: () => void stream.destroy(),
  };
  const knock = () =>
    watchForHello(raw, MAX, {
      onKnocked: () => said.push("knocked"),
      onRefused: ({ rule }) => said.push(rule),
      onClosed: () => said.push("closed"),
    });
  return { raw, said, stream, knock };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("nothing that came is lost, and each chunk has memory of its own", async (t) => {
  const { said, stream, knock } = fed();
  const watched = knock();
  const hello = Buffer.concat([await nodesHello(), Buffer.from("more")]);
  for (const byte of hello.subarray(0, 9)) stream.push(new Uint8Array([byte]));
  stream.push(new Uint8Array(hello.subarray(9)));
  await turn();
  t.deepEqual(said, ["knocked"]);
  watched.release();
  const read: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => read.push(chunk)).resume();
  await turn();
  t.deepEqual(Buffer.concat(read), hello);
  t.true(read.every((chunk) => chunk.byteLength === chunk.buffer.byteLength));
  stream.destroy();
  await turn();
  t.deepEqual(said, ["knocked"], "it is watched no longer");
});

test("whoever leaves while it is watched is refused, and told gone", async (t) => {
  for (const leave of [
    (stream: Duplex) => stream.push(null),
    (stream: Duplex) => stream.destroy(),
  ]) {
    const { said, stream, knock } = fed();
    knock();
    leave(stream);
    await turn();
    await turn();
    t.is(said[0], "tls-failed");
    t.is(said.at(-1), "closed");
  }
});
