import test from "ava";
import fc from "fast-check";
import type { Offer } from "../../src/runtime/mailbox.js";
import { ACCEPTED, CONTROL_FULL, Mailbox, REFUSED } from "../../src/runtime/mailbox.js";
import { Ring } from "../../src/runtime/ring.js";

interface Message {
  readonly control: boolean;
  readonly id: number;
}

interface Limits {
  readonly dataMax: number;
  readonly controlMax: number;
  readonly overflow: "reject" | "dropOldest" | "dropNewest";
}

/** The same rules in the plainest form: arrays and no thought for cost. */
class Model {
  data: Message[] = [];
  control: Message[] = [];
  refused = 0;
  dropped = 0;

  readonly spec: Limits;

  constructor(spec: Limits) {
    this.spec = spec;
  }

  offer(message: Message): Offer {
    if (message.control) {
      if (this.control.length === this.spec.controlMax) {
        this.refused++;
        return CONTROL_FULL;
      }
      this.control.push(message);
      return ACCEPTED;
    }
    if (this.data.length < this.spec.dataMax) {
      this.data.push(message);
      return ACCEPTED;
    }
    if (this.spec.overflow === "reject") {
      this.refused++;
      return REFUSED;
    }
    this.dropped++;
    if (this.spec.overflow === "dropOldest") this.data = [...this.data.slice(1), message];
    return ACCEPTED;
  }

  take(): Message | undefined {
    return this.control.shift() ?? this.data.shift();
  }
}

test("a mailbox behaves as its model under any sequence of offers and takes", (t) => {
  const operations = fc.array(fc.constantFrom("data", "data", "control", "take"), {
    maxLength: 300,
  });
  const limit = fc.integer({ min: 1, max: 40 });
  const policy = fc.constantFrom("reject" as const, "dropOldest" as const, "dropNewest" as const);
  fc.assert(
    fc.property(operations, limit, limit, policy, (steps, dataMax, controlMax, overflow) => {
      const isControl = (message: Message): boolean => message.control;
      const mailbox = new Mailbox<Message>({ dataMax, controlMax, overflow, isControl });
      const model = new Model({ dataMax, controlMax, overflow });
      steps.forEach((step, id) => {
        if (step === "take") {
          t.is(mailbox.take(), model.take());
        } else {
          const message = { control: step === "control", id };
          t.is(mailbox.offer(message), model.offer(message));
        }
        t.is(mailbox.dataDepth, model.data.length);
        t.is(mailbox.controlDepth, model.control.length);
        mailbox.invariants();
      });
      t.is(mailbox.refusedCount, model.refused);
      t.is(mailbox.droppedCount, model.dropped);
    }),
  );
});

test("without isControl every message is data", (t) => {
  const mailbox = new Mailbox<number>({ dataMax: 1, controlMax: 1, overflow: "reject" });
  t.is(mailbox.offer(1), ACCEPTED);
  t.is(mailbox.offer(2), REFUSED);
  t.is(mailbox.clear(), 1);
  t.is(mailbox.depth, 0);
});

test("a mailbox is writable again when it is at most half full", (t) => {
  const mailbox = new Mailbox<number>({ dataMax: 4, controlMax: 1, overflow: "reject" });
  for (let id = 0; id < 4; id++) mailbox.offer(id);
  mailbox.take();
  t.false(mailbox.writable);
  mailbox.take();
  t.true(mailbox.writable);
});

test("a lane without room is refused as a mistake", (t) => {
  t.throws(() => new Mailbox({ dataMax: 0, controlMax: 1, overflow: "reject" }));
});

test("a ring keeps the order through growth and wrapping", (t) => {
  const pushes = fc.array(fc.integer({ min: -20, max: 40 }), { maxLength: 60 });
  fc.assert(
    fc.property(pushes, (bursts) => {
      const ring = new Ring<number>();
      const model: number[] = [];
      let next = 0;
      for (const burst of bursts) {
        for (let i = 0; i < burst; i++, next++) {
          ring.push(next);
          model.push(next);
        }
        for (let i = 0; i > burst; i--) t.is(ring.shift(), model.shift());
        t.is(ring.length, model.length);
      }
    }),
  );
});
