import test from "ava";
import fc from "fast-check";
import { MemoryLedger } from "../../../src/actors/memory-ledger.js";
import { resolveConfig } from "../../../src/config.js";
import { RANK, type Rank } from "../../../src/protocol/codec/rank.js";
import { FrameDecoder } from "../../../src/protocol/codec/frame.js";
import type { Frame } from "../../../src/protocol/codec/frame.js";
import { ReceiveLanes } from "../../../src/protocol/codec/receive-lanes.js";
import type { ReceivedMessage } from "../../../src/protocol/codec/receive-lanes.js";
import { SendLanes } from "../../../src/protocol/codec/send-lanes.js";
import { KINDS, LANES, MESSAGE_KINDS } from "../../../src/protocol/index.js";
import type { Lane, MessageKind } from "../../../src/protocol/index.js";
import { requestIdFor } from "../arbitraries.js";

const KIB = 1024;
const WINDOW = { windowBytesInitial: 64 * KIB, windowBytesMax: 1024 * KIB };
const LANE_KINDS: readonly MessageKind[] = [
  "Ping",
  "NewBlock",
  "ResponseHeaders",
  "NewTransaction",
];

/** Frames of a chunk, judged by a decoder that allows every kind. */
function framesOf(decoder: FrameDecoder, chunk: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  const violation = decoder.push(chunk, (frame) => void frames.push(frame));
  if (violation !== undefined) throw new Error(`${violation.rule}: ${violation.detail}`);
  return frames;
}

/** Both ends of one direction of a connection. */
class Link {
  readonly send = new SendLanes(WINDOW);
  readonly receive = new ReceiveLanes(WINDOW);
  readonly decoder = new FrameDecoder(MESSAGE_KINDS);
  readonly delivered: ReceivedMessage[] = [];
  readonly frames: Frame[] = [];
  nowMs = 0;

  /** Writes one chunk to the other end; false when nothing may be sent. */
  step(bytesMax: number): boolean {
    const chunk = this.send.pull(bytesMax);
    if (chunk === undefined) return false;
    if (chunk.length > bytesMax) throw new Error(`${chunk.length} bytes of ${bytesMax}`);
    for (const frame of framesOf(this.decoder, chunk)) {
      this.frames.push(frame);
      const violation = this.receive.accept(frame, (message) => void this.delivered.push(message));
      if (violation !== undefined) throw new Error(violation.detail);
    }
    for (const update of this.receive.updates(this.nowMs)) this.grant(update);
    this.invariants();
    return true;
  }

  consume(message: ReceivedMessage): void {
    const update = this.receive.consumed(message.lane, message.creditBytes, this.nowMs);
    if (update !== undefined) this.grant(update);
    for (const due of this.receive.updates(this.nowMs)) this.grant(due);
  }

  grant({ lane, bytes }: { lane: Lane; bytes: number }): void {
    const violation = this.send.grant(lane, bytes);
    if (violation !== undefined) throw new Error(violation.detail);
  }

  invariants(): void {
    this.send.invariants();
    this.receive.invariants();
    this.decoder.invariants();
  }
}

const operation = fc.oneof(
  fc.record({
    op: fc.constant("enqueue" as const),
    lane: fc.nat(3),
    bytes: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200_000 })),
  }),
  fc.record({ op: fc.constant("pull" as const), bytes: fc.integer({ min: 4_106, max: 150_000 }) }),
  fc.record({ op: fc.constant("consume" as const), count: fc.integer({ min: 1, max: 5 }) }),
);

test("what is enqueued arrives once, whole and in order per lane, within its credit", (t) => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const link = new Link();
      const sent: { kind: MessageKind; requestId: number; bytes: number; fill: number }[] = [];
      let consumed = 0;
      const consumeNext = () => {
        const message = link.delivered[consumed];
        if (message === undefined) return false;
        consumed++;
        link.consume(message);
        return true;
      };
      for (const step of operations) {
        if (step.op === "enqueue") {
          const kind = LANE_KINDS[step.lane]!;
          const bytes = Math.min(step.bytes, KINDS[kind].payloadBytesMax);
          const fill = sent.length & 255;
          const requestId = requestIdFor(kind, sent.length + 1);
          sent.push({ kind, requestId, bytes, fill });
          link.send.enqueue(kind, requestId, new Uint8Array(bytes).fill(fill));
        } else if (step.op === "pull") link.step(step.bytes);
        else for (let i = 0; i < step.count; i++) consumeNext();
        link.invariants();
      }
      while (link.step(100_000) || consumeNext());
      t.is(link.delivered.length, sent.length);
      for (const kind of LANE_KINDS) {
        const got = link.delivered.filter((message) => message.kind === kind);
        const expected = sent.filter((message) => message.kind === kind);
        t.deepEqual(
          got.map(({ requestId, payload }) => ({ kind, requestId, bytes: payload.length })),
          expected.map(({ requestId, bytes }) => ({ kind, requestId, bytes })),
        );
        got.forEach(({ payload }, i) => {
          t.true(payload.every((byte) => byte === expected[i]!.fill));
        });
      }
      for (const lane of LANES) t.is(link.send.queuedBytes(lane), 0);
      t.is(link.receive.heldBytes, 0);
    }),
    { numRuns: 150 },
  );
});

