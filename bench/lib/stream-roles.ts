// The processes of a one-way stream (benches bulk and messages): a sender and a receiver of ours,
// and the limit's, which use a bare node:tls socket between them. All answer the same methods.

import { connect, createServer, type TLSSocket } from "node:tls";
import { Encoder } from "cbor-x";
import { encodeMessage } from "../../src/protocol/codec/codec.js";
import { invariant } from "../../src/errors.js";
import { createSystemRandom } from "../../src/runtime/random.js";
import { createIdentity, generateSeed } from "../../src/transport/tls-identity.js";
import { serveParent, serveRole } from "./child.js";
import { ProcessMeter, type ProcessFigures } from "./meter.js";
import { ACK_KIND, sink, source, type SinkArgs, type StreamWindow } from "./stream-actors.js";
import { startWireNode, type WireNode } from "./wire-node.js";

export interface Arrived {
  readonly messages: number;
  /** Of payload. */
  readonly bytes: number;
  readonly figures: ProcessFigures;
}

export type ReceiverMethods = {
  listen(): Promise<{ address: string }>;
  /** What arrives in so many seconds from now on. */
  measure(task: { seconds: number }): Promise<Arrived>;
  /** All messages so far. */
  received(): number;
};

export type SenderMethods = {
  /** Connects and sends from then on. */
  start(task: { address: string }): Promise<void>;
  measure(task: { seconds: number }): Promise<ProcessFigures>;
  /** Sends no more; answers how many messages were sent. */
  stop(): Promise<number>;
};

export const BULK_BYTES = 65_536;
export const MESSAGE_BYTES = 188;

const BULK_WINDOW: StreamWindow = { messagesMax: 64, ackEvery: 16 };
const MESSAGE_WINDOW: StreamWindow = { messagesMax: 8_192, ackEvery: 1_024 };

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, seconds * 1_000));

async function measureFor(seconds: number): Promise<ProcessFigures> {
  const meter = new ProcessMeter();
  await sleep(seconds);
  return meter.stop();
}

function serveReceiver(
  progress: { readonly messages: number; readonly bytes: number },
  listen: ReceiverMethods["listen"],
  onRelease: () => unknown,
): void {
  const methods: ReceiverMethods = {
    listen,
    async measure({ seconds }) {
      const before = { ...progress };
      const figures = await measureFor(seconds);
      const { messages, bytes } = progress;
      return { messages: messages - before.messages, bytes: bytes - before.bytes, figures };
    },
    received: () => progress.messages,
  };
  serveParent(methods, onRelease);
}

// ---- vibecoin --------------------------------------------------------------------------------

/** NewBlock: what is pushed to peers, encoded once for all of them. One frame of 64 KiB. */
const BLOCK_HEAD_BYTES = 4;
const block = new Uint8Array(BULK_BYTES - BLOCK_HEAD_BYTES).fill(0x5a);
/** NewTransaction: encoded for each message. */
const TRANSACTION_HEAD_BYTES = 3;
const TRANSACTION_BYTES = MESSAGE_BYTES - TRANSACTION_HEAD_BYTES;

function vibecoinReceiver(load: "bulk" | "messages"): void {
  const progress = { messages: 0, bytes: 0 };
  let node: WireNode | undefined;
  const kind = load === "bulk" ? "NewBlock" : "NewTransaction";
  const window = load === "bulk" ? BULK_WINDOW : MESSAGE_WINDOW;
  const listen = async (): Promise<{ address: string }> => {
    node = await startWireNode();
    const handler = node.system.spawn(
      sink,
      { window, progress, take: load === "bulk" ? takeBlock : takeTransaction },
      { name: "sink" },
    );
    node.router.tell({ type: "Register", kinds: [kind], handler });
    return { address: await node.listen() };
  };
  serveReceiver(progress, listen, () => node?.stop());
}

const takeBlock: SinkArgs["take"] = ({ message }) => {
  invariant(message.kind === "NewBlock", "a block comes");
  return message.block.length + BLOCK_HEAD_BYTES;
};

const takeTransaction: SinkArgs["take"] = ({ message }, sequence) => {
  invariant(message.kind === "NewTransaction", "a transaction comes");
  const { transaction } = message;
  invariant(readSequence(transaction) === sequence, "messages come in order");
  return transaction.length + TRANSACTION_HEAD_BYTES;
};

function vibecoinSender(load: "bulk" | "messages"): void {
  const progress = { running: true, sent: 0 };
  let node: WireNode | undefined;
  const payload = encodeMessage({ kind: "NewBlock", block });
  const bulk = { type: "SendEncoded", kind: "NewBlock", payload } as const;
  const methods: SenderMethods = {
    async start({ address }) {
      const started = await startWireNode();
      node = started;
      await new Promise<void>((onReady) => {
        const sender = started.system.spawn(
          source,
          {
            window: load === "bulk" ? BULK_WINDOW : MESSAGE_WINDOW,
            message: load === "bulk" ? () => bulk : newTransaction,
            progress,
            onReady,
          },
          { name: "source" },
        );
        started.registry.tell({ type: "Subscribe", subscriber: sender });
        started.router.tell({ type: "Register", kinds: [ACK_KIND], handler: sender });
        void started.dial(address);
      });
    },
    measure: ({ seconds }) => measureFor(seconds),
    async stop() {
      progress.running = false;
      return progress.sent;
    },
  };
  serveParent(methods, () => node?.stop());
}

