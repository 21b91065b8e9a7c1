// What comes above the quota of a one-way kind is dropped unread, what comes far above it is a
// flood; who comes back from the same address group has used up its part.

import test, { type ExecutionContext } from "ava";
import { DEFAULTS } from "../../../src/config/defaults.js";
import { encodeMessage } from "../../../src/protocol/codec/codec.js";
import { GroupLimits } from "../../../src/protocol/session/group-limits.js";
import { leastQuotaOf, quotaOf } from "../../../src/protocol/session/quotas.js";
import { TrafficCounts } from "../../../src/protocol/session/traffic.js";
import { KINDS, MESSAGE_KINDS, type Message } from "../../../src/protocol/types/message.js";
import { fragmentBytes } from "../../support/frames.js";
import { HASH, INFO, Pair, type End, type EndOptions } from "./pair.js";

const ANNOUNCED: Message = { kind: "AnnounceBlock", height: 1n, hash: HASH, totalDifficulty: 1n };
/** Only a reader finds it wrong. */
const GARBAGE = Uint8Array.of(0x80);

function ids(count: number, from = 0): Message {
  const hashes = Array.from({ length: count }, (_, i) => (from + i).toString(16).padStart(64, "0"));
  return { kind: "AnnounceTransactions", ids: hashes };
}

function frames(message: Message): Uint8Array {
  return fragmentBytes(message.kind, encodeMessage(message));
}

/** Past the session that would keep its manners; what was handed on is dealt with. */
function push(pair: Pair, bytes: Uint8Array, times = 1): number {
  const { server } = pair;
  // Its session did not send it, and would be given too much credit.
  pair.client.isDeaf = true;
  let handed = 0;
  for (let i = 0; i < times && server.session.phase === "ready"; i++) {
    server.session.receive(bytes, pair.nowMs);
    handed += take(server, pair.nowMs);
  }
  pair.run();
  return handed + take(server, pair.nowMs);
}

function take({ session, events }: End, nowMs: number): number {
  let count = 0;
  for (let event = session.poll(); event !== undefined; event = session.poll()) events.push(event);
  for (const event of events.splice(0)) {
    if (event.type !== "message") {
      events.push(event);
      break;
    }
    session.consumed(event.lane, event.bytes, nowMs);
    count++;
  }
  return count;
}

function ready(server: EndOptions = {}): Pair {
  return Pair.ready({ server });
}

test("the defaults are what peers may send that cannot be told", (t) => {
  for (const kind of MESSAGE_KINDS) {
    const rule = KINDS[kind];
    if (rule.role === "oneWay" && rule.quota !== undefined) {
      const quiet = { ...DEFAULTS, receive: { ...DEFAULTS.receive, announcedBlocksBurst: 1 } };
      t.deepEqual(leastQuotaOf(rule, quiet), quotaOf(rule, DEFAULTS), kind);
    }
  }
});

test("what exceeds the burst is dropped unread and counted, and time brings more", (t) => {
  const traffic = new TrafficCounts();
  const pair = ready({ traffic });
  const burst = 2 * DEFAULTS.receive.announcedBlocksBurst;
  t.is(push(pair, frames(ANNOUNCED), burst), burst);
  t.is(push(pair, fragmentBytes("AnnounceBlock", GARBAGE), 10), 0, "nobody reads what is dropped");
  t.is(pair.server.session.phase, "ready");
  t.is(traffic.byKind()["AnnounceBlock"]!.dropped["in-rate"], 10);
  t.is(pair.server.session.figures.droppedIn, 10);
  t.is(pair.server.session.handedOnBytes, 0, "its credit came back");
  pair.run(1_000);
  const perSecond = DEFAULTS.receive.announcedBlocksPerSecond;
  t.is(push(pair, frames(ANNOUNCED), perSecond + 5), perSecond);
});

const NEW_BLOCK: Message = { kind: "NewBlock", block: new Uint8Array(24) };
const NEW_TRANSACTION: Message = { kind: "NewTransaction", transaction: new Uint8Array(32) };

for (const [message, each] of [
  [ANNOUNCED, 1],
  [NEW_BLOCK, 1],
  [NEW_TRANSACTION, 1],
  [ids(1_024), 1_024],
] as const) {
  test(`${message.kind} without end is a flood`, (t) => {
    const pair = ready();
    const bytes = frames(message);
    let sent = 0;
    while (pair.server.session.phase === "ready" && sent < 1_000_000) {
      push(pair, bytes);
      sent += each;
    }
    const { reason, rule, detail } = pair.server.end!;
    t.is(reason, "ProtocolViolation");
    t.is(rule, "flood");
    t.regex(detail, new RegExp(message.kind));
    t.true(sent < 500_000, `${sent} came first`);
  });
}

test("large messages are counted in bytes too", (t) => {
  const pair = ready();
  const bytes = frames({ kind: "NewTransaction", transaction: new Uint8Array(64_000) });
  const { transactionBytesBurst } = DEFAULTS.receive;
  const most = Math.floor((2 * transactionBytesBurst) / 64_000);
  t.true(most < DEFAULTS.receive.transactionsBurst);
  const handed = push(pair, bytes, most + 50);
  t.true(handed <= most && handed >= most - 1, `${handed} of ${most}`);
  t.is(pair.server.session.phase, "ready");
});

