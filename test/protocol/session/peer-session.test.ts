import test from "ava";
import { ARRIVING_BYTES_PER_MS_MIN } from "../../../src/protocol/session/own-requests.js";
import { RANK } from "../../../src/protocol/codec/rank.js";
import { KINDS, type Message } from "../../../src/protocol/types/message.js";
import { fragmentBytes } from "../../support/frames.js";
import { encodeMessage } from "../../../src/protocol/codec/codec.js";
import { HASH, INFO, KIB, MIB, Pair, settingsOf, type End } from "./pair.js";

const { requests, liveness } = settingsOf();
const requestBlock: Message = { kind: "RequestBlock", hash: HASH };

function blockOf(bytes: number): Message {
  return { kind: "ResponseBlock", block: new Uint8Array(bytes) };
}

function bytesOf(message: Message, requestId = 0): Uint8Array {
  return fragmentBytes(message.kind, encodeMessage(message), { requestId });
}

/** It knows the quotas of a handshake alone. */
const UNLIMITED = {
  ...INFO,
  capabilities: INFO.capabilities.filter((name) => name !== "limits/1"),
};

test("two sessions shake hands and measure the round trip", (t) => {
  const pair = new Pair({ delayMs: 15 });
  pair.run(100);
  for (const end of [pair.client, pair.server]) {
    t.is(end.session.phase, "ready");
    t.is(end.session.roundTripMs, 30);
    t.is(end.take("ready").length, 1);
  }
});

test("a request is handed on, answered and settled once", (t) => {
  const pair = Pair.ready();
  pair.client.session.request(requestBlock, 7, pair.nowMs);
  pair.run();
  const [asked] = pair.server.take("message");
  pair.server.session.reply(asked!.requestId, blockOf(100), pair.nowMs);
  pair.server.session.reply(asked!.requestId, blockOf(100), pair.nowMs);
  pair.run();
  t.like(pair.client.take("settled"), [{ asker: 7, outcome: { ok: true } }]);
  t.is(pair.client.end, undefined, "a second answer is not sent");
});

test("a request that finds no place is settled by the time at which it was wanted", (t) => {
  const pair = Pair.ready();
  const transactions: Message = { kind: "RequestTransactions", ids: [HASH] };
  for (let asker = 0; asker < 40; asker++) {
    pair.client.session.request(transactions, asker, pair.nowMs);
  }
  pair.run(requests.timeoutMaxMs + 250);
  const settled = pair.client.take("settled");
  t.deepEqual(
    settled.map(({ asker }) => asker).sort((a, b) => a - b),
    [...Array(40).keys()],
  );
  t.true(settled.every(({ outcome }) => !outcome.ok && outcome.reason === "Timeout"));
  t.is(pair.client.take("silence").length, 1);
});

test("a prompt reader of large answers is kept, and gets all of them", (t) => {
  const pair = Pair.ready({ delayMs: 5 });
  const sizes = [MIB, MIB, MIB, MIB, 100, 100, 100, 100, 4 * MIB - 100, 4 * MIB - 100];
  for (const [asker] of [...sizes, ...sizes].entries()) {
    pair.client.session.request(requestBlock, asker, pair.nowMs);
  }
  // Every size is found out too late: each request counts on what came before.
  const serve = (): void => {
    for (const { requestId } of pair.server.take("message")) {
      const size = sizes[requestId % sizes.length]!;
      pair.server.session.reply(requestId, blockOf(size), pair.nowMs);
      t.true(pair.server.session.queuedBytes <= 8 * MIB);
    }
  };
  for (let steps = 0; steps < 2_000; steps++) {
    pair.run(5);
    serve();
  }
  t.is(pair.server.end, undefined);
  const settled = pair.client.take("settled");
  t.is(settled.filter(({ outcome }) => outcome.ok).length, 2 * sizes.length);
});