function newTransaction(sequence: number) {
  // From node's pool of small buffers, as the limit's: a buffer for each costs malloc and collector.
  const transaction = Buffer.allocUnsafe(TRANSACTION_BYTES).fill(0);
  transaction.writeUInt32BE(sequence);
  return { type: "Send", message: { kind: "NewTransaction", transaction } } as const;
}

function readSequence(bytes: Uint8Array): number {
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
}

// ---- limit -----------------------------------------------------------------------------------

const settings = { useRecords: false, tagUint8Array: false } as const;
const cbor = new Encoder(settings);
const TLS = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3", ALPNProtocols: ["bench"] } as const;
const CIPHERS = "TLS_AES_128_GCM_SHA256";
/** Messages joined before a write, as a good user does. */
const JOIN_BYTES = 32_768;
const LENGTH_BYTES = 2;

function limitReceiver(load: "bulk" | "messages"): void {
  const progress = { messages: 0, bytes: 0 };
  const { privateKeyPem: key, certificatePem: cert } = createIdentity(
    generateSeed(createSystemRandom()),
  );
  const count = (chunk: Buffer): void => {
    progress.bytes += chunk.length;
    progress.messages = progress.bytes / BULK_BYTES;
  };
  const server = createServer({ ...TLS, ciphers: CIPHERS, key, cert, noDelay: true }, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", load === "bulk" ? count : splitter(progress));
  });
  const listen = (): Promise<{ address: string }> =>
    new Promise((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const bound = server.address();
        invariant(bound !== null && typeof bound === "object", "it listens on a port");
        resolve({ address: String(bound.port) });
      });
    });
  serveReceiver(progress, listen, () => server.close());
}

/** Length-prefixed CBOR, decoded by cbor-x; the messages come in order. */
function splitter(progress: { messages: number; bytes: number }): (chunk: Buffer) => void {
  let rest: Buffer | undefined;
  return (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (at + LENGTH_BYTES <= bytes.length) {
      const end = at + LENGTH_BYTES + bytes.readUInt16BE(at);
      if (end > bytes.length) break;
      const message = cbor.decode(bytes.subarray(at + LENGTH_BYTES, end)) as { seq: number };
      invariant(message.seq === progress.messages, "messages come in order");
      progress.messages++;
      progress.bytes += end - at - LENGTH_BYTES;
      at = end;
    }
    rest = at === bytes.length ? undefined : bytes.subarray(at);
  };
}

function limitSender(load: "bulk" | "messages"): void {
  let socket: TLSSocket;
  let running = true;
  let sent = 0;
  let ended: Promise<void>;
  const buffer = Buffer.alloc(BULK_BYTES, 0x5a);
  const from = Buffer.alloc(32, 1);
  const data = Buffer.alloc(110, 2);
  const drain = (): Promise<void> =>
    new Promise((resolve) => void socket.once("drain", () => resolve()));
  const sendBulk = async (): Promise<void> => {
    for (; running; sent++) if (!socket.write(buffer)) await drain();
  };
  const sendMessages = async (): Promise<void> => {
    while (running) {
      const parts: Buffer[] = [];
      for (let bytes = 0; bytes < JOIN_BYTES;) {
        const body = cbor.encode({ type: "tx", seq: sent++, ts: Date.now(), from, data });
        const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
        frame.writeUInt16BE(body.length);
        frame.set(body, LENGTH_BYTES);
        bytes += parts.push(frame) && frame.length;
      }
      if (!socket.write(Buffer.concat(parts))) await drain();
      await new Promise((resolve) => void setImmediate(resolve));
    }
  };
  const methods: SenderMethods = {
    async start({ address }) {
      const to = { port: Number(address), host: "127.0.0.1", noDelay: true };
      socket = connect({ ...TLS, ...to, rejectUnauthorized: false });
      await new Promise<void>((resolve) => void socket.once("secureConnect", resolve));
      ended = load === "bulk" ? sendBulk() : sendMessages();
    },
    measure: ({ seconds }) => measureFor(seconds),
    async stop() {
      running = false;
      await ended;
      return sent;
    },
  };
  serveParent(methods, () => socket.destroy());
}

serveRole({
  "bulk-vibecoin-receiver": () => vibecoinReceiver("bulk"),
  "bulk-vibecoin-sender": () => vibecoinSender("bulk"),
  "bulk-limit-receiver": () => limitReceiver("bulk"),
  "bulk-limit-sender": () => limitSender("bulk"),
  "messages-vibecoin-receiver": () => vibecoinReceiver("messages"),
  "messages-vibecoin-sender": () => vibecoinSender("messages"),
  "messages-limit-receiver": () => limitReceiver("messages"),
  "messages-limit-sender": () => limitSender("messages"),
});
