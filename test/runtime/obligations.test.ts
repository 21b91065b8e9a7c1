import test from "ava";
import type { ActorRef, AskOutcome, MailboxSpec, OnFault } from "../../src/runtime/actor.js";
import { defineActor, NO_DEADLINE } from "../../src/runtime/actor.js";
import { Question } from "../../src/runtime/question.js";
import type { Script, ScriptContext } from "./harness.js";
import { always, asking, crash, createHarness, scripted } from "./harness.js";

const roomy: MailboxSpec<Script> = { dataMax: 64, controlMax: 8, overflow: "reject" };

/** An asker whose outcomes are logged by name, and two who can hold its questions. */
function createTrio({ policy = always, mailbox = roomy, other = roomy } = {}) {
  const harness = createHarness();
  const { system, settle } = harness;
  const ends: string[] = [];
  const held: ActorRef<number>[] = [];
  const asker = system.spawn(scripted(always), { log: [] }, { name: "asker" });
  const first = system.spawn(scripted(policy, mailbox), { log: [] }, { name: "first" });
  const second = system.spawn(scripted(always, other), { log: [] }, { name: "second" });
  const named = (name: string) => (outcome: AskOutcome<number>) => () =>
    void ends.push(`${name} ${outcome.ok ? outcome.value : outcome.reason}`);
  /** `first` is asked, and does this with the question. */
  const ask = (
    name: string,
    handle: (replyTo: ActorRef<number>, context: ScriptContext) => void = (replyTo) =>
      void held.push(replyTo),
    timeoutMs = NO_DEADLINE,
  ): void => {
    asker.tell((context) =>
      context.ask<Script, number>(
        first,
        (replyTo) => asking(replyTo, (callee) => handle(replyTo, callee)),
        timeoutMs,
        named(name),
      ),
    );
    settle();
  };
  /** Tells the question on to `second`, which keeps it. */
  const pass = (replyTo: ActorRef<number>): void => {
    if (!second.tell(asking(replyTo, () => void held.push(replyTo)))) throw new Error("refused");
  };
  return { ...harness, asker, first, second, ends, held, ask, pass, named };
}

test("a crash settles at once what the actor held and what it crashed on", (t) => {
  const { ask, first, ends, settle } = createTrio();
  ask("a");
  ask("b");
  ask("c", crash);
  settle();
  t.deepEqual(ends, ["a crashed", "b crashed", "c crashed"]);
  t.true(first.tell(() => undefined));
});

test("a question that waits in the mailbox outlives the crash of its owner", (t) => {
  const { ask, first, ends, settle, advance } = createTrio();
  ask("held");
  first.tell(crash);
  ask("waits", (replyTo) => void replyTo.tell(1));
  settle();
  t.deepEqual(ends, ["held crashed"]);
  advance(1_000);
  t.deepEqual(ends, ["held crashed", "waits 1"]);
});

test("a crash outside of any message settles what was held", (t) => {
  const { ask, first, ends, settle, advance } = createTrio();
  ask("a");
  first.tell((context) => context.startTimer("crash", 10, crash));
  settle();
  advance(10);
  t.deepEqual(ends, ["a crashed"]);
});

for (const policy of [{ kind: "stop" }, { kind: "escalate" }] satisfies OnFault[]) {
  test(`a fault under ${policy.kind} settles what was held as crashed, what waits as stopped`, (t) => {
    const { ask, first, ends, settle } = createTrio({ policy });
    ask("a");
    first.tell(crash);
    ask("b");
    settle();
    t.deepEqual(ends.toSorted(), ["a crashed", "b stopped"]);
  });
}

test("an actor that stops may answer what it holds; the rest is settled as stopped", (t) => {
  const { system, settle, asker, ends, named } = createTrio();
  const held: ActorRef<number>[] = [];
  const onSignal = (): void => void held[0]?.tell(7);
  const polite = system.spawn(scripted(), { log: [], onSignal }, { name: "polite" });
  asker.tell((context) => {
    for (const name of ["a", "b"]) {
      const question = (replyTo: ActorRef<number>): Script =>
        asking(replyTo, () => void held.push(replyTo));
      context.ask<Script, number>(polite, question, NO_DEADLINE, named(name));
    }
  });
  settle();
  polite.tell((context) => context.stop());
  settle();
  t.deepEqual(ends, ["a 7", "b stopped"]);
});

test("a mailbox that drops its oldest message settles the question in it", (t) => {
  const mailbox = { dataMax: 2, controlMax: 1, overflow: "dropOldest" } as const;
  const { asker, first, ends, settle, named } = createTrio({ mailbox });
  settle();
  asker.tell((context) => {
    for (const name of ["a", "b", "c"]) {
      const question = (replyTo: ActorRef<number>): Script =>
        asking(replyTo, () => void replyTo.tell(1));
      context.ask<Script, number>(first, question, NO_DEADLINE, named(name));
    }
  });
  settle();
  t.deepEqual(ends.toSorted(), ["a dropped", "b 1", "c 1"]);
});

