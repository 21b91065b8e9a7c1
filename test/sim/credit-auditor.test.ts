import test from "ava";
import { Dealt } from "../../src/actors/peer/dealt.js";
import { creditFault, linkFault, type LinkSide } from "../../src/sim/credit-auditor.js";
import { createWorld, startTraffic } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const NO_LEASES = { handedBytes: 0, dealt: () => undefined };

function peer(handedBytes: number, openServes: number, phase = "ready") {
  return {
    path: "/n0/peer-1",
    state: { leases: { handedBytes }, session: { phase, openServes } },
    questions: [
      new Dealt({ lane: "sync", bytes: 100, requestId: 7 }, NO_LEASES, 0),
      new Dealt({ lane: "block", bytes: 20, requestId: 0 }, NO_LEASES, 0),
      {},
    ],
  };
}

test("credit and places are out as far as questions hold them", (t) => {
  t.is(creditFault(peer(120, 1)), undefined);
  t.regex(creditFault(peer(121, 1))!, /handed on 121 bytes of credit, and 120 are out/);
  t.regex(creditFault(peer(120, 2))!, /serves 2 requests, and 1 are out/);
  t.is(creditFault(peer(500, 0, "closing")), undefined);
});

function side(
  path: string,
  [local, remote]: readonly [string, string],
  own: number,
  granted = 100,
) {
  const credit = () => ({ ownBytes: own, grantedBytes: granted });
  return { path, local, remote, credit } satisfies LinkSide;
}

test("no side may send more than the other lets it, and at rest no less", (t) => {
  const [a, b] = [["x", "y"] as const, ["y", "x"] as const];
  t.is(linkFault([side("p", a, 100), side("q", b, 100)], true), undefined);
  t.is(linkFault([side("p", a, 90), side("q", b, 100)], false), undefined);
  t.regex(linkFault([side("p", a, 90), side("q", b, 100)], true)!, /^p may send 90 .* send 100$/);
  t.regex(linkFault([side("p", a, 101), side("q", b, 100)], false)!, /^p may send 101/);
  t.is(linkFault([side("p", a, 1)], true), undefined);
});

test("in a world the sums hold at every moment, and links at rest agree", async (t) => {
  const seed = SEED_ASKED ?? "credit";
  const config = { producer: { emptyBlocks: false } };
  const replay = replayOf("credit-auditor", seed);
  const world = createWorld({ seed, replay, nodes: 3, producers: 2, config, checkEveryMs: 50 });
  const traffic = startTraffic(world, { perSecond: 20, dataBytes: 2_000 });
  await world.runFor(10_000);
  traffic.stop();
  const rests = (): boolean => world.nodes.every(({ unrest }) => unrest === undefined);
  t.true(await world.runUntil(rests, 60_000));
  await world.runFor(1_000);
  t.is(world.creditFaultAtRest(), undefined);
  t.deepEqual(world.violations, []);
});
