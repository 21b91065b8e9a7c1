// What an operator asks of a node whose actors crash meanwhile: it is done, or they hear that it is not.

import test from "ava";
import { isCoded } from "../../src/errors.js";
import { createWorld, type World } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

function worldOf(own: string): World {
  const seed = SEED_ASKED ?? own;
  return createWorld({ seed, replay: replayOf("operator", seed), nodes: 3, producers: 1 });
}

const peerId = "ab".repeat(32);

test("an unban is not lost without a word when an actor crashes with it in hand", async (t) => {
  const outcomes = new Map<string, number>();
  for (const type of ["network", "registry", "reputation"]) {
    for (let skip = 0; skip < 4; skip++) {
      const world = worldOf(`${type} ${skip}`);
      await world.runFor(10_000);
      const node = world.node("n0");
      t.like(await world.settled(node.network.banPeer(peerId)), { by: "operator" });
      const disarm = node.crashActor(type, skip);
      const outcome = await world.settled(
        node.network.unbanPeer(peerId).then(
          (was) => (was ? "done" : "was not banned"),
          (error: unknown) => (isCoded(error) ? error.code : "no code"),
        ),
      );
      disarm();
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      t.true(await world.runUntil(() => node.up && node.healthy, 60_000));
      if (outcome !== "done") {
        t.true(["CRASHED", "STOPPED", "TIMEOUT", "QUEUE_FULL"].includes(outcome), outcome);
        await world.settled(node.network.unbanPeer(peerId));
      }
      t.deepEqual(await world.settled(node.network.bans()), [], `${type} ${skip}: ${outcome}`);
    }
  }
  t.log([...outcomes]);
  t.true(outcomes.has("CRASHED"), "some crash was met");
});

test("a peer that was sent away comes back when its time is over, and not before", async (t) => {
  const world = worldOf("away");
  await world.runFor(10_000);
  const [node, peer] = [world.node("n0"), world.node("n1")];
  const { peerId } = peer.network;
  const isThere = async (): Promise<boolean> =>
    (await world.settled(node.network.peers())).some((one) => one.peerId === peerId);
  t.true(await isThere());
  await world.settled(node.network.disconnectPeer(peerId, { awayMs: 120_000 }));
  for (let at = 0; at < 11; at++) {
    await world.runFor(10_000);
    t.false(await isThere(), `after ${10 * (at + 1)} s`);
  }
  await world.runFor(60_000);
  t.true(await isThere());
});
