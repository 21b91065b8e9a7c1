// Two sessions under random commands, delays and cuts of their bytes, without actors. Whatever
// happens: no rule is broken by either, each request and ping ends once, nothing follows a
// Disconnect, what waits is bounded, and in the end all credit is where it began.

import test from "ava";
import fc from "fast-check";
import type { Message } from "../../../src/protocol/types/message.js";
import { HASH, INFO, KIB, MIB, Pair, settingsOf, type End } from "./pair.js";

const STEPS = fc.array(
  fc.record({
    side: fc.boolean(),
    act: fc.constantFrom("ask", "news", "ping", "reply", "consume", "wait", "deaf"),
    size: fc.integer({ min: 1, max: 700 * KIB }),
    waitMs: fc.integer({ min: 0, max: 3_000 }),
    kind: fc.integer({ min: 0, max: 3 }),
  }),
  { maxLength: 120 },
);
const { lanes, liveness } = settingsOf();

const ASKED: readonly Message[] = [
  { kind: "RequestBlock", hash: HASH },
  { kind: "RequestBlockRange", fromHeight: 1, count: 4, lastHash: HASH },
  { kind: "RequestHeaders", locator: [HASH], countMax: 100 },
  { kind: "RequestTransactions", ids: [HASH, HASH, HASH] },
];

function answerTo({ kind }: Message, size: number): Message {
  const bytes = new Uint8Array(size);
  switch (kind) {
    case "RequestBlock":
      return { kind: "ResponseBlock", block: bytes };
    case "RequestBlockRange":
      return { kind: "ResponseBlockRange", blocks: [bytes, bytes] };
    case "RequestHeaders":
      return { kind: "ResponseHeaders", headers: [bytes.subarray(0, 100)] };
    default:
      return { kind: "ResponseTransactions", transactions: [bytes.subarray(0, 60 * KIB)] };
  }
}

/** One side's owner: what it asked, what it holds. */
class Owner {
  readonly end: End;
  readonly asked = new Set<number>();
  #nextAsker = 0;

  constructor(end: End) {
    this.end = end;
  }

  ask(message: Message, nowMs: number): void {
    this.asked.add(++this.#nextAsker);
    this.end.session.request(message, this.#nextAsker, nowMs);
  }

  ping(nowMs: number): void {
    this.asked.add(++this.#nextAsker);
    this.end.session.ping(this.#nextAsker, nowMs);
  }

  /** Answers and gives back up to `count` of what came. */
  serve(count: number, size: number, nowMs: number): void {
    for (const event of this.end.take("message").slice(0, count)) {
      this.end.session.consumed(event.lane, event.bytes, nowMs);
      if (event.requestId === 0) continue;
      this.end.session.reply(event.requestId, answerTo(event.message as Message, size), nowMs);
    }
  }

  settle(): void {
    for (const { asker } of this.end.take("settled")) {
      if (!this.asked.delete(asker)) throw new Error(`request ${asker} ended twice`);
    }
    for (const { asker } of this.end.take("pinged")) {
      if (asker !== undefined && !this.asked.delete(asker)) throw new Error("pinged twice");
    }
  }
}

test("two sessions bear any order of commands, delays and cuts", (t) => {
  fc.assert(
    fc.property(STEPS, fc.integer({ min: 0, max: 200 }), fc.nat(), (steps, delayMs, seed) => {
      let draw = seed;
      const cut = (length: number): number[] => {
        draw = (Math.imul(draw, 1_103_515_245) + 12_345) >>> 0;
        const first = draw % 3 === 0 ? Math.min(length, 1 + (draw % 4_000)) : length;
        return first === length ? [length] : [first, length - first];
      };
      const pair = Pair.ready({ delayMs, cut });
      const owners = [new Owner(pair.client), new Owner(pair.server)] as const;
      for (const { side, act, size, waitMs, kind } of steps) {
        const owner = owners[side ? 1 : 0];
        const { session } = owner.end;
        const nowMs = pair.nowMs;
        if (act === "ask") owner.ask(ASKED[kind]!, nowMs);
        else if (act === "news")
          session.send({ kind: "NewBlock", block: new Uint8Array(size) }, nowMs);
        else if (act === "ping") owner.ping(nowMs);
        else if (act === "reply") owner.serve(16, size, nowMs);
        else if (act === "consume") owner.serve(1, 100, nowMs);
        else if (act === "deaf") owner.end.isDeaf = !owner.end.isDeaf;
        pair.run(act === "wait" ? waitMs : 0);
        for (const each of owners) {
          each.settle();
          t.true(each.end.session.queuedBytes <= lanes.sendQueueBytesMax + MIB);
        }
      }
      // Whatever was begun comes to its end once both listen; or one of them leaves amid it.
      for (const owner of owners) owner.end.isDeaf = false;
      const isHasty = seed % 2 === 0;
      for (let i = 0; !isHasty && i < 30; i++) {
        pair.run(1_000);
        for (const owner of owners) owner.serve(64, 100, pair.nowMs);
        for (const owner of owners) owner.settle();
      }
      for (const { end } of owners) t.is(end.end?.rule, undefined, end.end?.detail);
      const isOver = owners.some(({ end }) => end.end !== undefined);
      const { session } = owners[0].end;
      session.send({ kind: "AnnounceBlock", ...INFO.head }, pair.nowMs);
      if (!isOver) session.close("Shutdown", "", pair.nowMs);
      pair.run(2 * liveness.deadAfterMs);
      for (const owner of owners) {
        owner.settle();
        t.is(owner.asked.size, 0, "each of them ended");
        const { sent } = owner.end;
        const last = sent.findIndex(({ kind: sentKind }) => sentKind === "Disconnect");
        t.true(last === -1 || last === sent.length - 1, "nothing follows a Disconnect");
        owner.end.session.send({ kind: "AnnounceBlock", ...INFO.head }, pair.nowMs);
        t.is(owner.end.session.transmit(pair.nowMs), undefined);
      }
    }),
    { numRuns: 150 },
  );
});

test("in the end all credit is where it began", (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 300 * KIB }), { maxLength: 30 }), (sizes) => {
      const pair = Pair.ready({ delayMs: 3 });
      let sentBytes = 0;
      for (const size of sizes) {
        pair.client.session.send({ kind: "NewBlock", block: new Uint8Array(size) }, pair.nowMs);
        pair.run(10);
        for (const { lane, bytes } of pair.server.take("message")) {
          sentBytes += bytes;
          pair.server.session.consumed(lane, bytes, pair.nowMs);
        }
      }
      for (let i = 0; i < 20; i++) {
        pair.run(10);
        for (const { lane, bytes } of pair.server.take("message")) {
          sentBytes += bytes;
          pair.server.session.consumed(lane, bytes, pair.nowMs);
        }
      }
      const { grantedBytes } = pair.server.session.credit("block");
      t.true(sentBytes >= sizes.reduce((sum, size) => sum + size, 0));
      t.is(pair.client.session.credit("block").ownBytes, grantedBytes, "both ends agree");
      t.is(pair.server.session.handedOnBytes, 0);
      t.true(2 * grantedBytes > lanes.windowInitialBytes, "no more than half is not granted yet");
    }),
    { numRuns: 60 },
  );
});
