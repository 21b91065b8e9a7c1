import test from "ava";
import { SyncPause } from "../../../src/actors/integration/sync-pause.js";

test("it lasts while a sync brings blocks, and five seconds after the last one", (t) => {
  const pause = new SyncPause();
  t.is(pause.leftMs(0), 0);
  pause.started(1_000);
  t.is(pause.leftMs(2_000), 4_000);
  pause.progressed(5_000);
  t.is(pause.leftMs(6_000), 4_000);
  t.is(pause.leftMs(10_000), 0);
  pause.ended(true);
  pause.started(20_000);
  t.is(pause.leftMs(20_000), 5_000);
});

test("syncs that begin one after another and bring nothing are one", (t) => {
  const pause = new SyncPause();
  for (let nowMs = 0; nowMs < 5_000; nowMs += 1_000) {
    pause.started(nowMs);
    t.is(pause.leftMs(nowMs), 5_000 - nowMs);
    pause.ended(false);
    t.is(pause.leftMs(nowMs), 0);
  }
  pause.started(5_000);
  t.is(pause.leftMs(5_000), 0);
  pause.progressed(6_000);
  t.is(pause.leftMs(6_000), 5_000, "this one does");
});
