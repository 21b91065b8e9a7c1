import test from "ava";
import type { BanRecord, PeerRecord, PeerStore } from "../../src/ports.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import { BanAuditor } from "../../src/sim/ban-auditor.js";

const came = {
  type: "PeerConnected",
  peerId: "p",
  address: "",
  direction: "inbound",
  agent: "",
  nodeId: "",
} as const;

function auditor() {
  const clock = new VirtualClock();
  const wrong: string[] = [];
  const bans = new BanAuditor(clock, (what) => wrong.push(what));
  const ban: BanRecord = { peerId: "p", untilWallMs: 60_000, reason: "", count: 1 };
  const record: PeerRecord = { peerId: "p", ban };
  const storeOf = (...kept: PeerRecord[]): PeerStore => ({
    records: () => kept,
    put: () => Promise.resolve(),
    delete: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
  return { bans, ban, record, clock, storeOf, wrong };
}

test("a banned peer that comes back is told, unless its ban has ended", (t) => {
  const { bans, ban, clock, storeOf, wrong } = auditor();
  bans.watch(storeOf(), clock);
  bans.see({ type: "PeerBanned", ...ban });
  bans.see({ type: "PeerUnbanned", peerId: "p" });
  bans.see(came);
  t.deepEqual(wrong, []);
  bans.see({ type: "PeerBanned", ...ban });
  bans.see(came);
  t.deepEqual(wrong, ["peer p came in spite of its ban"]);
});

test("a stored ban is in force at the next start, and one that is durable survives a crash", async (t) => {
  const { bans, record, clock, storeOf, wrong } = auditor();
  await bans.watch(storeOf(), clock).put(record);
  bans.crashed(storeOf(record));
  bans.watch(storeOf(record), clock);
  t.deepEqual(wrong, []);
  bans.see(came);
  bans.crashed(storeOf());
  t.is(wrong.length, 2);
  t.regex(wrong[1]!, /durable/);
  clock.advanceBy(60_000);
  bans.crashed(storeOf());
  t.is(wrong.length, 2);
});

test("a ban that was taken back may be lost, whatever was under way when it was", async (t) => {
  const { bans, record, clock, storeOf, wrong } = auditor();
  const store = bans.watch(storeOf(), clock);
  const put = store.put(record);
  await store.put({ peerId: "p", endpoints: [] });
  await put;
  bans.crashed(storeOf());
  t.deepEqual(wrong, []);
});

test("a ban that goes on after its time is told once", (t) => {
  const { bans, ban, clock, storeOf, wrong } = auditor();
  bans.watch(storeOf(), clock);
  bans.see({ type: "PeerBanned", ...ban });
  clock.advanceBy(60_000);
  bans.check();
  t.deepEqual(wrong, []);
  clock.advanceBy(10_000);
  for (let i = 0; i < 2; i++) bans.check();
  t.deepEqual(wrong, ["the ban of peer p does not end"]);
});
