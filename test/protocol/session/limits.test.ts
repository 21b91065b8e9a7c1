// `limits/1`: each side tells what it takes of each kind, and the other keeps to it.

import test from "ava";
import type { DEFAULTS } from "../../../src/config/defaults.js";
import { KINDS, type Message } from "../../../src/protocol/types/message.js";
import type { ToldQuota } from "../../../src/protocol/types/node-info.js";
import { messageBytes } from "../../support/frames.js";
import { HASH, INFO, Pair, settingsOf, type End, type EndOptions } from "./pair.js";

const ANNOUNCED: Message = { kind: "AnnounceBlock", height: 1n, hash: HASH, totalDifficulty: 1n };
const ENDLESS = 2 ** 32 - 1;

function idAt(index: number): string {
  return index.toString(16).padStart(64, "0");
}

function idsOf(first: number, count: number): Message {
  return {
    kind: "AnnounceTransactions",
    ids: Array.from({ length: count }, (_, i) => idAt(first + i)),
  };
}

/** Takes out what was handed on, and deals with it. */
function handed(end: End, nowMs: number): Message[] {
  return end.take("message").map(({ message, lane, bytes }) => {
    end.session.consumed(lane, bytes, nowMs);
    return message as Message;
  });
}

function idsIn(messages: readonly Message[]): readonly string[] {
  return messages.flatMap((message) =>
    message.kind === "AnnounceTransactions" ? message.ids : [],
  );
}

const told = (receive: Partial<typeof DEFAULTS.receive>): EndOptions => ({ settings: { receive } });
const OLD: EndOptions = { info: { ...INFO, capabilities: ["blocks/1", "transactions/1"] } };

test("both sides tell their limits once they are ready, unless the other cannot be told", (t) => {
  const pair = new Pair();
  pair.run();
  for (const end of [pair.client, pair.server]) {
    t.is(end.sent.filter(({ kind }) => kind === "Limits").length, 1);
    t.is(end.session.phase, "ready");
  }
  const mixed = new Pair({ client: OLD });
  mixed.run();
  t.is(mixed.server.session.phase, "ready");
  t.false([...mixed.server.sent, ...mixed.client.sent].some(({ kind }) => kind === "Limits"));
});

test("announcements of ids beyond the quota wait, merged, and none is lost", (t) => {
  const server = told({ announcedTransactionsPerSecond: 10, announcedTransactionsBurst: 20 });
  const pair = Pair.ready({ server });
  for (let i = 0; i < 8; i++) t.true(pair.client.session.send(idsOf(5 * i, 5), pair.nowMs));
  t.true(pair.client.session.send(idsOf(0, 40), pair.nowMs), "again: what waits waits once");
  pair.run();
  t.is(idsIn(handed(pair.server, pair.nowMs)).length, 20);
  const all: string[] = [];
  for (let seconds = 0; seconds < 6; seconds++) {
    pair.run(1_000);
    const ids = idsIn(handed(pair.server, pair.nowMs));
    t.true(ids.length <= 10);
    all.push(...ids);
  }
  t.true(Array.from({ length: 20 }, (_, i) => idAt(20 + i)).every((id) => all.includes(id)));
  t.is(pair.server.session.figures.droppedIn, 0);
  t.is(pair.client.session.figures.droppedOut, 0);
});

test("of what waits for too long the oldest is dropped, and counted", (t) => {
  const server = told({ announcedTransactionsPerSecond: 1, announcedTransactionsBurst: 1 });
  const pair = Pair.ready({ server });
  for (let i = 0; i < 20; i++) pair.client.session.send(idsOf(1_000 * i, 1_000), pair.nowMs);
  pair.run(3_000);
  t.deepEqual(idsIn(handed(pair.server, pair.nowMs)).slice(1), [15_904, 15_905, 15_906].map(idAt));
  t.true(pair.client.session.figures.droppedOut > 0);
});

test("of heads that wait the newest is sent", (t) => {
  const pair = Pair.ready({
    server: told({ announcedBlocksPerSecond: 1, announcedBlocksBurst: 1 }),
  });
  for (let height = 1n; height <= 9n; height++) {
    pair.client.session.send({ ...ANNOUNCED, height }, pair.nowMs);
  }
  pair.run(5_000);
  const heights = handed(pair.server, pair.nowMs).map((message) =>
    message.kind === "AnnounceBlock" ? message.height : -1n,
  );
  t.deepEqual(heights, [1n, 9n]);
  t.is(pair.client.session.figures.droppedOut, 7);
});