test("what an honest peer has to say at once, never trips it", (t) => {
  const pair = ready();
  const welcome = Array.from({ length: 5 }, (_, i) => frames(ids(1_000, i * 1_000)));
  // Five reorganisations in a row, each with all that may wait for a peer.
  for (let i = 0; i < 5; i++) for (const bytes of welcome) t.is(push(pair, bytes), 1);
  for (let i = 0; i < 64; i++) t.is(push(pair, frames(NEW_BLOCK)), 1);
  t.is(pair.server.session.figures.droppedIn, 0);
});

test("who cannot be told is held to no less than the defaults, whatever the settings are", (t) => {
  const receive = { announcedBlocksPerSecond: 1, announcedBlocksBurst: 1 };
  const info = { ...INFO, capabilities: ["blocks/1"] };
  const pair = Pair.ready({ client: { info }, server: { settings: { receive } } });
  t.is(push(pair, frames(ANNOUNCED), 100), 100);
});

test("a group has its part, whoever of it comes back", (t) => {
  const groups = new GroupLimits({
    ...DEFAULTS,
    receive: { ...DEFAULTS.receive, announcedBlocksBurst: 100, announcedBlocksPerSecond: 1 },
  });
  const handed = (host: string): number => {
    const traffic = new TrafficCounts();
    const count = push(ready({ group: groups.of(host, host), traffic }), frames(ANNOUNCED), 150);
    t.is(count + traffic.byKind()["AnnounceBlock"]!.dropped["in-group"], 150);
    return count;
  };
  t.is(handed("203.0.113.1"), 150);
  t.is(handed("203.0.113.77"), 50, "of another address, in the same /24");
  t.is(handed("198.51.100.1"), 150, "another group");
  t.is(groups.of("192.168.1.1", "192.168.1.1"), undefined, "local ones are exempt");
});

test("groups are forgotten in the order in which they were heard of", (t) => {
  const receive = { ...DEFAULTS.receive, groupsMax: 2 };
  const groups = new GroupLimits({ ...DEFAULTS, receive });
  const first = groups.of("203.0.113.1", "203.0.113.1");
  groups.of("198.51.100.1", "198.51.100.1");
  t.is(groups.of("203.0.113.2", "203.0.113.2"), first);
  groups.of("192.0.2.1", "192.0.2.1");
  t.is(groups.size, 2);
  t.is(groups.of("203.0.113.3", "203.0.113.3"), first, "it was heard of lately");
});

test("whose peer it is, is known while it is here, and of those who left the last that were asked for", (t) => {
  const receive = { ...DEFAULTS.receive, groupsMax: 2 };
  const groups = new GroupLimits({ ...DEFAULTS, receive });
  const [here, spoke, silent, next] = ["203.0.113.1", "198.51.100.1", "192.0.2.1", "8.8.8.8"];
  for (const peer of [here, here, spoke, silent, next]) groups.of(peer, peer);
  for (const peer of [here, spoke, silent]) groups.left(peer);
  t.is(groups.nameOf(spoke), "198.51.100.0/24");
  groups.left(next);
  t.is(groups.nameOf(spoke), "198.51.100.0/24", "it was asked for since");
  t.is(groups.nameOf(silent), undefined, "two are remembered");
  t.is(groups.nameOf(here), "203.0.113.0/24", "it has another connection");
});

// ---- what is served ------------------------------------------------------------------------------

function ask(t: ExecutionContext, pair: Pair, from: number, count: number): number {
  const request: Message = { kind: "RequestBlock", hash: HASH };
  for (let i = 0; i < count; i++) {
    pair.client.session.request(request, from + i, pair.nowMs);
  }
  return serve(t, pair);
}

const BLOCK = new Uint8Array(100_000);

/** Answers all that the server hands on; how many that were. */
function serve(t: ExecutionContext, pair: Pair): number {
  let served = 0;
  for (;;) {
    pair.run();
    const requests = pair.server.take("message");
    if (requests.length === 0) break;
    for (const { requestId, lane, bytes } of requests) {
      pair.server.session.consumed(lane, bytes, pair.nowMs);
      pair.server.session.reply(requestId, { kind: "ResponseBlock", block: BLOCK }, pair.nowMs);
      served++;
    }
  }
  t.is(pair.server.session.phase, "ready");
  return served;
}

test("answers above the bytes that a peer is served come later, and all of them", (t) => {
  const serveSettings = { blockBytesPerSecond: 100_000, blockBytesBurst: 1_000_000 };
  const pair = ready({ settings: { serve: serveSettings } });
  const first = ask(t, pair, 1, 30);
  t.true(first >= 5 && first <= 12, `${first} at once`);
  let later = 0;
  for (let seconds = 0; seconds < 10; seconds++) {
    pair.run(1_000);
    later += serve(t, pair);
  }
  t.true(later >= 8 && later <= 11, `${later} in ten seconds`);
});

test("a group's part of them is not renewed by another connection", (t) => {
  const groups = new GroupLimits({
    ...DEFAULTS,
    serve: { ...DEFAULTS.serve, blockBytesPerSecond: 1, blockBytesBurst: 1_000_000 },
  });
  const served = (host: string): number => ask(t, ready({ group: groups.of(host, host) }), 1, 15);
  t.is(served("203.0.113.1"), 15);
  t.true(served("203.0.113.2") <= 6, "twice what a peer may, and no more");
  t.is(served("203.0.113.3"), 0);
  t.is(served("198.51.100.1"), 15);
});
