import test from "ava";
import { Anchors } from "../../../src/actors/peer/anchors.js";
import { formatAddress, parseAddress } from "../../../src/protocol/address.js";

const at = (number: number) => parseAddress(`8.8.8.${number}:1`);
const all = (): boolean => true;

/** Those that the next run dials. */
function nextRun(anchors: Anchors): string[] {
  const next = new Anchors();
  next.restore(anchors.text);
  const dialed: string[] = [];
  for (let one = next.take(all); one !== undefined; one = next.take(all)) {
    dialed.push(`${one.endpoint.host} ${one.purpose}`);
  }
  return dialed;
}

test("two peers are dialed first after a restart, for what they were dialed for", (t) => {
  const anchors = new Anchors();
  t.false(anchors.takeChanged());
  anchors.ready(at(1), "full", all);
  anchors.ready(at(2), "blocks", all);
  anchors.ready(at(3), "feeler", all);
  t.true(anchors.takeChanged());
  t.false(anchors.takeChanged());
  t.deepEqual(nextRun(anchors), ["8.8.8.1 full", "8.8.8.2 blocks"]);
});

test("one for blocks alone is kept before others, and one that is here before one that left", (t) => {
  const anchors = new Anchors();
  for (const number of [1, 2, 3]) anchors.ready(at(number), "full", all);
  t.deepEqual(nextRun(anchors), ["8.8.8.1 full", "8.8.8.2 full"]);
  for (const number of [4, 5, 6]) anchors.ready(at(number), "blocks", all);
  t.deepEqual(nextRun(anchors), ["8.8.8.4 blocks", "8.8.8.5 blocks"]);
  anchors.ready(at(7), "full", (address) => address !== formatAddress(at(4)));
  t.deepEqual(nextRun(anchors), ["8.8.8.5 blocks", "8.8.8.7 full"]);
});

test("an anchor that fails is none any more, one that leaves is until another one comes", (t) => {
  const anchors = new Anchors();
  for (const number of [1, 2]) anchors.ready(at(number), "blocks", all);
  anchors.failed(at(1));
  anchors.failed(at(9));
  t.deepEqual(nextRun(anchors), ["8.8.8.2 blocks"]);
});

test("an anchor is dialed once, when there is a slot for it", (t) => {
  const anchors = new Anchors();
  anchors.restore(JSON.stringify([["tcp://8.8.8.1:1", "blocks"]]));
  t.is(
    anchors.take((purpose) => purpose === "full"),
    undefined,
  );
  t.is(anchors.take(all)?.endpoint.host, "8.8.8.1");
  t.is(anchors.take(all), undefined);
  t.deepEqual(nextRun(anchors), ["8.8.8.1 blocks"], "it is kept while nothing is known of it");
});

test("whatever was stored, what is no anchor is left out", (t) => {
  const anchors = new Anchors();
  const many = Array.from({ length: 9 }, (_, i) => [`tcp://8.8.8.${i}:1`, "full"]);
  const rows = [7, null, ["x", "full"], ["tcp://8.8.8.8:1", "feeler"], ["tcp://8.8.8.8:0", "full"]];
  for (const text of ["", "{", "7", JSON.stringify([...rows, ...many])]) anchors.restore(text);
  t.deepEqual(nextRun(anchors), ["8.8.8.0 full", "8.8.8.1 full"]);
  anchors.invariants();
});