test("who was told is held to what it was told, and not to more", (t) => {
  const pair = Pair.ready({
    server: told({ announcedBlocksPerSecond: 1, announcedBlocksBurst: 2 }),
  });
  // Twice the burst, for what comes bunched together, and four times as much dropped.
  for (let i = 0; i < 12; i++) pair.inject(pair.client, messageBytes(ANNOUNCED));
  pair.run();
  t.is(handed(pair.server, pair.nowMs).length, 4);
  t.is(pair.server.session.figures.droppedIn, 8);
  pair.inject(pair.client, messageBytes(ANNOUNCED));
  pair.run();
  t.is(pair.server.end?.rule, "flood");
});

test("limits may be told again while the connection goes on", (t) => {
  const pair = Pair.ready();
  const receive = { announcedBlocksPerSecond: 1, announcedBlocksBurst: 1 };
  pair.server.session.limit(settingsOf({ receive }), pair.nowMs);
  pair.run();
  for (let i = 0; i < 5; i++) pair.client.session.send(ANNOUNCED, pair.nowMs);
  pair.run();
  t.is(handed(pair.server, pair.nowMs).length, 1);
  pair.server.session.limit(settingsOf(), pair.nowMs);
  pair.run();
  for (let i = 0; i < 5; i++) pair.client.session.send(ANNOUNCED, pair.nowMs);
  pair.run(1_000);
  t.is(handed(pair.server, pair.nowMs).length, 6);
});

test("limits without end are a flood", (t) => {
  const pair = Pair.ready();
  for (let i = 0; i < 70; i++)
    pair.inject(pair.client, messageBytes({ kind: "Limits", quotas: [] }));
  pair.run();
  t.is(pair.server.end?.rule, "flood");
});

function quota(kind: number, changed: Partial<ToldQuota> = {}): ToldQuota {
  return {
    kind,
    itemsPerSecond: ENDLESS,
    burstItems: ENDLESS,
    bytesPerSecond: ENDLESS,
    burstBytes: ENDLESS,
    ...changed,
  };
}

test("quotas that mean nothing are ignored", (t) => {
  const pair = Pair.ready();
  const { code } = KINDS.AnnounceBlock;
  const quotas = [
    quota(code, { burstItems: 0 }),
    quota(code, { itemsPerSecond: 0 }),
    quota(code, { bytesPerSecond: 0 }),
    quota(code, { burstBytes: 0 }),
    quota(KINDS.ResponseBlock.code, { burstItems: 1 }),
    quota(KINDS.Ping.code, { burstItems: 1 }),
    quota(0xff, { burstItems: 1 }),
  ];
  pair.inject(pair.server, messageBytes({ kind: "Limits", quotas }));
  pair.run();
  for (let i = 0; i < 5; i++) pair.client.session.send(ANNOUNCED, pair.nowMs);
  pair.run(100);
  t.is(handed(pair.server, pair.nowMs).length, 5);
  t.is(pair.client.session.phase, "ready");
});

test("what is larger than the other side ever takes is dropped, and does not wait for good", (t) => {
  const pair = Pair.ready();
  const { code } = KINDS.AnnounceTransactions;
  const quotas = [quota(code, { burstBytes: 10 })];
  pair.inject(pair.server, messageBytes({ kind: "Limits", quotas }));
  pair.run();
  pair.client.session.send(idsOf(0, 3), pair.nowMs);
  pair.run(60_000);
  t.is(handed(pair.server, pair.nowMs).length, 0);
  t.is(pair.client.session.figures.droppedOut, 1);
});

test("requests wait for the bytes of answers that the other side serves", (t) => {
  const serve = { blockBytesPerSecond: 1_000, blockBytesBurst: 1_000 };
  const pair = Pair.ready({ server: { settings: { serve } } });
  const block = new Uint8Array(3_000);
  const ask = (asker: number): void =>
    pair.client.session.request({ kind: "RequestBlock", hash: HASH }, asker, pair.nowMs);
  const answer = (): number => {
    pair.run();
    const requests = pair.server.take("message");
    for (const { requestId, lane, bytes } of requests) {
      pair.server.session.consumed(lane, bytes, pair.nowMs);
      pair.server.session.reply(requestId, { kind: "ResponseBlock", block }, pair.nowMs);
    }
    pair.run();
    return requests.length;
  };
  ask(1);
  t.is(answer(), 1);
  ask(2);
  const asked = () => pair.client.sent.filter(({ kind }) => kind === "RequestBlock").length;
  pair.run(1_900);
  t.is(asked(), 1, "it keeps to what it was told, so that no answer is late");
  pair.run(1_500);
  t.is(asked(), 2);
  t.is(answer(), 1);
});