test("after a Disconnect nothing more is sent, whatever waited and whatever is asked", (t) => {
  const pair = Pair.ready();
  const { session } = pair.server;
  for (let i = 0; i < 4; i++) {
    session.send({ kind: "NewBlock", block: new Uint8Array(3 * MIB) }, pair.nowMs);
  }
  pair.client.isDeaf = true;
  pair.run();
  session.close("Shutdown", "the node stops", pair.nowMs);
  session.send({ kind: "AnnounceBlock", ...INFO.head }, pair.nowMs);
  session.request(requestBlock, 1, pair.nowMs);
  session.consumed("block", 0, pair.nowMs);
  pair.run();
  t.is(pair.server.sent.at(-1)?.kind, "Disconnect");
  t.is(pair.server.sent.filter(({ kind }) => kind === "Disconnect").length, 1);
  pair.client.isDeaf = false;
  const before = pair.client.sent.length;
  pair.run(10_000);
  t.is(pair.client.end?.by, "peer");
  t.true(
    pair.client.sent.slice(before).every(({ kind }) => kind === "WindowUpdate"),
    "who hears it answers nothing",
  );
});

for (const kind of ["Pong", "WindowUpdate", "Ping"] as const) {
  test(`a flood of ${kind}s ends the connection`, (t) => {
    const pair = Pair.ready();
    const grant: Message = { kind: "WindowUpdate", lane: "block", bytes: 1 };
    for (let i = 0; i < 501; i++) {
      const message = kind === "WindowUpdate" ? grant : ({ kind, nonce: 2n ** 40n } as const);
      if (i < 500) t.is(pair.server.end, undefined);
      pair.inject(pair.client, bytesOf(message));
    }
    pair.run();
    t.regex(pair.server.end?.detail ?? "", /^too many/);
    t.is(pair.server.end?.rule, "flood");
  });
}

test("the rule that was broken and how are apart at both sides, whatever the phrase holds", (t) => {
  const detail = "too: many: colons";
  const pair = Pair.ready();
  pair.server.session.violate({ rule: "flood", detail }, pair.nowMs);
  pair.run();
  const why = { reason: "ProtocolViolation", rule: "flood", detail } as const;
  t.deepEqual(pair.server.end, { ...why, by: "session" });
  t.deepEqual(pair.client.end, { ...why, by: "peer" });
});

test("what is no rule of this protocol is told as it came", (t) => {
  for (const [detail, rule] of [
    ["no-such-rule: what", undefined],
    ["FLOOD: what", undefined],
    ["", undefined],
    ["flood", "flood"],
  ] as const) {
    const pair = Pair.ready();
    pair.inject(pair.server, bytesOf({ kind: "Disconnect", reason: "ProtocolViolation", detail }));
    pair.run();
    t.is(pair.client.end?.rule, rule);
    t.is(pair.client.end?.detail, rule === undefined ? detail : "");
  }
  const pair = Pair.ready();
  pair.inject(pair.server, bytesOf({ kind: "Disconnect", reason: "Banned", detail: "flood: x" }));
  pair.run();
  t.deepEqual(pair.client.end, { reason: "Banned", detail: "flood: x", by: "peer" });
});

const unread: { readonly [name: string]: (index: number) => Uint8Array } = {
  refusals: (index) => bytesOf({ kind: "RequestHeaders", locator: [HASH], countMax: 2 }, index),
  Pongs: (index) => bytesOf({ kind: "Ping", nonce: BigInt(index) }),
};
for (const [name, bytes] of Object.entries(unread)) {
  test(`whoever reads nothing has no more than a few ${name} made for it`, (t) => {
    const quotas = [{ kind: KINDS.RequestHeaders.code, itemsPerSecond: 1, burstItems: 1 }];
    const { session } = Pair.ready({ server: { info: { ...UNLIMITED, quotas } } }).server;
    // Its carrier takes nothing, so nothing is transmitted; the pace is below that of a flood.
    session.carrierBlocked(0);
    let count = 0;
    for (; session.phase === "ready" && count < 5_000; count++) {
      session.receive(bytes(count + 1), 3 * count);
      session.invariants();
    }
    t.is(session.phase, "closing");
    t.true(count <= 501, `${count}`);
  });
}

