// An input as a program for one session: in which state it begins, and what happens to it. The other
// end is bytes and nothing else, so what it sends need not be what any implementation would.

import { encodeMessage } from "../../src/protocol/codec/codec.js";
import { FRAME_HEADER_BYTES, writeFrameHeader } from "../../src/protocol/codec/frame.js";
import type { ReceivedMessage } from "../../src/protocol/codec/receive-lanes.js";
import { KINDS, MESSAGE_KINDS, type Message } from "../../src/protocol/index.js";
import { PeerSession } from "../../src/protocol/session/peer-session.js";
import type { MessageEvent, SessionEvent } from "../../src/protocol/session/session-types.js";
import { messageBytes } from "../support/frames.js";
import { HASH, INFO, settingsOf } from "../protocol/session/pair.js";
import { joined } from "./mutator.js";

/** What a byte of a program means, by its rest when divided by their number. */
export const STEPS = [
  "frame",
  "bytes",
  "wait",
  "consume",
  "reply",
  "decoded",
  "request",
  "ping",
  "send",
  "block",
  "drain",
  "close",
  "gone",
  "unread",
] as const;
export type Step = (typeof STEPS)[number];

/** The first byte of a program. */
export const STATES = [
  "strange",
  "ready",
  "asking",
  "serving",
  "blocked",
  "closing",
  "mute",
  "pooled",
] as const;

const SETTINGS = settingsOf();
const HELLO = messageBytes({ kind: "Handshake", ...INFO });

const REQUESTS: readonly Message[] = [
  { kind: "RequestBlock", hash: HASH },
  { kind: "RequestBlockRange", fromHeight: 1, count: 4, lastHash: HASH },
  { kind: "RequestHeaders", locator: [HASH], countMax: 100 },
  { kind: "RequestTransactions", ids: [HASH] },
];
const NEWS: readonly Message[] = [
  { kind: "NewBlock", block: new Uint8Array(70_000) },
  { kind: "AnnounceBlock", ...INFO.head },
  { kind: "AnnounceTransactions", ids: [HASH] },
];
/** Between two events of a session that is sound. */
const EVENTS_MAX = 10_000;
/** One step of time; the longest wait of a session is some of them. */
const STEP_MS = 200;

function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

class Running {
  readonly session: PeerSession<number>;
  readonly #open = new Set<number>();
  readonly #held: MessageEvent[] = [];
  readonly #large: ReceivedMessage[] = [];
  #nextAsker = 0;
  #nonce = 0n;
  #nowMs = 0;
  #fedBytes = 0;
  #isBlocked = false;
  #ended = 0;

  constructor(state: (typeof STATES)[number]) {
    this.session = new PeerSession<number>(
      {
        settings: SETTINGS,
        info: INFO,
        isMute: state === "mute",
        localId: "local",
        remoteId: "remote",
        openedAtMs: 0,
        nonce: () => ++this.#nonce,
        decodesElsewhere: state === "pooled",
      },
      0,
    );
    if (state === "strange" || state === "mute") return;
    this.#feed(HELLO);
    if (state === "asking") for (const request of REQUESTS) this.#ask(request);
    if (state === "serving") for (const id of [1, 2, 3]) this.#feed(messageBytes(REQUESTS[0]!, id));
    if (state === "blocked") this.step("block", 0, new Uint8Array());
    if (state === "closing") this.session.close("Shutdown", "", 0);
  }

