import test from "ava";
import { clockOffset, clockStatus } from "../../../src/actors/peer/clock-offset.js";
import { nonceOfTime, timeOfNonce } from "../../../src/protocol/session/ping-time.js";
import type { PeerReport } from "../../../src/actors/peer/peer-table.js";

const LIMIT_MS = 10_000;

type Told = Pick<PeerReport, "address" | "remote" | "direction" | "clockOffsetMs">;

const peer = (host: string, clockOffsetMs: number | null, inbound = false): PeerReport =>
  ({
    address: `tcp://${host}:1`,
    remote: { scheme: "tcp", host: host.replace(/[[\]]/g, ""), port: 1 },
    direction: inbound ? "inbound" : "outbound",
    clockOffsetMs,
  }) satisfies Told as unknown as PeerReport;

test("a nonce carries the time to the millisecond", (t) => {
  for (const wallMs of [0, 1_795_000_000_123, 2 ** 48 - 1]) {
    t.is(timeOfNonce(nonceOfTime(wallMs, 0xffffffff)), wallMs);
  }
  t.true(Number.isFinite(timeOfNonce(2n ** 64n - 1n)));
});

test("most outbound peers are believed, not a liar among them", (t) => {
  const honest = [peer("1.1.1.1", 3_600_100), peer("2.2.2.2", 3_599_900)];
  const liar = peer("3.3.3.3", -9e12);
  const { offsetMs, told, wrong } = clockStatus([...honest, liar], LIMIT_MS);
  t.is(offsetMs, 3_599_900);
  t.is(told, 3);
  t.is(
    wrong,
    "this node's clock is 3600 s behind most of 3 outbound peers' clocks: set the time (NTP)",
  );
});

test("one address group has one vote, and who dialed us has none", (t) => {
  const crowd = ["9.9.9.1", "9.9.9.2", "9.9.9.3", "9.9.9.4"].map((ip) => peer(ip, -1e9));
  const strangers = ["4.4.4.4", "5.5.5.5", "6.6.6.6"].map((ip) => peer(ip, -1e9, true));
  const honest = [peer("1.1.1.1", 5), peer("2.2.2.2", 15)];
  const status = clockStatus([...crowd, ...strangers, ...honest], LIMIT_MS);
  t.deepEqual(status, { offsetMs: 5, told: 3, wrong: null });
});

test("peers that do not tell say nothing", (t) => {
  t.deepEqual(clockStatus([peer("1.1.1.1", null)], LIMIT_MS), {
    offsetMs: null,
    told: 0,
    wrong: null,
  });
});

test("a clock of ours that jumps later is seen without a new word of the peer", (t) => {
  const clock = { monotonicMs: () => 1_000, wallMs: () => 50_000 };
  const epochMs = 50_500 - 1_000;
  t.is(clockOffset(epochMs, clock), 500);
  const later = { monotonicMs: () => 2_000, wallMs: () => 51_000 - 3_600_000 };
  t.is(clockOffset(epochMs, later), 3_600_500);
  t.is(clockOffset(undefined, clock), null);
});