test("many small messages leave in one chunk of their exact size", (t) => {
  const send = new SendLanes(WINDOW);
  for (let i = 0; i < 100; i++) send.enqueue("NewTransaction", 0, new Uint8Array(188));
  t.is(send.pull(64 * KIB)?.length, 100 * 198);
  t.is(send.pull(64 * KIB), undefined);
});

test("a control message waits for no data, not even in mid-message", (t) => {
  const link = new Link();
  link.send.enqueue("NewBlock", 0, new Uint8Array(300 * KIB));
  link.step(20 * KIB);
  link.send.enqueue("NewTransaction", 0, new Uint8Array(10));
  link.send.enqueue("Ping", 0, Uint8Array.of(0x81, 0x05));
  const before = link.frames.length;
  link.step(20 * KIB);
  t.is(link.frames[before]?.kind, "Ping");
  t.is(link.frames[before + 1]?.kind !== "Ping", true);
});

test("data does not overtake a control message that needs the next chunk", (t) => {
  const send = new SendLanes(WINDOW);
  for (let i = 0; i < 9; i++) send.enqueue("Disconnect", 0, new Uint8Array(500));
  send.enqueue("NewTransaction", 0, new Uint8Array(10));
  t.is(send.pull(4_106)?.length, 8 * 510);
  t.is(send.pull(4_106)?.length, 510 + 20);
});

test("control passes when every data lane is out of credit", (t) => {
  const send = new SendLanes(WINDOW);
  for (const kind of LANE_KINDS.slice(1)) {
    send.enqueue(kind, requestIdFor(kind, 1), new Uint8Array(128 * KIB));
  }
  while (send.pull(64 * KIB) !== undefined);
  for (const lane of LANES.slice(1)) t.true(send.queuedBytes(lane) > 0);
  send.enqueue("Ping", 0, Uint8Array.of(0x81, 0x05));
  t.is(send.pull(64 * KIB)?.length, 12);
});

test("lanes with work share the connection by weight and none starves", (t) => {
  const send = new SendLanes({ windowBytesInitial: 4096 * KIB, windowBytesMax: 4096 * KIB });
  const decoder = new FrameDecoder(MESSAGE_KINDS);
  for (const kind of LANE_KINDS.slice(1)) {
    for (let i = 0; i < 40; i++) {
      send.enqueue(kind, requestIdFor(kind, 1), new Uint8Array(100 * KIB));
    }
  }
  const bytes = new Map<Lane, number>();
  for (let i = 0; i < 50; i++) {
    for (const { lane, payload } of framesOf(decoder, send.pull(64 * KIB)!)) {
      bytes.set(lane, (bytes.get(lane) ?? 0) + payload.length);
    }
  }
  const total = [...bytes.values()].reduce((sum, each) => sum + each);
  const share = (lane: Lane) => bytes.get(lane)! / total;
  t.true(Math.abs(share("block") - 4 / 7) < 0.05, `block ${share("block")}`);
  t.true(Math.abs(share("sync") - 2 / 7) < 0.05, `sync ${share("sync")}`);
  t.true(Math.abs(share("transaction") - 1 / 7) < 0.05, `transaction ${share("transaction")}`);
});

test("of one rank alone is pulled what is as urgent, and control with nothing else", (t) => {
  const { send } = new Link();
  const decoder = new FrameDecoder(MESSAGE_KINDS);
  const pulled = (rank: Rank): string[] => {
    const kinds: string[] = [];
    for (let chunk = send.pull(64 * KIB, undefined, rank); chunk !== undefined;) {
      for (const { kind } of framesOf(decoder, chunk)) kinds.push(kind);
      chunk = send.pull(64 * KIB, undefined, rank);
    }
    return kinds;
  };
  send.enqueue("ResponseBlockRange", 1, new Uint8Array(100));
  send.enqueue("NewTransaction", 0, new Uint8Array(100));
  const answer = (requestId: number, hashByte: number): void => {
    const hash = new Uint8Array(32).fill(hashByte);
    send.enqueue("ResponseBlock", requestId, new Uint8Array(100), undefined, { about: hash });
  };
  // Not announced: any block may be asked for by its hash.
  answer(2, 7);
  send.enqueue("AnnounceBlock", 0, new Uint8Array(40).fill(7));
  answer(3, 7);
  answer(4, 7);
  send.enqueue("Ping", 0, new Uint8Array(9));
  t.true(send.waits(RANK.control) && send.waits(RANK.history) && send.waits(RANK.transactions));
  t.false(send.waits(RANK.tip), "it is behind an old block on its lane");
  t.deepEqual(pulled(RANK.tip), []);
  t.deepEqual(pulled(RANK.control), ["Ping"]);
  t.deepEqual(pulled(RANK.transactions), ["NewTransaction"]);
  t.deepEqual(pulled(RANK.history).sort(), ["ResponseBlock", "ResponseBlockRange"]);
  t.deepEqual(pulled(RANK.tip), ["AnnounceBlock", "ResponseBlock"]);
  t.deepEqual(pulled(RANK.history), ["ResponseBlock"]);
  t.true(send.isEmpty);
  send.invariants();
});

