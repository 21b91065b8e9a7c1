import test from "ava";
import { CodedError, isCoded } from "../../src/errors.js";
import { carry, outcomeOf, revive, valueOf } from "../../src/runtime/thread-outcome.js";

const across = (error: unknown): Error => revive(structuredClone(carry(error)));

test("a coded error keeps its class, code, stack and causes", (t) => {
  const cause = Object.assign(new TypeError("no such file"), { code: "ENOENT" });
  const error = new CodedError("DATA_UNREADABLE", "the directory cannot be read", { cause });
  const revived = across(error);
  t.true(isCoded(revived, "DATA_UNREADABLE"));
  t.is(revived.message, error.message);
  t.is(revived.stack, error.stack);
  t.like(revived.cause, { name: "TypeError", message: "no such file", code: "ENOENT" });
  t.false(isCoded(revived.cause));
});

test("whatever was thrown arrives as an error", (t) => {
  t.is(across("a mere string").message, "a mere string");
  t.is(across(undefined).message, "undefined");
  t.false("code" in across(new Error("plain")));
  t.false("cause" in across(new Error("plain")));
});

test("a circle of causes is cut", (t) => {
  const error = new Error("first");
  error.cause = error;
  let depth = 0;
  for (let at: unknown = across(error); at instanceof Error; at = at.cause) depth++;
  t.is(depth, 9);
});

test("an outcome is a value or throws what was thrown", async (t) => {
  t.is(valueOf(await outcomeOf(() => 1)), 1);
  const failed = await outcomeOf(async () => {
    throw new CodedError("CLOSED", "it is closed");
  });
  t.throws(() => valueOf(failed), { instanceOf: CodedError, message: "it is closed" });
});
