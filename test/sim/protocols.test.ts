import test from "ava";
import type { ServiceProtocol } from "../../src/index.js";
import { createWorld, simulate } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const WITHIN_MS = 60_000;

/** Greets whoever comes, and is told its name. */
function greeting(name: string, heard: string[]): ServiceProtocol {
  return {
    name: "greeting/1",
    kinds: {
      Greet: { bytesMax: 100, perSecond: 10 },
      AskName: { bytesMax: 1, answerBytesMax: 100, perSecond: 10 },
    },
    onMessage({ kind, body }) {
      if (kind === "AskName") return Buffer.from(name);
      heard.push(`${name} hears ${Buffer.from(body).toString()}`);
      return undefined;
    },
    async onPeer(peerId, link) {
      const answer = await link.ask(peerId, "AskName", Buffer.from("?"));
      if (!answer.ok) return;
      const greeted = Buffer.from(answer.body).toString();
      link.send(peerId, "Greet", Buffer.from(`${greeted} from ${name}`));
    },
  };
}

test("services bring their protocols to nodes of a world, some to some of them", async (t) => {
  const heard: string[] = [];
  const seed = SEED_ASKED ?? "protocols";
  const world = createWorld({
    seed,
    replay: replayOf("protocols", seed),
    nodes: 3,
    protocols: (name) => (name === "n2" ? [] : [greeting(name, heard)]),
  });
  t.true(await world.runUntil(() => heard.length >= 2, WITHIN_MS));
  t.deepEqual(heard.sort(), ["n0 hears n0 from n1", "n1 hears n1 from n0"]);
  t.true(world.node("n0").actorTypes.includes("protocol"));
  t.false(world.node("n2").actorTypes.includes("protocol"));
  t.throws(() => world.node("n2").network.protocol("greeting/1"));
});

test("a service speaks again after a crash of its handler, and after one of its node", async (t) => {
  const heard: string[] = [];
  const seed = SEED_ASKED ?? "protocols crash";
  const world = createWorld({
    seed,
    replay: replayOf("protocols", seed),
    nodes: 2,
    protocols: (name) => [greeting(name, heard)],
  });
  t.true(await world.runUntil(() => heard.length === 2, WITHIN_MS));
  const [n0, n1] = [world.node("n0"), world.node("n1")];
  n0.crashActor("protocol", 0);
  const answer = await world.settled(
    n1.network.protocol("greeting/1").ask(n0.peerId, "AskName", Buffer.from("?")),
  );
  t.false(answer.ok, "the message that it crashed at is lost, and its asker hears of it");
  await world.runFor(1_000);
  const again = await world.settled(
    n1.network.protocol("greeting/1").ask(n0.peerId, "AskName", Buffer.from("?")),
  );
  t.deepEqual(again.ok && Buffer.from(again.body).toString(), "n0");
  heard.length = 0;
  world.crash("n1");
  world.restart("n1");
  const both = (): boolean => new Set(heard).size === 2;
  t.true(await world.runUntil(both, WITHIN_MS));
});

test("a simulation of a service: its protocol among faults of all kinds", async (t) => {
  const heard: string[] = [];
  const verdict = await simulate({
    seed: SEED_ASKED ?? "service",
    nodes: 4,
    faults: "wild",
    durationMs: 30_000,
    protocols: (name) => [greeting(name, heard)],
  });
  t.deepEqual(verdict.violations, []);
  t.true(heard.length > 10);
});
