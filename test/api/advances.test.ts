import test from "ava";
import { Advances } from "../../src/api/advances.js";

test("totals become increments, from zero again when their owner restarts", (t) => {
  const advances = new Advances();
  t.is(advances.of("a", 5), 5);
  t.is(advances.of("a", 7), 2);
  t.is(advances.of("a", 7), 0);
  t.is(advances.of("a", 3), 3);
});

test("who is not told of any more is forgotten, and others are not", (t) => {
  const advances = new Advances();
  advances.of("gone", 5);
  advances.of("kept", 5);
  advances.forgetUnseen();
  advances.of("kept", 6);
  advances.forgetUnseen();
  t.is(advances.of("kept", 8), 2);
  t.is(advances.of("gone", 5), 5);
});
