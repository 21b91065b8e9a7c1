import test from "ava";
import type { PeerStatus } from "../../src/actors/service/node-status.js";
import { explainText, type Explained } from "../../src/cli/peer-text.js";
import { peerTable, shortTime } from "../../src/cli/peer-table.js";

const peer = {
  id: "ab".repeat(32),
  nodeId: "",
  agent: "agent\u001b[31m/1",
  address: "tcp://203.0.113.7:50412",
  direction: "outbound",
  purpose: "blocks",
  claimedHeight: "18446744073709551615",
  pingMs: null,
  clockOffsetMs: null,
  readyForMs: 3_723_000,
  trusted: true,
  class: "preferred",
  score: 0.5,
  bytesIn: 1_023,
  bytesOut: 5 * 1_024 * 1_024,
  droppedIn: 0,
  droppedOut: 0,
  timeouts: 0,
} as PeerStatus;

test("a table has a line for each peer, and all that is known where there is room", (t) => {
  const rows = peerTable([peer, { ...peer, id: "cd".repeat(32), pingMs: 3.21, trusted: false }]);
  t.is(rows.length, 3);
  t.deepEqual(rows[1]!.split(/ {2,}/), [
    "abababab",
    "out",
    "trusted",
    "203.0.113.7:50412",
    "1h2m",
    "-",
    "0.50",
    "preferred",
    "18446744073709551615",
    "1023 B",
    "5.0 MiB",
    "agent\\u{1b}[31m/1",
  ]);
  t.regex(rows[2]!, /^cdcdcdcd {2}out {2}blocks .* 3\.2 ms /);
  t.deepEqual(peerTable([]), ["no peers"]);
});

test("a narrow terminal is shown fewer columns, which are named, and nothing is cut", (t) => {
  const whole = peerTable([peer])[0]!.length;
  for (let width = 30; width < whole; width += 7) {
    const rows = peerTable([peer], width);
    t.regex(rows.at(-1)!, /^\((1 column does|\d+ columns do) not fit: .*agent\)$/);
    t.true(rows[1]!.startsWith("abababab  out"), "who it is stays");
    t.true(rows[1]!.includes("203.0.113.7:50412"));
    t.true(
      rows.slice(0, -1).every(({ length }) => length <= Math.max(width, 34)),
      `${width}`,
    );
  }
});

test("times are short, and none is nothing", (t) => {
  t.deepEqual([0, 999, 59_000, 60_000, 3_661_000, 90_000_000, 86_400_000].map(shortTime), [
    "0s",
    "0s",
    "59s",
    "1m",
    "1h1m",
    "1d1h",
    "1d",
  ]);
});

test("a peer is explained in plain words", (t) => {
  const nowMs = 1_700_000_000_000;
  const explained = {
    peerId: peer.id,
    score: -120.4,
    class: "banned",
    ban: {
      peerId: peer.id,
      untilWallMs: nowMs + 3_600_000,
      reason: "InvalidBlock",
      rule: "state-root",
      detail: "at height 7",
      count: 2,
    },
    entries: [
      {
        event: "InvalidBlock",
        rule: "state-root",
        detail: "at height 7",
        wallMs: nowMs - 61_000,
        delta: -100,
      },
    ],
    trusted: false,
    awayMs: 0,
    readyWallMs: nowMs - 61_000,
    connections: [],
    endpoints: [
      {
        address: "tcp://203.0.113.7:8765",
        source: "configured",
        state: "idle",
        failures: 3,
        dialedWallMs: nowMs,
        readyWallMs: null,
        end: "refused",
        waitMs: 5_000,
      },
    ],
    addresses: [
      {
        address: "tcp://203.0.113.7:8765",
        isTried: true,
        places: [],
        heardWallMs: nowMs - 3_600_000,
        ownWallMs: null,
        dialedWallMs: null,
        foundWallMs: nowMs - 61_000,
        failures: 0,
      },
    ],
    told: [],
    connected: null,
  } as unknown as Explained;
  const text = explainText(explained, nowMs).join("\n");
  for (const sentence of [
    "It is banned for InvalidBlock, for the 2. time, for another 1h: state-root: at height 7.",
    "Its reputation is -120.4.",
    "It is not connected. It was last connected at 2023-11-14T22:12:19.000Z.",
    "tcp://203.0.113.7:8765 (configured): idle, never found there, failed 3 times since, not dialed for another 5s; last: refused",
    "tcp://203.0.113.7:8765 (in the address book): heard of 1h ago, found there 1m1s ago",
    "1m1s ago: InvalidBlock -100.0 (state-root: at height 7)",
  ]) {
    t.true(text.includes(sentence), `${sentence}\n${text}`);
  }
});

test("a peer that the operator sent away is said to be, and an address that may be dialed has no wait", (t) => {
  const explained = {
    peerId: peer.id,
    score: 96,
    class: "good",
    entries: [],
    trusted: false,
    awayMs: 15_400,
    readyWallMs: null,
    connections: [],
    endpoints: [
      {
        address: "tcp://203.0.113.7:8765",
        source: "configured",
        state: "idle",
        failures: 1,
        dialedWallMs: 0,
        readyWallMs: null,
        end: "refused",
        waitMs: 40,
      },
    ],
    addresses: [],
    told: [],
    connected: null,
  } as unknown as Explained;
  const text = explainText(explained, 0);
  t.deepEqual(text.slice(1), [
    "The operator sent it away: it is neither let in nor dialed for another 15s.",
    "Its reputation is 96.0, which is called good.",
    "It is not connected.",
    "Where it is known at:",
    "  tcp://203.0.113.7:8765 (configured): idle, never found there, failed once since; last: refused",
    "Nothing is noted for or against it.",
  ]);
});