test("a mailbox that drops its newest message settles the question in it", (t) => {
  const mailbox = { dataMax: 2, controlMax: 1, overflow: "dropNewest" } as const;
  const { asker, first, ends, settle, named } = createTrio({ mailbox });
  settle();
  asker.tell((context) => {
    for (const name of ["a", "b", "c"]) {
      const question = (replyTo: ActorRef<number>): Script =>
        asking(replyTo, () => void replyTo.tell(1));
      context.ask<Script, number>(first, question, NO_DEADLINE, named(name));
    }
  });
  settle();
  t.deepEqual(ends.toSorted(), ["a 1", "b 1", "c dropped"]);
});

test("a question that is told on is the next owner's: the first one may crash", (t) => {
  const { ask, pass, first, held, ends, settle } = createTrio();
  ask("a", pass);
  first.tell(crash);
  settle();
  t.deepEqual(ends, []);
  held[0]?.tell(3);
  settle();
  t.deepEqual(ends, ["a 3"]);
});

test("a question that was told on is lost with its second owner", (t) => {
  const { ask, pass, second, ends, settle } = createTrio();
  ask("a", pass);
  second.tell(crash);
  settle();
  t.deepEqual(ends, ["a crashed"]);
});

test("a question told on in the turn that crashes stays with the one who took it", (t) => {
  const { ask, pass, held, ends, settle } = createTrio();
  ask("a", (replyTo) => {
    pass(replyTo);
    crash();
  });
  settle();
  t.deepEqual(ends, []);
  held[0]?.tell(5);
  settle();
  t.deepEqual(ends, ["a 5"]);
});

test("a question that the next one refused stays with the one who told it", (t) => {
  const other: MailboxSpec<Script> = { dataMax: 1, controlMax: 1, overflow: "reject" };
  const { ask, first, second, ends, settle } = createTrio({ other });
  const refusals: boolean[] = [];
  ask("a", (replyTo) => {
    second.tell(() => undefined);
    refusals.push(second.tell(asking(replyTo)));
  });
  t.deepEqual(refusals, [false]);
  second.tell(crash);
  settle();
  t.deepEqual(ends, []);
  first.tell(crash);
  settle();
  t.deepEqual(ends, ["a crashed"]);
});

test("a question that is forwarded ends as refused where it is not taken", (t) => {
  const other: MailboxSpec<Script> = { dataMax: 1, controlMax: 1, overflow: "reject" };
  const { ask, second, held, ends, settle } = createTrio({ other });
  const forward = (replyTo: ActorRef<number>, context: ScriptContext): void => {
    const keep = asking(replyTo, () => void held.push(replyTo));
    context.forward(second, keep, replyTo);
    context.forward(second, keep, replyTo);
  };
  ask("taken", (replyTo, context) =>
    context.forward(
      second,
      asking(replyTo, () => void held.push(replyTo)),
      replyTo,
    ),
  );
  t.deepEqual(ends, []);
  held[0]?.tell(1);
  settle();
  ask("refused", forward);
  t.deepEqual(ends, ["taken 1", "refused refused"]);
});

test("a question whose time is over while it is held ends once; the late reply is counted", (t) => {
  const { ask, held, first, ends, settle, advance, figures } = createTrio();
  ask("a", undefined, 100);
  advance(100);
  t.deepEqual(ends, ["a timeout"]);
  t.false(held[0]?.tell(1));
  first.tell(crash);
  settle();
  t.deepEqual(ends, ["a timeout"]);
  t.is(figures("/test/asker")?.lost.late, 1);
});

test("a second reply is refused, by whomever", (t) => {
  const { ask, pass, held, ends, settle } = createTrio();
  let kept: ActorRef<number> | undefined;
  ask("a", (replyTo) => {
    kept = replyTo;
    pass(replyTo);
  });
  t.true(held[0]?.tell(1));
  t.false(kept?.tell(2));
  settle();
  t.deepEqual(ends, ["a 1"]);
});

test("a reply that outlived the incarnation that owed it is refused", (t) => {
  const { ask, held, first, ends, settle, advance } = createTrio();
  ask("a");
  first.tell(crash);
  settle();
  advance(1_000);
  t.false(held[0]?.tell(1));
  settle();
  t.deepEqual(ends, ["a crashed"]);
});

class Expected extends Question<number> {
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }
}