  step(step: Step, number: number, bytes: Uint8Array): void {
    const { session } = this;
    const nowMs = this.#nowMs;
    switch (step) {
      case "frame":
      case "bytes":
        this.#feed(bytes);
        break;
      case "wait":
        this.#nowMs += STEP_MS * number;
        if (session.nextTimeoutMs <= this.#nowMs) session.timeout(this.#nowMs);
        break;
      case "unread":
        this.#nowMs += STEP_MS * number;
        session.timeout(this.#nowMs, number);
        break;
      case "consume":
        for (const { lane, bytes: credit } of this.#held.splice(0, number)) {
          session.consumed(lane, credit, nowMs);
        }
        break;
      case "reply":
        for (const event of this.#held.splice(0, number)) {
          session.consumed(event.lane, event.bytes, nowMs);
          if (event.requestId !== 0) session.reply(event.requestId, answer(number), nowMs);
        }
        break;
      case "decoded": {
        const received = this.#large.shift();
        if (received === undefined) break;
        session.consumed(received.lane, received.creditBytes, nowMs);
        session.decoded(received, { ok: false, detail: "not what it says" }, nowMs);
        break;
      }
      case "request":
        this.#ask(REQUESTS[number % REQUESTS.length]!);
        break;
      case "ping":
        this.#open.add(++this.#nextAsker);
        session.ping(this.#nextAsker, nowMs);
        break;
      case "send":
        session.send(NEWS[number % NEWS.length]!, nowMs);
        break;
      case "block":
        this.#isBlocked = true;
        session.carrierBlocked(nowMs);
        break;
      case "drain":
        this.#isBlocked = false;
        session.carrierDrained(nowMs);
        break;
      case "close":
        session.close("Shutdown", "", nowMs);
        break;
      case "gone":
        session.carrierEnded("", undefined, nowMs);
        break;
    }
    this.#settle();
  }

  /** Whatever happened, all that was begun ends, once. */
  end(): void {
    this.session.carrierEnded("the end", undefined, this.#nowMs);
    this.#settle();
    expect(this.#open.size === 0, `${this.#open.size} requests or pings never ended`);
    expect(this.#ended === 1, `it ended ${this.#ended} times`);
  }

  #ask(request: Message): void {
    this.#open.add(++this.#nextAsker);
    this.session.request(request, this.#nextAsker, this.#nowMs);
  }

  #feed(bytes: Uint8Array): void {
    this.#fedBytes += bytes.length;
    this.session.receive(bytes, this.#nowMs);
    this.#settle();
  }

  #settle(): void {
    const { session } = this;
    for (let count = 0; ; count++) {
      expect(count < EVENTS_MAX, "it has no end of things to say");
      const event = session.poll();
      if (event !== undefined) this.#heed(event);
      else if (this.#isBlocked || session.transmit(this.#nowMs) === undefined) break;
    }
    session.invariants();
    expect(session.receivedBytes <= this.#fedBytes, "it holds more than arrived");
  }

  #heed(event: SessionEvent<number>): void {
    if (event.type === "message") this.#held.push(event);
    else if (event.type === "large") this.#large.push(event.received);
    else if (event.type === "settled" || event.type === "pinged") {
      const { asker } = event;
      if (asker !== undefined) expect(this.#open.delete(asker), `${asker} ended twice`);
    } else if (event.type === "closing") this.#ended++;
  }
}

function answer(number: number): Message {
  if (number % 2 === 0) return { kind: "RequestRefused", reason: "Busy" };
  return { kind: "ResponseBlock", block: new Uint8Array(1 + 300 * number) };
}

/** Runs a program; throws when the session does, or does what no session may do. */
export function runProgram(input: Uint8Array): void {
  const running = new Running(STATES[(input[0] ?? 0) % STATES.length]!);
  let at = 1;
  while (at < input.length) {
    const step = STEPS[input[at]! % STEPS.length]!;
    const number = input[at + 1] ?? 0;
    at += 2;
    let bytes: Uint8Array = NOTHING;
    if (step === "bytes") {
      bytes = input.slice(at, at + number);
      at += number;
    } else if (step === "frame") {
      const length = ((input[at] ?? 0) << 8) | (input[at + 1] ?? 0);
      bytes = framed(number, input.subarray(at + 2, at + 4 + length));
      at += 4 + length;
    }
    running.step(step, number, bytes);
  }
  running.end();
}

const NOTHING = new Uint8Array();

/** A frame whose header is right: of this kind, with two bytes of request id and flag, and a payload. */
function framed(kind: number, rest: Uint8Array): Uint8Array {
  const [flag = 0, id = 0] = rest;
  const name = MESSAGE_KINDS[kind % MESSAGE_KINDS.length]!;
  const payload = rest.subarray(2);
  const frame = joined(new Uint8Array(FRAME_HEADER_BYTES), payload);
  const { role, lane } = KINDS[name];
  writeFrameHeader(frame, 0, {
    kind: name,
    requestId: role === "oneWay" ? 0 : 1 + (id % 8),
    payloadBytes: payload.length,
    more: lane !== "control" && flag % 8 === 1,
  });
  return frame;
}

/** The step of a program that brings this message. */
export function stepOf(message: Message, requestId: number, more: boolean): Uint8Array {
  const payload = encodeMessage(message).subarray(0, 2 ** 16 - 1);
  const { length } = payload;
  const kind = MESSAGE_KINDS.indexOf(message.kind);
  const head = [STEPS.indexOf("frame"), kind, length >> 8, length, more ? 1 : 0, requestId - 1];
  return joined(Uint8Array.from(head), payload);
}
