import test from "ava";
import type { HeaderSummary } from "../../src/types/chain.js";
import type { ChainPoint, NetworkEventOf } from "../../src/actors/events/event-types.js";
import type { BookBlock } from "../../src/sim/block-book.js";
import { EventAuditor } from "../../src/sim/event-auditor.js";

/** Blocks a0, a1, … on one branch, b2, b3, … on another that begins on a1. */
const block = (hash: string): BookBlock => {
  const height = Number(hash.slice(1));
  const previousHash = `${hash === "b2" ? "a" : hash[0]}${height - 1}`;
  return { header: { hash, height, previousHash } as HeaderSummary } as BookBlock;
};

function auditor() {
  const wrong: string[] = [];
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs };
  const events = new EventAuditor({
    clock,
    book: { get: block },
    head: "a0",
    report: (what) => wrong.push(what),
  });
  const joined = (hash: string): void =>
    events.see({
      type: "BlockConnected",
      hash,
      height: Number(hash.slice(1)),
      transactionCount: 0,
    });
  const left = (hash: string): void =>
    events.see({ type: "BlockDisconnected", hash, height: Number(hash.slice(1)) });
  const point = (hash: string): ChainPoint => ({ hash, height: Number(hash.slice(1)) });
  /** From the last of `gone` over the fork to the last of `come`; with what differs. */
  const moved = (
    gone: readonly string[],
    fork: string,
    come: readonly string[],
    other: Partial<NetworkEventOf<"ChainReorganised">> = {},
  ): void =>
    events.see({
      type: "ChainReorganised",
      from: point(gone[0]!),
      to: point(come.at(-1)!),
      fork: point(fork),
      disconnected: gone.map(point),
      connected: come.map(point),
      disconnectedCount: gone.length,
      connectedCount: come.length,
      ...other,
    });
  return { events, clock, wrong, joined, left, moved };
}

const peer = { peerId: "p", address: "", direction: "inbound", agent: "", nodeId: "" } as const;
const left = { type: "PeerDisconnected", peerId: "p", detail: "", byPeer: false } as const;
const progress = {
  type: "SyncProgressed",
  height: 1,
  targetHeight: 2,
  transactionCount: 0,
} as const;
const start = { type: "SyncStarted", strategy: "full", fromHeight: 0, peerId: "p" } as const;
const finish = { type: "SyncFinished", height: 1, headHash: "a1" } as const;

test("a chain that grows and a reorganisation can be followed", (t) => {
  const { wrong, joined, left, moved } = auditor();
  for (const hash of ["a1", "a2", "a3"]) joined(hash);
  moved(["a3", "a2"], "a1", ["b2", "b3", "b4"]);
  for (const hash of ["a3", "a2"]) left(hash);
  for (const hash of ["b2", "b3", "b4"]) joined(hash);
  t.deepEqual(wrong, []);
});

test("a gap, a block that joins before the others left, and one that left out of order are told", (t) => {
  for (const play of [
    ({ joined }) => joined("a2"),
    ({ joined }) => ["a1", "a2", "b2"].forEach(joined),
    ({ joined, left, moved }) => {
      ["a1", "a2", "a3"].forEach(joined);
      moved(["a3", "a2"], "a1", ["b2", "b3", "b4"]);
      left("a2");
    },
  ] as ((own: ReturnType<typeof auditor>) => void)[]) {
    const own = auditor();
    play(own);
    t.is(own.wrong.length, 1);
  }
});

test("a sync starts before it goes on or ends, and once at a time", (t) => {
  const { events, wrong } = auditor();
  for (const event of [start, progress, finish, start, finish]) events.see(event);
  t.deepEqual(wrong, []);
  for (const event of [progress, finish, start, start]) events.see(event);
  t.is(wrong.length, 3);
});

test("a peer comes before it goes, and goes before it comes again", (t) => {
  const { events, wrong } = auditor();
  const came = { type: "PeerConnected", ...peer } as const;
  const went = { ...left, reason: "Closed" } as const;
  for (const event of [came, went, came, went]) events.see(event);
  t.deepEqual(wrong, []);
  for (const event of [went, came, came]) events.see(event);
  t.is(wrong.length, 2);
});

test("a peer whose connection gave way to another one is gone unless that one is ready soon", (t) => {
  const { events, clock } = auditor();
  const came = { type: "PeerConnected", ...peer } as const;
  const replaced = { ...left, reason: "DuplicateConnection" } as const;
  for (const event of [came, replaced]) events.see(event);
  clock.nowMs += 5_000;
  t.is(events.peersGone, 0);
  for (const event of [came, replaced]) events.see(event);
  clock.nowMs += 7_000;
  t.is(events.peersGone, 1);
  events.see(came);
  t.is(events.peersGone, 1);
  events.see({ ...replaced, reason: "Timeout" });
  t.is(events.peersGone, 2);
});

test("a path that does not join up, and blocks that leave or join beside it, are told", (t) => {
  for (const play of [
    ({ left }) => left("a3"),
    ({ moved }) => moved(["a3"], "a1", ["b2", "b3"]),
    ({ moved }) => moved(["a3", "a2"], "a1", ["b2", "b4"]),
    ({ moved }) => moved(["a3", "a2"], "a1", ["b2", "b3"], { connectedCount: 3 }),
    ({ moved }) => moved(["a2"], "a1", ["b2"]),
    ({ moved }) => moved(["a3", "a2"], "a1", ["b2", "b3"], { to: { hash: "b4", height: 4 } }),
    ({ moved, left, joined }) => {
      moved(["a3", "a2"], "a1", ["b2", "b3", "b4"]);
      left("a3");
      left("a2");
      joined("b2");
      moved(["b2"], "a1", ["a2", "a3"]);
    },
  ] as ((own: ReturnType<typeof auditor>) => void)[]) {
    const own = auditor();
    ["a1", "a2", "a3"].forEach(own.joined);
    play(own);
    t.is(own.wrong.length, 1, play.toString());
  }
});
