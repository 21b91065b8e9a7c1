import test, { type ExecutionContext } from "ava";
import { KeepAlive } from "../../../src/protocol/session/keep-alive.js";
import { DEFAULTS } from "../../../src/config.js";

const { liveness } = DEFAULTS;

interface Peer {
  /** From a ping to the bytes of its answer; Infinity: it answers nothing. */
  readonly roundTripMs: number;
  /** How late the timer that is due at this time fires. */
  readonly lateMs?: (dueMs: number) => number;
  readonly blockedFromMs?: number;
}

/** A link on which nothing goes but pings; answers when and why it ended. */
function idle(peer: Peer, forMs: number): { endMs?: number; why?: string; pingsMs: number[] } {
  const policy = new KeepAlive(liveness, 0);
  const pingsMs: number[] = [];
  let pongMs = Number.POSITIVE_INFINITY;
  let dueMs = policy.begin(0);
  while (dueMs < forMs) {
    const nowMs = dueMs + (peer.lateMs?.(dueMs) ?? 0);
    // Sockets are read between timers; what arrives during a stall is read after the late timer.
    if (pongMs <= dueMs) {
      policy.heard(pongMs);
      pongMs = Number.POSITIVE_INFINITY;
    }
    const blocked = nowMs >= (peer.blockedFromMs ?? Number.POSITIVE_INFINITY);
    const { act, delayMs } = policy.look(nowMs, blocked);
    if (act === "silent" || act === "blocked") return { endMs: nowMs, why: act, pingsMs };
    if (act === "ping") {
      pingsMs.push(nowMs);
      pongMs = nowMs + peer.roundTripMs;
    }
    dueMs = nowMs + delayMs;
  }
  return { pingsMs };
}

for (const roundTripMs of [0, 60, 300, 1_000, 4_500]) {
  test(`an idle link with a round trip of ${roundTripMs} ms never falls`, (t) => {
    const { endMs, pingsMs } = idle({ roundTripMs }, 3_600_000);
    t.is(endMs, undefined);
    t.true(pingsMs.length > 180);
  });
}

test("a silent peer is pinged after 15 s and gone after 20", (t) => {
  const end = idle({ roundTripMs: Number.POSITIVE_INFINITY }, 60_000);
  t.deepEqual(end, { endMs: 20_000, why: "silent", pingsMs: [15_000] });
});

test("whatever came between, a ping goes out after 15 s without a byte", (t) => {
  for (let heardMs = 0; heardMs < 15_000; heardMs += 100) {
    const policy = new KeepAlive(liveness, 0);
    let heard = false;
    for (let dueMs = policy.begin(0); ;) {
      if (!heard && heardMs <= dueMs) {
        policy.heard(heardMs);
        heard = true;
      }
      const { act, delayMs } = policy.look(dueMs, false);
      if (act === "ping") {
        t.is(dueMs, heardMs + 15_000);
        break;
      }
      dueMs += delayMs;
    }
  }
});

function survives(t: ExecutionContext, stallMs: number, atMs: number): void {
  const lateMs = (dueMs: number): number => (dueMs >= atMs && dueMs < atMs + 5_000 ? stallMs : 0);
  const { endMs } = idle({ roundTripMs: 300, lateMs }, 600_000);
  t.is(endMs, undefined, `a stall of ${stallMs} ms at ${atMs}`);
}

test("no stall of our own, however long and whenever, ends a peer that answers", (t) => {
  for (const stallMs of [30, 400, 4_500, 18_000, 3_600_000]) {
    for (let atMs = 0; atMs < 40_000; atMs += 500) survives(t, stallMs, atMs);
  }
});

test("a peer that died during our stall is gone a whole wait after it", (t) => {
  const lateMs = (dueMs: number): number => (dueMs === 20_000 ? 60_000 : 0);
  const end = idle({ roundTripMs: Number.POSITIVE_INFINITY, lateMs }, 600_000);
  t.deepEqual(end, { endMs: 100_000, why: "silent", pingsMs: [15_000, 95_000] });
});

test("a peer that takes no byte for 20 s is gone, and a stall of ours gives it as long again", (t) => {
  const peer = { roundTripMs: 60, blockedFromMs: 0 };
  t.like(idle(peer, 600_000), { endMs: 20_000, why: "blocked" });
  const lateMs = (dueMs: number): number => (dueMs === 20_000 ? 5_000 : 0);
  t.like(idle({ ...peer, lateMs }, 600_000), { endMs: 45_000, why: "blocked" });
});
