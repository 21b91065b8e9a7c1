import test from "ava";
import { resolveConfig, type NetworkConfigInput } from "../../../src/config.js";
import { GroupStandings } from "../../../src/actors/peer/group-standings.js";
import type { Slot } from "../../../src/actors/peer/peer-manager.js";
import { peerIdOf } from "../support.js";

const HOST = "203.0.113.7";
const NEIGHBOUR = "203.0.113.200";
const REST_MS = 30_000;

const slot = (number: number, host = HOST): Slot => ({
  peerId: peerIdOf(number),
  direction: "inbound",
  remote: { host },
});

function standings(config: NetworkConfigInput = {}): GroupStandings {
  return new GroupStandings(resolveConfig(config));
}

test("one offender is no matter of its group, two of a ban's worth are", (t) => {
  const groups = standings();
  for (let i = 0; i < 5; i++) groups.charge(HOST, peerIdOf(1), 100, 0);
  t.is(groups.refusal(slot(3), [], 0), undefined);
  t.true(groups.isSuspect(NEIGHBOUR, 0));
  groups.charge(NEIGHBOUR, peerIdOf(2), 50, 0);
  t.truthy(groups.refusal(slot(3), [], 0));
  t.is(groups.refusal(slot(3, "203.0.114.7"), [], 0), undefined);
  t.false(groups.isSuspect("203.0.114.7", 0));
});

test("small offences of many are a ban's worth together", (t) => {
  const groups = standings();
  for (let i = 0; i < 9; i++) groups.charge(HOST, peerIdOf(i), 10, 0);
  t.is(groups.refusal(slot(99), [], 0), undefined);
  groups.charge(HOST, peerIdOf(9), 10, 0);
  t.truthy(groups.refusal(slot(99), [], 0));
});

test("a group rests, then has one slot, then as many as any", (t) => {
  const groups = standings();
  groups.charge(HOST, peerIdOf(1), 50, 0);
  groups.charge(HOST, peerIdOf(2), 50, 0);
  const here = [slot(7, NEIGHBOUR), slot(8, "198.51.100.1")];
  t.truthy(groups.refusal(slot(3), [], REST_MS - 1));
  t.is(groups.refusal(slot(3), here.slice(1), REST_MS), undefined);
  t.truthy(groups.refusal(slot(3), here, REST_MS), "its neighbour has the one");
  const outbound = { ...slot(7, NEIGHBOUR), direction: "outbound" } as const;
  t.is(groups.refusal(slot(3), [outbound], REST_MS), undefined, "whom this node dialed counts not");
  t.is(groups.refusal(slot(3), here, 4 * REST_MS), undefined);
});

test("what a group did is forgotten once one of it is pardoned, and counts anew from then on", (t) => {
  const groups = standings();
  t.false(groups.pardon(HOST, 0), "nothing was held against it");
  groups.charge(HOST, peerIdOf(1), 100, 0);
  t.false(groups.pardon(HOST, 0), "that of one kept nobody out");
  for (const number of [1, 2]) groups.charge(HOST, peerIdOf(number), 100, 0);
  t.true(groups.pardon(NEIGHBOUR, 0));
  t.is(groups.refusal(slot(3), [], 0), undefined);
  t.false(groups.isSuspect(HOST, 0));
  for (const number of [1, 2]) groups.charge(HOST, peerIdOf(number), 100, 0);
  t.truthy(groups.refusal(slot(3), [], 0));
});

test("it rests twice as long for each further ban's worth, up to a bound, and is forgiven", (t) => {
  const groups = standings();
  const restMs = () => groups.standingAt(HOST, 0)!.restsForMs;
  groups.charge(HOST, peerIdOf(1), 100, 0);
  groups.charge(HOST, peerIdOf(2), 100, 0);
  t.is(restMs(), 2 * REST_MS);
  groups.charge(HOST, peerIdOf(3), 100, 0);
  t.is(restMs(), 4 * REST_MS);
  for (let i = 4; i < 50; i++) groups.charge(HOST, peerIdOf(i), 100, 0);
  t.is(restMs(), 600_000);
  const laterMs = 4 * 600_000 + 12 * 600_000;
  t.false(groups.isSuspect(HOST, laterMs));
  groups.charge(HOST, peerIdOf(99), 100, laterMs);
  t.is(groups.standingAt(HOST, laterMs)!.offenders, 1, "what was long ago is forgotten");
  groups.invariants();
});

test("local addresses answer for nobody where they are exempt", (t) => {
  for (const exemptLocal of [true, false]) {
    const groups = standings({ inbound: { exemptLocal } });
    groups.charge("10.0.0.1", peerIdOf(1), 100, 0);
    groups.charge("10.0.0.2", peerIdOf(2), 100, 0);
    t.is(groups.refusal(slot(3, "10.0.0.3"), [], 0) === undefined, exemptLocal);
    t.is(groups.standingAt("10.0.0.3", 0) === undefined, exemptLocal);
  }
});

test("the table of groups is bounded: those that did least are forgotten", (t) => {
  const groups = standings({ reputation: { groupsTrackedMax: 4 } });
  groups.charge(HOST, peerIdOf(1), 100, 0);
  groups.charge(HOST, peerIdOf(2), 100, 0);
  for (let i = 0; i < 100; i++) {
    groups.charge(`198.51.${i}.1`, peerIdOf(3), 10, 0);
    groups.invariants();
  }
  t.truthy(groups.refusal(slot(4), [], 0));
});
