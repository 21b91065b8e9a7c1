import test from "ava";
import { concatBytes } from "../../../src/bytes/compare.js";
import { fromHex, toHex } from "../../../src/bytes/hex.js";
import { sha256 } from "../../../src/bytes/sha256.js";
import { ShortIdIndex } from "../../../src/actors/integration/short-id-index.js";
import { shortIdKey, shortIdsOf } from "../../../src/protocol/short-ids.js";

const KEY = shortIdKey(Uint8Array.of(1), 1n);
const ids = Array.from({ length: 5_000 }, (_, index) =>
  toHex(sha256(Uint8Array.of(index >> 8, index & 255))),
);

const find = (index: ShortIdIndex, wanted: readonly string[], key = KEY) =>
  index.find(key, shortOf(wanted)).map((found) => found?.id);

const shortOf = (wanted: readonly string[]) => shortIdsOf(KEY, concatBytes(wanted.map(fromHex)));

function indexOf(held: ReadonlySet<string> | readonly string[]) {
  const here = new Set(held);
  const bytes = new Uint8Array(1);
  const has = (id: string) => here.has(id);
  const index = new ShortIdIndex(7, { has, get: (id) => (has(id) ? bytes : undefined) });
  for (const id of held) index.add(id);
  return { here, index };
}

test("ids are found by their short ids, in the order that they are asked for", (t) => {
  const { index } = indexOf(ids.slice(0, 4_000));
  const wanted = [ids[3_999]!, ids[0]!, ids[4_500]!, ids[17]!];
  t.deepEqual(find(index, wanted), [ids[3_999], ids[0], undefined, ids[17]]);
  t.deepEqual(find(index, []), []);
  t.deepEqual(find(index, wanted, shortIdKey(Uint8Array.of(1), 2n)), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("a short id that stands there twice is nobody's", (t) => {
  const { index } = indexOf(ids.slice(0, 100));
  const wanted = [ids[1]!, ids[2]!, ids[1]!];
  t.deepEqual(find(index, wanted), [undefined, ids[2], undefined]);
});

test("one that left is not found", (t) => {
  const { here, index } = indexOf(ids.slice(0, 10));
  here.delete(ids[3]!);
  t.deepEqual(find(index, [ids[3]!, ids[4]!]), [undefined, ids[4]]);
});

test("one that left and came again is itself, not another one", (t) => {
  const { index } = indexOf(ids.slice(0, 10));
  index.add(ids[3]!);
  t.deepEqual(find(index, [ids[3]!]), [ids[3]]);
});

test("those that left are forgotten, so that it is never much larger than what waits", (t) => {
  const { here, index } = indexOf(ids.slice(0, 1_000));
  for (const id of ids.slice(0, 990)) here.delete(id);
  for (let turn = 0; turn < 20; turn++) {
    for (const id of ids.slice(1_000)) {
      here.add(id);
      index.add(id);
      here.delete(id);
    }
    index.invariants();
    t.true(index.count <= (turn === 0 ? 2_000 : 100), `${index.count} places`);
  }
  t.deepEqual(find(index, [ids[995]!]), [ids[995]]);
});