/** The first frame of a block of which nothing more comes. */
function begunBlock(): Uint8Array {
  return fragmentBytes("NewBlock", new Uint8Array(10 * KIB), { more: true });
}

/** Pings without end, of which one has always come and is not read yet when a timer fires. */
function pingUntilEnd({ session }: End, from: number, untilMs: number): number {
  let nowMs = from;
  for (let nonce = 1n; session.phase === "ready" && nowMs < untilMs; nonce++, nowMs += 4) {
    const ping = bytesOf({ kind: "Ping", nonce });
    if (session.nextTimeoutMs <= nowMs) session.timeout(nowMs, ping.length);
    session.receive(ping, nowMs);
    while (session.transmit(nowMs) !== undefined) session.invariants();
  }
  return nowMs;
}

test("whoever sends other bytes all the time has no more time for its answers", (t) => {
  const pair = Pair.ready();
  const { client } = pair;
  client.session.request({ kind: "RequestHeaders", locator: [HASH], countMax: 2 }, 7, pair.nowMs);
  pingUntilEnd(client, pair.nowMs, pair.nowMs + requests.timeoutMaxMs + 1_000);
  const outcomes = [];
  for (let event = client.session.poll(); event !== undefined; event = client.session.poll()) {
    if (event.type === "settled") outcomes.push(event.outcome);
  }
  t.deepEqual(outcomes, [{ ok: false, reason: "Timeout" }]);
});

test("a message that has begun must go on, whatever else comes", (t) => {
  const pair = Pair.ready();
  const { client } = pair;
  client.session.receive(begunBlock(), pair.nowMs);
  const allowedMs = requests.timeoutMaxMs + (10 * KIB) / ARRIVING_BYTES_PER_MS_MIN;
  const endMs = pingUntilEnd(client, pair.nowMs, pair.nowMs + 3 * allowedMs);
  t.is(client.session.phase, "closing");
  t.true(endMs - pair.nowMs < allowedMs + 2_000, `${endMs - pair.nowMs}`);
});

test("nobody is late while this side does not read what has come", (t) => {
  const pair = Pair.ready();
  const { session } = pair.client;
  session.request({ kind: "RequestHeaders", locator: [HASH], countMax: 2 }, 7, pair.nowMs);
  while (session.transmit(pair.nowMs) !== undefined) session.invariants();
  session.receive(begunBlock(), pair.nowMs);
  const answer = bytesOf({ kind: "ResponseHeaders", headers: [new Uint8Array(9)] }, 1);
  let nowMs = pair.nowMs;
  for (; nowMs < 3 * requests.timeoutMaxMs; nowMs += 10) {
    if (session.nextTimeoutMs <= nowMs) session.timeout(nowMs, answer.length);
    while (session.transmit(nowMs) !== undefined) session.invariants();
  }
  t.is(session.poll(), undefined);
  session.receive(answer, nowMs);
  t.like(session.poll(), { type: "settled", asker: 7, outcome: { ok: true } });
  t.is(session.phase, "ready");
});

test("nobody is late, nor slow, for what this side held up by its own limits", (t) => {
  const pair = Pair.ready();
  const { session } = pair.client;
  session.request({ kind: "RequestHeaders", locator: [HASH], countMax: 2 }, 7, pair.nowMs);
  while (session.transmit(pair.nowMs) !== undefined) session.invariants();
  session.receive(begunBlock(), pair.nowMs);
  const sinceMs = pair.nowMs;
  let nowMs = sinceMs;
  for (; nowMs < sinceMs + 3 * requests.timeoutMaxMs; nowMs += 10) {
    session.heldUp("in", 10, nowMs);
    if (session.nextTimeoutMs <= nowMs) session.timeout(nowMs);
    while (session.transmit(nowMs) !== undefined) session.invariants();
  }
  t.is(session.poll(), undefined);
  session.receive(bytesOf({ kind: "ResponseHeaders", headers: [new Uint8Array(9)] }, 1), nowMs);
  const settled = session.poll();
  t.like(settled, { type: "settled", asker: 7, outcome: { ok: true } });
  const outcome = settled?.type === "settled" ? settled.outcome : undefined;
  t.true(
    outcome?.ok === true && outcome.elapsedMs < 100,
    "the time that it took is the peer's own",
  );
  t.is(session.phase, "ready");
});