test("a lane alone gets the whole connection", (t) => {
  const send = new SendLanes({ windowBytesInitial: 1024 * KIB, windowBytesMax: 1024 * KIB });
  send.enqueue("NewBlock", 0, new Uint8Array(900 * KIB));
  t.is(send.pull(512 * KIB)?.length, 512 * KIB);
});

test("a message that fits a frame is not cut once a chunk is half full", (t) => {
  const send = new SendLanes({ windowBytesInitial: 1024 * KIB, windowBytesMax: 1024 * KIB });
  for (let i = 0; i < 6; i++) send.enqueue("NewBlock", 0, new Uint8Array(25 * KIB));
  for (let i = 0; i < 3; i++) t.is(send.pull(64 * KIB)?.length, 2 * (25 * KIB + 10));
  t.is(send.pull(64 * KIB), undefined);
});

test("a message larger than the window arrives, and is charged until it is consumed", (t) => {
  const link = new Link();
  link.send.enqueue("NewBlock", 0, new Uint8Array(1024 * KIB));
  link.send.enqueue("NewBlock", 0, new Uint8Array(1024 * KIB));
  while (link.step(64 * KIB));
  t.is(link.delivered.length, 1, "the second waits: nobody consumed the first");
  t.true(link.send.queuedBytes("block") >= (1024 - 64) * KIB);
  const [first] = link.delivered;
  t.true(first!.creditBytes > 1024 * KIB, "headers count as well");
  link.consume(first!);
  while (link.step(64 * KIB));
  t.is(link.delivered.length, 2);
});

test("a held lane does not hold another", (t) => {
  const link = new Link();
  for (let i = 0; i < 10; i++) {
    link.send.enqueue("NewBlock", 0, new Uint8Array(20 * KIB));
    link.send.enqueue("NewTransaction", 0, new Uint8Array(20 * KIB));
  }
  let seen = 0;
  while (link.step(64 * KIB)) {
    for (; seen < link.delivered.length; seen++) {
      const message = link.delivered[seen]!;
      if (message.lane === "transaction") link.consume(message);
    }
  }
  const count = (lane: Lane) => link.delivered.filter((message) => message.lane === lane).length;
  t.is(count("transaction"), 10);
  t.is(count("block"), 3);
});

test("updates come when half of the window is consumed, not before", (t) => {
  const receive = new ReceiveLanes(WINDOW);
  const payload = new Uint8Array(16 * KIB - 10);
  const frame: Frame = {
    kind: "NewBlock",
    rule: KINDS.NewBlock,
    lane: "block",
    requestId: 0,
    more: false,
    payload,
  };
  const accept = () => {
    const sink = (message: ReceivedMessage) => {
      t.is(message.creditBytes, 16 * KIB);
      return undefined;
    };
    return receive.accept(frame, sink);
  };
  for (let i = 0; i < 4; i++) t.is(accept(), undefined);
  t.is(receive.consumed("block", 16 * KIB, 0), undefined);
  t.deepEqual(receive.consumed("block", 16 * KIB, 0), {
    kind: "WindowUpdate",
    lane: "block",
    bytes: 32 * KIB,
  });
  t.is(receive.consumed("control", 0, 0), undefined);
  t.throws(() => receive.consumed("block", 33 * KIB, 0));
});

test("a sender over its window breaks the credit rule", (t) => {
  const receive = new ReceiveLanes(WINDOW);
  const payload = new Uint8Array(32 * KIB - 10);
  const frame: Frame = {
    kind: "NewBlock",
    rule: KINDS.NewBlock,
    lane: "block",
    requestId: 0,
    more: true,
    payload,
  };
  const onMessage = () => undefined;
  t.is(receive.accept(frame, onMessage), undefined);
  t.is(receive.accept(frame, onMessage), undefined);
  t.is(receive.accept({ ...frame, payload: Uint8Array.of(1) }, onMessage)?.rule, "credit");
});

