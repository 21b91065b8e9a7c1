import test from "ava";
import {
  becameReady,
  beganClosing,
  connected,
  wasReady,
  type PeerState,
} from "../../../src/actors/peer/peer-state.js";
import { handshakeOf } from "../remote-peer.js";

const info = handshakeOf();

test("a connection is handshaking, then ready, then closing", (t) => {
  const handshaking = connected(1);
  t.deepEqual(handshaking, { phase: "handshaking", sinceMs: 1 });
  t.false(wasReady(handshaking));
  const ready = becameReady(handshaking, info, 2)!;
  t.deepEqual(ready, { phase: "ready", sinceMs: 2, info });
  t.true(wasReady(ready));
  const closing = beganClosing(ready, 3)!;
  t.deepEqual(closing, { phase: "closing", sinceMs: 3, wasReady: true });
  t.true(wasReady(closing));
});

test("a connection that closes before it was ready never was", (t) => {
  const closing = beganClosing(connected(1), 2)!;
  t.false(wasReady(closing));
});

test("news that the state does not allow is stale", (t) => {
  const ready = becameReady(connected(1), info, 2)!;
  const closing: PeerState = beganClosing(ready, 3)!;
  t.is(becameReady(ready, info, 4), undefined);
  t.is(becameReady(closing, info, 4), undefined);
  t.is(beganClosing(closing, 4), undefined);
});
