import test from "ava";
import type { ActorRef, OnFault, Signal } from "../../src/runtime/actor.js";
import type { Script, ScriptContext } from "./harness.js";
import { always, crash, createHarness, scripted } from "./harness.js";
import { RestartHistory } from "../../src/runtime/supervision.js";
import { seededRandom } from "../../src/runtime/random.js";

/**
 *     top ── left ── leaf
 *         └─ right
 * each with its own log.
 */
function createTree(policies: { top?: OnFault; left?: OnFault; leaf?: OnFault } = {}) {
  const harness = createHarness();
  const logs: Record<string, unknown[]> = { top: [], left: [], right: [], leaf: [] };
  const refs = {} as Record<string, ActorRef<Script>>;
  const log = (name: string): unknown[] => logs[name] as unknown[];
  const grow = (name: string, children: readonly string[], policy: OnFault) => ({
    type: scripted(policy),
    args: {
      log: log(name),
      onInit: (context: Parameters<Script>[0]): void => {
        log(name).push("init");
        for (const child of children) {
          const { type, args } = plan[child] as ReturnType<typeof grow>;
          refs[child] = context.spawn(type, args, { name: child });
        }
      },
    },
  });
  const plan: Record<string, ReturnType<typeof grow>> = {
    leaf: grow("leaf", [], policies.leaf ?? { kind: "stop" }),
    right: grow("right", [], { kind: "stop" }),
    left: grow("left", ["leaf"], policies.left ?? { kind: "stop" }),
    top: grow("top", ["left", "right"], policies.top ?? { kind: "stop" }),
  };
  const { type, args } = plan["top"] as ReturnType<typeof grow>;
  refs["top"] = harness.system.spawn(type, args, { name: "top" });
  harness.settle();
  const ref = (name: string): ActorRef<Script> => refs[name] as ActorRef<Script>;
  const alive = (): string[] => harness.system.figures().map(({ path }) => path.slice(10));
  return { ...harness, logs, ref, log, alive };
}

test("an actor that faults under `stop` takes its subtree and nothing else", (t) => {
  const { ref, log, settle, alive, faults } = createTree();
  ref("left").tell(crash);
  settle();
  t.deepEqual(alive(), ["", "right"]);
  t.deepEqual(log("leaf"), ["init", { type: "stopping", restarting: false }]);
  t.deepEqual(log("right"), ["init"]);
  const [, signal] = log("top") as [string, Signal];
  t.like(signal, { type: "childStopped", path: "/test/top/left" });
  t.true(signal.type === "childStopped" && signal.error instanceof Error);
  t.deepEqual(
    faults.map(({ path, action }) => [path, action]),
    [["/test/top/left", "stopped"]],
  );
  t.true(ref("right").tell(() => {}));
});

test("a restart makes fresh children and state after the backoff; the mailbox survives", (t) => {
  const { ref, log, settle, advance, figures, alive } = createTree({ left: always });
  ref("left").tell(crash);
  ref("left").tell((_, own) => own.push("kept"));
  settle();
  t.deepEqual(alive(), ["", "left", "right"]);
  t.true(
    ref("left").tell((_, own) => own.push("told while down")),
    "it takes messages while it waits",
  );
  advance(49);
  t.false(log("left").includes("kept"));
  advance(51);
  t.deepEqual(log("left"), [
    "init",
    { type: "stopping", restarting: true },
    "init",
    "kept",
    "told while down",
  ]);
  t.deepEqual(log("leaf"), ["init", { type: "stopping", restarting: false }, "init"]);
  t.deepEqual(log("top"), ["init"], "the parent is not told of a restart");
  t.like(figures("/test/top/left"), { restarts: 1, faults: 1, handled: 2 });
  t.is(figures("/test/top/left")?.lost.crashed, 1);
});

test("too many restarts stop the actor", (t) => {
  const { ref, log, settle, advance, faults } = createTree({ left: always });
  for (let round = 0; round < 4; round++) {
    ref("left").tell(crash);
    settle();
    advance(1_000);
  }
  t.deepEqual(
    faults.map(({ action }) => action),
    ["restarting", "restarting", "restarting", "stopped"],
  );
  t.like(log("top").at(-1), { type: "childStopped", path: "/test/top/left" });
  t.false(ref("left").tell(() => {}));
});

test("an escalated fault is its parent's fault, and so on up", (t) => {
  const escalate: OnFault = { kind: "escalate" };
  const { ref, log, settle, advance, faults, alive } = createTree({
    top: always,
    left: escalate,
    leaf: escalate,
  });
  ref("leaf").tell(crash);
  settle();
  t.deepEqual(
    faults.map(({ path, action }) => [path, action]),
    [
      ["/test/top/left/leaf", "escalated"],
      ["/test/top/left", "escalated"],
      ["/test/top", "restarting"],
    ],
  );
  t.deepEqual(log("right"), ["init", { type: "stopping", restarting: false }]);
  advance(1_000);
  t.deepEqual(alive(), ["", "left", "right", "left/leaf"]);
});

