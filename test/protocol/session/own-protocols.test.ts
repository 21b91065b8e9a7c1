// Protocols of services between two sessions: what is negotiated, and what its limits are.

import test from "ava";
import { SendLanes } from "../../../src/protocol/codec/send-lanes.js";
import { ownRules, type OwnMessage } from "../../../src/protocol/kinds/own.js";
import type { OwnProtocol } from "../../../src/types/own-protocol.js";
import { INFO, Pair, type EndOptions } from "./pair.js";

const CHAT: OwnProtocol = {
  name: "chat/1",
  kinds: {
    Say: { bytesMax: 100, perSecond: 5 },
    Ask: { bytesMax: 10, answerBytesMax: 20, perSecond: 2 },
  },
};
/** Sorts before the others. */
const ALARM: OwnProtocol = { name: "alarm/1", kinds: { Ring: { bytesMax: 1, perSecond: 1 } } };
const FILES: OwnProtocol = { name: "b-files/1", kinds: { Offer: { bytesMax: 50, perSecond: 1 } } };

function bringing(...protocols: readonly OwnProtocol[]): EndOptions {
  const names = protocols.map(({ name }) => name);
  return { protocols, info: { ...INFO, capabilities: [...INFO.capabilities, ...names] } };
}

function message(kind: OwnMessage["kind"], length = 3): OwnMessage {
  return { kind, body: new Uint8Array(length).fill(7) };
}

test("two sides that brought the same protocol exchange its messages", (t) => {
  const pair = Pair.ready({ client: bringing(CHAT), server: bringing(CHAT) });
  const { client, server } = pair;
  t.true(client.session.send(message("chat/1/Say"), pair.nowMs));
  client.session.request(message("chat/1/Ask"), 1, pair.nowMs);
  pair.run();
  const [said, asked] = server.take("message");
  t.like(said, { lane: "transaction", requestId: 0, message: { kind: "chat/1/Say" } });
  t.deepEqual([...(said!.message as OwnMessage).body], [7, 7, 7]);
  t.is(asked!.message.kind, "chat/1/Ask");
  const { lane, bytes, requestId } = asked!;
  server.session.consumed(lane, bytes, pair.nowMs);
  server.session.consumed(said!.lane, said!.bytes, pair.nowMs);
  server.session.reply(requestId, message("chat/1/Ask:answer", 20), pair.nowMs);
  pair.run();
  const [settled] = client.take("settled");
  t.like(settled, { asker: 1, outcome: { ok: true, message: { kind: "chat/1/Ask:answer" } } });
});

test("sides with different sets understand each other all the same", (t) => {
  const pair = Pair.ready({
    client: bringing(CHAT, ALARM, FILES),
    server: bringing(FILES, CHAT),
  });
  const { client, server } = pair;
  client.session.send(message("chat/1/Say"), pair.nowMs);
  client.session.send(message("b-files/1/Offer"), pair.nowMs);
  pair.run();
  const kinds = server.take("message").map((event) => event.message.kind);
  t.deepEqual(kinds, ["chat/1/Say", "b-files/1/Offer"]);
  t.false(client.session.send(message("alarm/1/Ring", 1), pair.nowMs), "the other lacks it");
  t.is(client.session.phase, "ready");
});

test("who did not bring the protocol is sent none of it, and asked nothing", (t) => {
  const pair = Pair.ready({ client: bringing(CHAT) });
  const { client, server } = pair;
  const sentBefore = client.session.figures.messagesOut;
  t.false(client.session.send(message("chat/1/Say"), pair.nowMs));
  client.session.request(message("chat/1/Ask"), 1, pair.nowMs);
  pair.run();
  t.is(client.session.figures.messagesOut, sentBefore);
  t.like(client.take("settled"), [{ asker: 1, outcome: { ok: false, reason: "Closed" } }]);
  t.is(server.end, undefined);
});

/** Frames of the client that its session would not send. */
function frames(kind: OwnMessage["kind"], payload: Uint8Array, requestId = 0): Uint8Array {
  const rule = ownRules([CHAT]).find((each) => each.kind === kind)!;
  const window = 1024 * 1024;
  const lanes = new SendLanes({ windowBytesInitial: window, windowBytesMax: window });
  lanes.enqueue(kind, requestId, payload, { ...rule, payloadBytesMax: window });
  return lanes.pull(window)!;
}

for (const [title, protocols, bytes, rule] of [
  [
    "a code that was not negotiated",
    [],
    frames("chat/1/Say", Uint8Array.of(0x81, 0x41, 1)),
    "unknown-kind",
  ],
  [
    "a message beyond its limit",
    [CHAT],
    frames("chat/1/Say", new Uint8Array(107)),
    "message-length",
  ],
  ["a payload without a body", [CHAT], frames("chat/1/Say", Uint8Array.of(0x80)), "payload"],
  [
    "an answer that nobody asked for",
    [CHAT],
    frames("chat/1/Ask:answer", Uint8Array.of(0x81, 0x41, 1), 9),
    "request-id",
  ],
] as const) {
  test(`${title} breaks the rule ${rule}`, (t) => {
    const pair = Pair.ready({ client: bringing(...protocols), server: bringing(...protocols) });
    pair.server.session.receive(bytes, pair.nowMs);
    pair.run();
    t.is(pair.server.end?.rule, rule);
  });
}

test("requests wait for the rate that both know, and more at once is refused", (t) => {
  const pair = Pair.ready({ client: bringing(CHAT), server: bringing(CHAT) });
  const { client, server } = pair;
  for (let asker = 1; asker <= 3; asker++) {
    client.session.request(message("chat/1/Ask"), asker, pair.nowMs);
  }
  pair.run();
  t.is(server.take("message").length, 2);
  pair.run(600);
  t.is(server.take("message").length, 1);
  // Another implementation may not wait. It is refused, which is no breach.
  const pushy = frames("chat/1/Ask", Uint8Array.of(0x81, 0x41, 1), 77);
  const sentBefore = server.session.figures.messagesOut;
  for (let i = 0; i < 2; i++) server.session.receive(pushy, pair.nowMs);
  t.is(server.session.poll(), undefined);
  t.is(server.session.figures.messagesOut, sentBefore + 2);
  t.is(server.session.phase, "ready");
});

test("one-way messages above their rate are neither sent nor handed on", (t) => {
  const pair = Pair.ready({ client: bringing(CHAT), server: bringing(CHAT) });
  const { client, server } = pair;
  const sent = Array.from({ length: 8 }, () =>
    client.session.send(message("chat/1/Say"), pair.nowMs),
  );
  t.deepEqual(sent.filter((was) => was).length, 5);
  t.is(client.session.figures.droppedOut, 3);
  const flood = frames("chat/1/Say", Uint8Array.of(0x81, 0x41, 1));
  pair.run();
  for (let i = 0; i < 20; i++) server.session.receive(flood, pair.nowMs);
  pair.run();
  t.is(server.take("message").length, 10, "twice the burst, for what comes bunched together");
  t.is(server.session.figures.droppedIn, 15);
  server.session.invariants();
  pair.run(1_000);
  server.session.receive(flood, pair.nowMs);
  pair.run();
  t.is(server.take("message").length, 1, "its time goes on");
});