test("what this side holds up prolongs a request by two minutes at most", (t) => {
  const pair = Pair.ready();
  const { session } = pair.client;
  session.request({ kind: "RequestHeaders", locator: [HASH], countMax: 2 }, 7, pair.nowMs);
  const sinceMs = pair.nowMs;
  let nowMs = sinceMs;
  let outcome: unknown;
  for (; outcome === undefined && nowMs < sinceMs + 600_000; nowMs += 100) {
    session.heldUp("in", 100, nowMs);
    if (session.nextTimeoutMs <= nowMs) session.timeout(nowMs);
    while (session.transmit(nowMs) !== undefined) session.invariants();
    for (let event = session.poll(); event !== undefined; event = session.poll()) {
      if (event.type === "settled") ({ outcome } = event);
    }
  }
  t.deepEqual(outcome, { ok: false, reason: "Timeout" });
  const tookMs = nowMs - sinceMs - requests.timeoutMaxMs;
  t.true(tookMs > 119_000 && tookMs < 122_000, `${tookMs}`);
});

test("a peer that was sent nothing by this side's own limits is not taken for one that reads nothing", (t) => {
  const pair = Pair.ready();
  const { client } = pair;
  const block = new Uint8Array(600 * KIB);
  client.session.send({ kind: "NewBlock", block }, pair.nowMs);
  while (client.session.transmit(pair.nowMs) !== undefined) client.session.invariants();
  t.true(client.session.queuedBytes > 0);
  for (let nowMs = pair.nowMs; nowMs < pair.nowMs + 60_000; nowMs += 50) {
    client.session.heldUp("out", 50, nowMs);
    client.session.receive(bytesOf({ kind: "Ping", nonce: BigInt(nowMs) }), nowMs);
    if (client.session.nextTimeoutMs <= nowMs) client.session.timeout(nowMs);
    while (client.session.transmit(nowMs, undefined, RANK.control) !== undefined);
  }
  t.is(client.session.phase, "ready");
});

test("a block that a peer was told of is of the tip when it asks for it, once, and no other is", (t) => {
  const pair = Pair.ready();
  const { client, server } = pair;
  server.session.send({ kind: "AnnounceBlock", ...INFO.head }, pair.nowMs);
  pair.run();
  const other = "77".repeat(32);
  for (const [hash, rank] of [
    [other, RANK.history],
    [INFO.head.hash, RANK.tip],
    [INFO.head.hash, RANK.history],
  ] as const) {
    client.session.request({ kind: "RequestBlock", hash }, 1, pair.nowMs);
    pair.run();
    const [asked] = server.take("message");
    server.session.reply(asked!.requestId, blockOf(100), pair.nowMs);
    t.deepEqual(
      [RANK.tip, RANK.history].filter((one) => server.session.waits(one)),
      [rank],
    );
    pair.run();
  }
});

test("refusals that leave are any number", (t) => {
  const quotas = [{ kind: KINDS.RequestHeaders.code, itemsPerSecond: 1, burstItems: 1 }];
  const pair = Pair.ready({ server: { info: { ...UNLIMITED, quotas } } });
  // It asked past its own session, which would take the answers for unsolicited.
  pair.client.isDeaf = true;
  for (let requestId = 1; requestId <= 64 * 20; requestId++) {
    const message: Message = { kind: "RequestHeaders", locator: [HASH], countMax: 2 };
    pair.inject(pair.client, bytesOf(message, requestId));
    if (requestId % 64 === 0) pair.run();
  }
  const refused = pair.server.sent.filter(({ kind }) => kind === "RequestRefused");
  t.is(refused.length, 64 * 20);
});