test("an expected reply is the expecting actor's until it is told on, and ends like any other", (t) => {
  const { system, first, held, settle, advance } = createTrio();
  const ends: string[] = [];
  const disposed: string[] = [];
  const shown = ({ name, outcome }: Expected): string =>
    `${name} ${outcome?.ok === true ? outcome.value : outcome?.reason}`;
  type Expecting = Expected | { readonly expect: string } | { readonly crash: true };
  const expecting = system.spawn(
    defineActor<null, Expecting, null, unknown>({
      name: "expecting",
      mailbox: {
        dataMax: 8,
        controlMax: 1,
        overflow: "reject",
        dispose: (message) => void (message instanceof Expected && disposed.push(shown(message))),
      },
      onFault: always,
      init: () => null,
      receive(_state, message, context) {
        if (message instanceof Expected) ends.push(shown(message));
        else if ("crash" in message) crash();
        else {
          const replyTo = new Expected(message.expect);
          context.expect(replyTo);
          if (message.expect === "kept") return;
          first.tell(asking(replyTo, () => void held.push(replyTo)));
        }
      },
    }),
    null,
    { name: "expecting" },
  );
  const tell = (message: Expecting): void => {
    expecting.tell(message);
    settle();
  };
  tell({ expect: "a" });
  tell({ expect: "b" });
  held[0]?.tell(1);
  settle();
  first.tell(crash);
  settle();
  t.deepEqual(ends, ["a 1", "b crashed"]);
  t.false(held[1]?.tell(2), "it ends once");
  tell({ expect: "kept" });
  tell({ crash: true });
  advance(1_000);
  t.deepEqual(ends, ["a 1", "b crashed"], "what an earlier incarnation expected is not told");
  t.deepEqual(disposed, ["kept crashed"], "but disposed of, though it was not answered");
});

test("whoever tells a question on may hear how it ended, beside who asked", (t) => {
  const { ask, pass, held, ends, second, settle } = createTrio();
  const heard: string[] = [];
  const followed = (replyTo: ActorRef<number>, context: ScriptContext): void => {
    const isFollowed = context.follow(replyTo, (outcome) => () => {
      heard.push(outcome.ok ? String(outcome.value) : outcome.reason);
    });
    t.true(isFollowed);
  };
  ask("a", (replyTo, context) => {
    followed(replyTo, context);
    pass(replyTo);
  });
  held[0]?.tell(7);
  ask("b", (replyTo, context) => {
    followed(replyTo, context);
    pass(replyTo);
  });
  second.tell(crash);
  settle();
  ask("c", (replyTo, context) => {
    followed(replyTo, context);
    context.refuse(replyTo);
    t.false(
      context.follow(replyTo, () => crash),
      "it has ended",
    );
  });
  t.deepEqual(ends, ["a 7", "b crashed", "c refused"]);
  t.deepEqual(heard, ["7", "crashed", "refused"]);
});

test("an actor that is asked must declare where its messages carry the reply", (t) => {
  const { system, asker, settle, faults } = createTrio();
  const mute = { dataMax: 4, controlMax: 1, overflow: "reject", replyOf: () => undefined } as const;
  const undeclared = system.spawn(scripted(always, mute), { log: [] }, { name: "undeclared" });
  asker.tell((context) =>
    context.ask<Script, number>(
      undeclared,
      (replyTo) => asking(replyTo),
      NO_DEADLINE,
      () => crash,
    ),
  );
  settle();
  t.regex(String(faults[0]?.error), /undeclared is asked, so its mailbox declares replyOf/);
});

test("whatever crashes, every question ends exactly once and its owner is known", (t) => {
  for (let seed = 0; seed < 200; seed++) {
    const { system, settle, advance } = createHarness(`any ${seed}`);
    const ends = new Map<number, string[]>();
    const kept: ActorRef<number>[] = [];
    const actors = ["a", "b", "c"].map((name) =>
      system.spawn(
        scripted(always, { dataMax: 3, controlMax: 1, overflow: OVERFLOWS[seed % 3]! }),
        { log: [] },
        { name },
      ),
    );
    // A small generator of its own: what happens must not depend on the kernel's draws.
    let drawn = seed * 7_919 + 1;
    const draw = (below: number): number => (drawn = (drawn * 48_271) % 2_147_483_647) % below;
    const handle =
      (replyTo: ActorRef<number>): Script =>
      () => {
        switch (draw(5)) {
          case 0:
            crash();
            break;
          case 1:
            replyTo.tell(1);
            return;
          case 2:
            kept.push(replyTo);
            return;
          default:
            // Refused: it stays here, held by nobody's state; the next crash or the end settles it.
            actors[draw(3)]!.tell(asking(replyTo, handle(replyTo)));
        }
      };
    const asker = system.spawn(scripted(), { log: [] }, { name: "asker" });
    for (let id = 0; id < 30; id++) {
      asker.tell((context) =>
        context.ask<Script, number>(
          actors[draw(3)]!,
          (replyTo) => asking(replyTo, handle(replyTo)),
          NO_DEADLINE,
          (outcome) => () =>
            void ends.set(id, [...(ends.get(id) ?? []), outcome.ok ? "replied" : outcome.reason]),
        ),
      );
      settle();
      if (draw(4) === 0) advance(500);
      if (draw(4) === 0) kept.pop()?.tell(2);
    }
    for (const actor of actors) actor.tell((context) => context.stop());
    settle();
    advance(5_000);
    for (const actor of actors) if (actor.tell((context) => context.stop())) settle();
    settle();
    t.is(ends.size, 30, `seed ${seed}`);
    t.true([...ends.values()].every(({ length }) => length === 1));
  }
});

const OVERFLOWS = ["reject", "dropOldest", "dropNewest"] as const;
