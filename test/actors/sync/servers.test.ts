import test from "ava";
import { Servers } from "../../../src/actors/sync/servers.js";
import { peerIdOf } from "../support.js";
import { HEADER_PEER, small } from "./plan-bench.js";

const [other] = [peerIdOf(2)];

test("who offers the chain is asked for much, others for one range until they deliver", (t) => {
  const servers = new Servers(HEADER_PEER, small);
  t.true(servers.mayAsk(HEADER_PEER, small.rangesPerPeerMax - 1, 0));
  t.false(servers.mayAsk(HEADER_PEER, small.rangesPerPeerMax, 0));
  t.true(servers.mayAsk(other, 0, 0));
  t.false(servers.mayAsk(other, 1, 0));
  const allowed: number[] = [];
  for (let round = 0; round < 5; round++) {
    servers.delivered(other);
    allowed.push([...Array(20).keys()].filter((asked) => servers.mayAsk(other, asked, 0)).length);
  }
  t.deepEqual(allowed, [2, 4, 8, 8, 8]);
});

test("who fails is left alone for a doubling time, and then asked for one range again", (t) => {
  const servers = new Servers(HEADER_PEER, small);
  let nowMs = 0;
  for (const waitMs of [1_000, 2_000, 4_000]) {
    servers.failed(HEADER_PEER, nowMs);
    t.false(servers.mayAsk(HEADER_PEER, 0, nowMs + waitMs - 1));
    nowMs += waitMs;
    t.true(servers.mayAsk(HEADER_PEER, 0, nowMs));
    t.false(servers.mayAsk(HEADER_PEER, 1, nowMs));
  }
  t.is(servers.failuresOf(HEADER_PEER), 3);
  servers.delivered(HEADER_PEER);
  t.is(servers.failuresOf(HEADER_PEER), 0);
  t.true(servers.mayAsk(HEADER_PEER, 1, nowMs));
});

test("where at the latest a peer is on another chain is known by the lowest refusal", (t) => {
  const servers = new Servers(HEADER_PEER, small);
  t.is(servers.elsewhereFrom(other), undefined);
  for (const height of [90, 40, 60]) servers.elsewhere(other, height);
  servers.delivered(other);
  t.is(servers.elsewhereFrom(other), 40);
});
