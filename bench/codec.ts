// Frames and payloads per second beside bare cbor-x on the same messages. "Encode" is message →
// payload → lanes → chunks for the socket; "decode" is chunks → frames → lanes → scan → message.
// cbor-x does neither framing, flow control nor checking: it is a peer, not a limit.

import { Decoder, Encoder } from "cbor-x";
import { decodeMessage, encodeMessage } from "../src/protocol/codec/codec.js";
import { FrameDecoder } from "../src/protocol/codec/frame.js";
import { ReceiveLanes } from "../src/protocol/codec/receive-lanes.js";
import { SendLanes } from "../src/protocol/codec/send-lanes.js";
import { KINDS, MESSAGE_KINDS } from "../src/protocol/index.js";
import type { Message } from "../src/protocol/index.js";
import { Report } from "./lib/report.js";
import type { BenchOptions } from "./lib/report.js";

/** What a peer handler writes at once. */
const CHUNK_BYTES = 64 * 1024;
const WINDOW = { windowBytesInitial: 4 * 1024 * 1024, windowBytesMax: 4 * 1024 * 1024 };
/** Messages between two looks at the clock: within the window, so that nothing waits. */
const BATCH_BYTES = 512 * 1024;

interface Case {
  readonly name: string;
  readonly message: Message;
  /** The same payload as a value for cbor-x. */
  readonly value: unknown;
}

interface Subject {
  readonly name: string;
  /** Encodes the message `count` times. */
  encode(count: number): void;
  /** Decodes `count` messages that were encoded before. */
  decode(count: number): void;
}

export function run(options: BenchOptions): Promise<void> {
  const report = new Report("codec", options);
  const rounds = options.smoke ? 3 : 7;
  const roundMs = options.smoke ? 50 : 300;
  for (const each of cases()) {
    const bytes = encodeMessage(each.message).length;
    const count = Math.max(1, Math.floor(BATCH_BYTES / bytes));
    const subjects = [vibecoin(each, count), ...(options.profiled ? [] : [bareCbor(each)])];
    for (const subject of subjects) {
      measure(() => subject.encode(count), roundMs);
      measure(() => subject.decode(count), roundMs);
    }
    for (let round = 0; round < rounds; round++) {
      for (const subject of subjects) {
        for (const way of ["encode", "decode"] as const) {
          const perSecond = count * measure(() => subject[way](count), roundMs);
          const metric = `${each.name}-${way}`;
          report.sample(subject.name, metric, "frames/s", perSecond);
          report.sample(subject.name, `${metric}-bytes`, "MB/s", (perSecond * bytes) / 1e6);
        }
      }
    }
    for (const way of ["encode", "decode"]) {
      report.ratio("vibecoin", "cbor-x", `${each.name}-${way}`);
    }
  }
  report.print();
  return Promise.resolve();
}

function cases(): readonly Case[] {
  const transaction = filled(188);
  const transactions = Array.from({ length: 20 }, () => filled(188));
  const blocks = Array.from({ length: 5 }, () => filled(5_000));
  const ids = Array.from({ length: 64 }, () => filled(32));
  return [
    {
      name: "transaction-188b",
      message: { kind: "NewTransaction", transaction },
      value: [transaction],
    },
    { name: "ping", message: { kind: "Ping", nonce: 2n ** 60n }, value: [2n ** 60n] },
    {
      name: "ids-64",
      message: {
        kind: "AnnounceTransactions",
        ids: ids.map((id) => Buffer.from(id).toString("hex")),
      },
      value: [ids],
    },
    {
      name: "transactions-20",
      message: { kind: "ResponseTransactions", transactions },
      value: [transactions],
    },
    {
      name: "range-25k",
      message: { kind: "ResponseBlockRange", blocks },
      value: [blocks],
    },
  ];
}

function filled(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31) & 255);
}

function vibecoin({ message }: Case, count: number): Subject {
  const { kind } = message;
  const requestId = KINDS[kind].role === "oneWay" ? 0 : 1;
  const chunks: Uint8Array[] = [];
  const encode = (times: number, take: (chunk: Uint8Array) => void): void => {
    const lanes = new SendLanes(WINDOW);
    for (let i = 0; i < times; i++) lanes.enqueue(kind, requestId, encodeMessage(message));
    for (let chunk = lanes.pull(CHUNK_BYTES); chunk; chunk = lanes.pull(CHUNK_BYTES)) take(chunk);
  };
  encode(count, (chunk) => chunks.push(chunk));
  return {
    name: "vibecoin",
    encode: (times) => encode(times, () => undefined),
    decode(times) {
      const decoder = new FrameDecoder(MESSAGE_KINDS);
      const lanes = new ReceiveLanes(WINDOW);
      let read = 0;
      for (const chunk of chunks) {
        const violation = decoder.push(chunk, (frame) =>
          lanes.accept(frame, (received) => {
            const decoded = decodeMessage(received.kind, received.payload);
            if (!decoded.ok) return decoded.violation;
            lanes.consumed(received.lane, received.creditBytes, read++);
            return undefined;
          }),
        );
        if (violation !== undefined) throw new Error(`${violation.rule}: ${violation.detail}`);
      }
      if (read !== times) throw new Error(`read ${read} messages of ${times}`);
    },
  };
}

function bareCbor({ value }: Case): Subject {
  const settings = { useRecords: false, tagUint8Array: false } as const;
  const encoder = new Encoder(settings);
  const decoder = new Decoder(settings);
  const encoded = Uint8Array.from(encoder.encode(value));
  return {
    name: "cbor-x",
    encode(times) {
      for (let i = 0; i < times; i++) encoder.encode(value);
    },
    decode(times) {
      for (let i = 0; i < times; i++) decoder.decode(encoded);
    },
  };
}

/** Calls per second over at least `durationMs`. */
function measure(call: () => void, durationMs: number): number {
  const start = performance.now();
  let calls = 0;
  let elapsedMs: number;
  do {
    call();
    calls++;
    elapsedMs = performance.now() - start;
  } while (elapsedMs < durationMs);
  return (calls * 1_000) / elapsedMs;
}