test("a WindowUpdate for each frame is no flood", (t) => {
  const receive = { announcedBlocksPerSecond: 100_000, announcedBlocksBurst: 100_000 };
  const settings = { lanes: { windowInitialBytes: 4 * MIB }, receive };
  const pair = Pair.ready({ client: { settings }, server: { settings } });
  for (let i = 0; i < 5_000; i++) {
    pair.server.session.send({ kind: "AnnounceBlock", ...INFO.head }, pair.nowMs);
    pair.run();
    for (const { bytes } of pair.client.take("message")) {
      pair.inject(pair.client, bytesOf({ kind: "WindowUpdate", lane: "block", bytes }));
    }
  }
  pair.run();
  t.is(pair.server.end, undefined);
});

test("the last Ping of a full bucket fits, at any time", (t) => {
  for (const atMs of [15_400, 16_383.999, 16_384.1, 2 ** 21 - 0.3, 2 ** 31 + 0.7]) {
    const pair = Pair.ready();
    pair.nowMs = atMs;
    for (let nonce = 0n; nonce < 500n; nonce++) {
      pair.inject(pair.client, bytesOf({ kind: "Ping", nonce }));
    }
    pair.run();
    t.is(pair.server.end?.detail, undefined, `${atMs}`);
  }
});

const answers: { readonly [name: string]: readonly [Message, Message] } = {
  headers: [
    { kind: "RequestHeaders", locator: [HASH], countMax: 2 },
    { kind: "ResponseHeaders", headers: [1, 2, 3].map(() => new Uint8Array(9)) },
  ],
  blocks: [
    { kind: "RequestBlockRange", fromHeight: 1, count: 2, lastHash: HASH },
    { kind: "ResponseBlockRange", blocks: [1, 2, 3].map(() => new Uint8Array(9)) },
  ],
  transactions: [
    { kind: "RequestTransactions", ids: [HASH] },
    { kind: "ResponseTransactions", transactions: [1, 2].map(() => new Uint8Array(9)) },
  ],
};
for (const [name, [asked, answer]] of Object.entries(answers)) {
  test(`an answer with more ${name} than were asked for is a violation`, (t) => {
    const pair = Pair.ready();
    pair.client.session.request(asked, 1, pair.nowMs);
    pair.run();
    pair.server.session.reply(pair.server.take("message")[0]!.requestId, answer, pair.nowMs);
    pair.run();
    t.like(pair.client.take("settled"), [{ asker: 1, outcome: { ok: false, reason: "Closed" } }]);
    t.is(pair.client.end?.rule, "answer");
    t.is(pair.server.end?.reason, "ProtocolViolation");
  });
}

test("a message that is never finished ends the connection, one that is slow does not", (t) => {
  for (const bytesPerSecond of [0, 32 * KIB, 128 * KIB]) {
    const patient = { pingIntervalMs: Infinity, deadAfterMs: Infinity };
    const pair = Pair.ready({ client: { settings: { liveness: patient } } });
    // What is sent by hand is not its session's business.
    pair.client.isDeaf = true;
    const part = (bytes: number): Uint8Array =>
      fragmentBytes("NewBlock", new Uint8Array(bytes), { more: true });
    pair.inject(pair.client, part(8 * KIB));
    for (let second = 0; second < 30; second++) {
      pair.run(1_000);
      pair.inject(pair.client, bytesOf({ kind: "Pong", nonce: 0n }));
      if (bytesPerSecond > 0) pair.inject(pair.client, part(bytesPerSecond / 2));
      if (bytesPerSecond > 0) pair.inject(pair.client, part(bytesPerSecond / 2));
    }
    const isSlow = bytesPerSecond < 1_000 * ARRIVING_BYTES_PER_MS_MIN;
    for (let second = 0; isSlow && second < 30; second++) {
      pair.run(1_000);
      pair.inject(pair.client, bytesOf({ kind: "Pong", nonce: 0n }));
    }
    t.is(pair.server.end?.detail, isSlow ? "a message on lane block does not end" : undefined);
  }
});

