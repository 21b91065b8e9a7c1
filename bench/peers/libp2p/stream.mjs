// js-libp2p's ends of a one-way stream (benches bulk and messages); the roles answer the methods of
// bench/lib/stream-roles.ts. bulk: 64 KiB a write on one stream. single: one write a message, as it
// comes. batched: messages joined into 32 KiB before a write, which a user has to do by hand.

import { setTimeout as sleep } from "node:timers/promises";
import { Encoder } from "cbor-x";
import { serveParent, serveRole } from "../../../dist/bench/lib/child.js";
import { ProcessMeter } from "../../../dist/bench/lib/meter.js";
import { addressOf, dial, makeNode } from "./node.mjs";

const PROTOCOL = "/bench/stream/1";
const BULK_BYTES = 65_536;
const JOIN_BYTES = 32_768;
/** Messages between two turns of the event loop. */
const SINGLES = 200;
/** What identify needs after a connection opened. */
const IDENTIFY_MS = 300;
const cbor = new Encoder({ useRecords: false, tagUint8Array: false });

async function measureFor(seconds) {
  const meter = new ProcessMeter();
  await sleep(seconds * 1_000);
  return meter.stop();
}

function receiver(load, encrypter) {
  const progress = { messages: 0, bytes: 0 };
  let node;
  const count = (chunk) => {
    progress.bytes += chunk.byteLength;
    progress.messages = progress.bytes / BULK_BYTES;
  };
  serveParent(
    {
      async listen() {
        node = await makeNode({ listen: true, encrypter });
        await node.handle(PROTOCOL, (stream) => {
          const take = load === "bulk" ? count : splitter(progress);
          stream.addEventListener("message", ({ data }) =>
            take(load === "bulk" ? data : data.subarray()),
          );
        });
        return { address: addressOf(node) };
      },
      async measure({ seconds }) {
        const before = { ...progress };
        const figures = await measureFor(seconds);
        const { messages, bytes } = progress;
        return { messages: messages - before.messages, bytes: bytes - before.bytes, figures };
      },
      received: () => progress.messages,
    },
    () => node?.stop(),
  );
}

/** Messages behind a varint of their length, decoded by cbor-x; they come in order. */
function splitter(progress) {
  let rest = null;
  return (chunk) => {
    const bytes = rest === null ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    rest = null;
    while (at < bytes.length) {
      let length = 0;
      let shift = 0;
      let start = at;
      let whole = false;
      while (start < bytes.length && !whole) {
        const byte = bytes[start++];
        length |= (byte & 0x7f) << shift;
        shift += 7;
        whole = byte < 0x80;
      }
      if (!whole || bytes.length - start < length) {
        rest = Buffer.from(bytes.subarray(at));
        return;
      }
      const message = cbor.decode(bytes.subarray(start, start + length));
      if (message.seq !== progress.messages) throw new Error("messages come in order");
      progress.messages++;
      progress.bytes += length;
      at = start + length;
    }
  };
}

function sender(load, encrypter) {
  const progress = { running: true, sent: 0 };
  let node;
  let ended;
  serveParent(
    {
      async start({ address }) {
        node = await makeNode({ encrypter });
        const connection = await dial(node, address);
        await sleep(IDENTIFY_MS);
        const stream = await connection.newStream(PROTOCOL);
        ended = LOADS[load](stream, progress);
      },
      measure: ({ seconds }) => measureFor(seconds),
      async stop() {
        progress.running = false;
        await ended;
        return progress.sent;
      },
    },
    () => node?.stop(),
  );
}

const turn = () => new Promise((resolve) => void setImmediate(resolve));

/** `stream.onDrain()` resolves at once after its first time, which would queue without bound. */
async function drained(stream) {
  if (!stream.writableNeedsDrain) return;
  await new Promise((resolve) => stream.addEventListener("drain", resolve, { once: true }));
}

async function sendBulk(stream, progress) {
  const buffer = Buffer.alloc(BULK_BYTES, 0x5a);
  for (; progress.running; progress.sent++) if (!stream.send(buffer)) await drained(stream);
}

async function sendSingle(stream, progress) {
  while (progress.running) {
    for (let i = 0; i < SINGLES; i++) {
      if (!stream.send(frame(message(progress)))) await drained(stream);
    }
    await turn();
  }
}

async function sendBatched(stream, progress) {
  while (progress.running) {
    const parts = [];
    let bytes = 0;
    while (bytes < JOIN_BYTES) {
      const part = frame(message(progress));
      parts.push(part);
      bytes += part.length;
    }
    if (!stream.send(Buffer.concat(parts, bytes))) await drained(stream);
    await turn();
  }
}

const LOADS = { bulk: sendBulk, single: sendSingle, batched: sendBatched };
const from = Buffer.alloc(32, 1);
const data = Buffer.alloc(110, 2);

function message(progress) {
  return cbor.encode({ type: "tx", seq: progress.sent++, ts: Date.now(), from, data });
}

function frame(body) {
  const framed = Buffer.allocUnsafe(2 + body.length);
  framed[0] = (body.length & 0x7f) | 0x80;
  framed[1] = body.length >> 7;
  framed.set(body, 2);
  return framed;
}

serveRole({
  "bulk-noise-receiver": () => receiver("bulk", "noise"),
  "bulk-noise-sender": () => sender("bulk", "noise"),
  "bulk-tls-receiver": () => receiver("bulk", "tls"),
  "bulk-tls-sender": () => sender("bulk", "tls"),
  "messages-single-receiver": () => receiver("messages", "noise"),
  "messages-single-sender": () => sender("single", "noise"),
  "messages-batched-receiver": () => receiver("messages", "noise"),
  "messages-batched-sender": () => sender("batched", "noise"),
});