test("a top-level actor that escalates is stopped and reported as unhandled", (t) => {
  const { ref, settle, faults, alive } = createTree({ top: { kind: "escalate" } });
  ref("top").tell(crash);
  settle();
  t.deepEqual(alive(), []);
  t.deepEqual(
    faults.map(({ action }) => action),
    ["escalated", "unhandled"],
  );
});

test("killing any one actor of the tree leaves the others as they were", (t) => {
  for (const victim of ["top", "left", "right", "leaf"]) {
    const { ref, settle, alive } = createTree();
    const before = alive();
    ref(victim).tell(crash);
    settle();
    const path = victim === "top" ? "" : victim === "leaf" ? "left/leaf" : victim;
    const below = (name: string): boolean => name === path || name.startsWith(`${path}/`);
    t.deepEqual(alive(), victim === "top" ? [] : before.filter((name) => !below(name)), victim);
  }
});

test("an init that throws is a fault, and the children it had spawned go", (t) => {
  const { system, settle, advance, faults } = createHarness();
  let attempts = 0;
  const childLog: unknown[] = [];
  const onInit = (context: Parameters<Script>[0]): void => {
    context.spawn(scripted(), { log: childLog }, { name: "child" });
    if (++attempts < 3) crash();
  };
  const log: unknown[] = [];
  system.spawn(scripted(always), { log, onInit }, { name: "a" });
  settle();
  advance(5_000);
  t.is(attempts, 3);
  t.is(faults.length, 2);
  t.deepEqual(log, [], "there was no state to release");
  t.is(system.figures().length, 2);
});

test("a full control lane is a fault of the receiver; the control messages stay", (t) => {
  const { system, settle, advance, faults, figures } = createHarness();
  const log: unknown[] = [];
  const control = { dataMax: 4, controlMax: 2, overflow: "reject", isControl: () => true } as const;
  const ref = system.spawn(scripted(always, control), { log }, { name: "a" });
  settle();
  t.true(ref.tell(() => log.push(1)));
  t.true(ref.tell(() => log.push(2)));
  t.false(ref.tell(() => log.push(3)));
  settle();
  t.is(faults.length, 1);
  t.regex(String(faults[0]?.error), /control lane/);
  advance(1_000);
  t.deepEqual(log.slice(1), [1, 2]);
  t.is(figures("/test/a")?.lost.crashed, 0);
});

test("what an incarnation owns is released once when it ends, by a stop, a crash or its parent", (t) => {
  const { system, settle, advance } = createHarness();
  const released: string[] = [];
  const owning = (name: string) => ({
    log: [],
    onInit: (context: ScriptContext): void => {
      const held = { release: () => void released.push(name) };
      t.is(context.owns(held), held);
    },
  });
  const restarting = system.spawn(scripted(always), owning("restarting"), { name: "a" });
  restarting.tell((context) => {
    context.owns({ release: () => void released.push("in hand") });
    crash();
  });
  settle();
  t.deepEqual(released.splice(0), ["restarting", "in hand"]);
  advance(1_000);
  restarting.tell((context) => context.stop());
  settle();
  t.deepEqual(released.splice(0), ["restarting"]);

  const parent = system.spawn(
    scripted({ kind: "stop" }),
    {
      log: [],
      onInit: (context) => void context.spawn(scripted(), owning("child"), { name: "c" }),
    },
    { name: "b" },
  );
  settle();
  parent.tell(crash);
  settle();
  t.deepEqual(released.splice(0), ["child"]);
  system.spawn(scripted(), owning("killed"), { name: "d" });
  settle();
  system.kill();
  t.deepEqual(released, ["killed"]);
});

test("a throw while stopping is reported and changes nothing", (t) => {
  const { system, settle, faults } = createHarness();
  const ref = system.spawn(scripted(), { log: [], onSignal: crash }, { name: "a" });
  ref.tell((context) => context.stop());
  settle();
  t.deepEqual(
    faults.map(({ action }) => action),
    ["ignored"],
  );
  t.deepEqual(system.figures(), []);
});

test("the backoff doubles, is capped, keeps its jitter in the upper half and forgets", (t) => {
  const policy = {
    kind: "restart",
    restartsMax: 5,
    withinMs: 10_000,
    backoffMinMs: 100,
    backoffMaxMs: 500,
  } as const;
  const random = seededRandom("jitter");
  for (let run = 0; run < 50; run++) {
    const history = new RestartHistory();
    for (const fullMs of [100, 200, 400, 500, 500]) {
      const delayMs = history.next(policy, 0, random) as number;
      t.true(delayMs >= fullMs / 2 && delayMs <= fullMs, `${delayMs} of ${fullMs}`);
    }
    t.is(history.next(policy, 9_999, random), undefined);
    t.true((history.next(policy, 10_000, random) as number) <= 100);
  }
});