test("a frame that is never finished ends the connection, whatever it is dripped at", (t) => {
  const pair = Pair.ready();
  const frame = fragmentBytes("NewBlock", new Uint8Array(60 * KIB));
  let at = 0;
  for (let second = 0; second < 25; second++) {
    pair.inject(pair.client, frame.subarray(at, (at += 10)));
    pair.run(1_000);
  }
  t.is(pair.server.end?.detail, "a frame does not end");
});

test("an answer that is dripped is given up, however long it goes on", (t) => {
  const pair = Pair.ready();
  pair.client.session.request(
    { kind: "RequestBlockRange", fromHeight: 1, count: 9, lastHash: HASH },
    1,
    pair.nowMs,
  );
  pair.run();
  const { requestId } = pair.server.take("message")[0]!;
  let waitedS = 0;
  for (; pair.client.take("settled").length === 0 && waitedS < 300; waitedS++) {
    const part = fragmentBytes("ResponseBlockRange", new Uint8Array(10_000), {
      requestId,
      more: true,
    });
    pair.inject(pair.server, part);
    pair.run(1_000);
  }
  t.true(waitedS <= 30, `${waitedS} s`);
});

test("a peer that answers other requests does not keep one waiting for good", (t) => {
  const pair = Pair.ready();
  pair.client.session.request(requestBlock, 0, pair.nowMs);
  pair.run();
  const [withheld] = pair.server.take("message");
  let waitedS = 0;
  for (let asker = 1; waitedS < 300; waitedS++) {
    pair.client.session.request(requestBlock, asker++, pair.nowMs);
    pair.run(500);
    for (const { requestId } of pair.server.take("message")) {
      pair.server.session.reply(requestId, blockOf(200 * KIB), pair.nowMs);
    }
    pair.run(500);
    const settled = pair.client.take("settled");
    if (settled.some(({ asker: who }) => who === 0)) break;
  }
  t.truthy(withheld);
  t.true(waitedS <= 90, `${waitedS} s`);
});

test("what this side slept through costs the other nothing", (t) => {
  const pair = Pair.ready();
  pair.client.session.request(requestBlock, 1, pair.nowMs);
  pair.run();
  pair.nowMs += 60_000;
  pair.client.session.timeout(pair.nowMs, 100);
  pair.server.session.timeout(pair.nowMs, 100);
  pair.run(liveness.deadAfterMs / 2);
  t.is(pair.client.end, undefined);
  t.deepEqual(pair.client.take("settled"), []);
  const [asked] = pair.server.take("message");
  pair.server.session.reply(asked!.requestId, blockOf(10), pair.nowMs);
  pair.run();
  t.like(pair.client.take("settled"), [{ asker: 1, outcome: { ok: true } }]);
});

test("a mute session says nothing, and is left in time", (t) => {
  const pair = new Pair({ client: { isMute: true } });
  pair.run(10_000);
  t.deepEqual(pair.client.sent, []);
  t.like(pair.server.end, { reason: "Timeout", detail: "no handshake in time" });
  t.is(pair.server.take("over").length, 1);
});

test("quotas are those that the other side stated", (t) => {
  const oneHeader: Message = { kind: "RequestHeaders", locator: [HASH], countMax: 1 };
  const quota = { kind: KINDS.RequestHeaders.code, itemsPerSecond: 10, burstItems: 3 };
  const pair = Pair.ready({ server: { info: { ...UNLIMITED, quotas: [quota] } } });
  for (let asker = 0; asker < 6; asker++) {
    pair.client.session.request(oneHeader, asker, pair.nowMs);
  }
  pair.run();
  t.is(pair.server.take("message").length, 3);
  pair.run(300);
  t.is(pair.server.take("message").length, 3);
  for (let id = 100; id < 102; id++) pair.inject(pair.client, bytesOf(oneHeader, id));
  pair.run();
  t.is(pair.server.take("message").length, 0, "who does not keep to them is refused");
});