test("an update over the largest window, or for control, breaks the window rule", (t) => {
  const send = new SendLanes(WINDOW);
  t.is(send.grant("block", 960 * KIB), undefined);
  t.is(send.creditBytes("block"), 1024 * KIB);
  t.is(send.grant("block", 1)?.rule, "window-overflow");
  t.is(send.grant("control", 1)?.rule, "window-overflow");
});

test("a window grows while the window sets the pace, up to its maximum", (t) => {
  const grownTo = (roundTripMs: number | undefined, windowEveryMs: number) => {
    const link = new Link();
    if (roundTripMs !== undefined) link.receive.setRoundTrip(roundTripMs);
    let consumed = 0;
    for (let round = 0; round < 100; round++) {
      const windowBytes = link.receive.windowBytes("sync");
      while (link.send.queuedBytes("sync") < windowBytes) {
        link.send.enqueue("ResponseHeaders", 1, new Uint8Array(8 * KIB));
      }
      while (link.step(64 * KIB));
      link.nowMs += windowEveryMs;
      while (consumed < link.delivered.length) link.consume(link.delivered[consumed++]!);
    }
    return link.receive.windowBytes("sync");
  };
  t.is(grownTo(100, 50), 1024 * KIB);
  t.is(grownTo(30, 50), 1024 * KIB, "three to four, a line that jitters");
  t.is(grownTo(10, 50), 64 * KIB, "ten round trips a window: the peer is slow");
  t.is(grownTo(undefined, 50), 64 * KIB, "no round-trip time yet");
});

test("what breaks a kind's own limits cannot be enqueued", (t) => {
  const send = new SendLanes(WINDOW);
  t.throws(() => send.enqueue("Ping", 0, new Uint8Array(17)));
  t.throws(() => send.enqueue("Ping", 0, new Uint8Array(0)));
  t.throws(() => send.enqueue("Ping", 1, new Uint8Array(2)));
  t.throws(() => send.enqueue("RequestBlock", 0, new Uint8Array(35)));
  t.throws(() => send.enqueue("RequestBlock", 2 ** 32, new Uint8Array(35)));
});

test("memory of an unfinished message follows what arrived", (t) => {
  const receive = new ReceiveLanes({ windowBytesInitial: 4096 * KIB, windowBytesMax: 4096 * KIB });
  const frame = {
    kind: "NewBlock",
    rule: KINDS.NewBlock,
    lane: "block",
    requestId: 0,
    more: true,
  } as const;
  let arrived = 0;
  for (let i = 0; i < 2_000; i++) {
    const payload = new Uint8Array(1 + (i % 300));
    arrived += payload.length;
    receive.accept({ ...frame, payload }, () => undefined);
    t.true(receive.heldBytes <= 2 * arrived);
  }
});

test("one lane at a time goes beyond its window for a large message; the next waits until it is dealt with", (t) => {
  const link = new Link();
  const large = new Uint8Array(1024 * KIB);
  link.send.enqueue("NewBlock", 0, large);
  link.send.enqueue("ResponseHeaders", 1, large);
  while (link.step(64 * KIB)) {
    t.true(link.receive.heldBytes <= large.length + 2 * 3 * WINDOW.windowBytesInitial + 64 * KIB);
  }
  t.is(link.delivered.length, 1);
  link.consume(link.delivered[0]!);
  while (link.step(64 * KIB));
  t.is(link.delivered.length, 2);
});

test("windows grow only by what the connections' shared bytes allow, and give it back", (t) => {
  const config = resolveConfig({ lanes: { windowGrowthBytesMax: 192 * KIB } });
  const growth = new MemoryLedger(config).lease("windowGrowth");
  const lanes = [new ReceiveLanes({ ...WINDOW, growth }), new ReceiveLanes({ ...WINDOW, growth })];
  const payload = new Uint8Array(64 * KIB - 10);
  const frame: Frame = {
    kind: "NewBlock",
    rule: KINDS.NewBlock,
    lane: "block",
    requestId: 0,
    more: false,
    payload,
  };
  const use = (receive: ReceiveLanes) => {
    receive.setRoundTrip(100);
    for (let i = 0; i < 20; i++) {
      receive.accept(frame, () => undefined);
      receive.consumed("block", 64 * KIB, i);
    }
    return receive.windowBytes("block");
  };
  t.is(use(lanes[0]!), 256 * KIB);
  t.is(use(lanes[1]!), 64 * KIB);
  lanes[0]!.release();
  t.is(growth.bytes, 0);
  t.is(use(lanes[1]!), 256 * KIB);
});
