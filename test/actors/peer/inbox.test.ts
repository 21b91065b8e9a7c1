import test from "ava";
import { Inbox } from "../../../src/actors/peer/inbox.js";
import { FakeConnection } from "../remote-peer.js";

const MIB = 1024 * 1024;

function open() {
  const connection = new FakeConnection();
  const wakes = { count: 0 };
  const inbox = new Inbox(connection, () => wakes.count++);
  return { connection, inbox, wakes };
}

test("chunks come out in the order they went in", (t) => {
  const { inbox } = open();
  t.true(inbox.empty);
  inbox.push(Uint8Array.of(1));
  inbox.push(Uint8Array.of(2));
  t.false(inbox.empty);
  t.deepEqual(
    [inbox.shift(), inbox.shift(), inbox.shift()],
    [Uint8Array.of(1), Uint8Array.of(2), undefined],
  );
  t.true(inbox.empty);
});

test("it asks for one turn however many chunks come, and again after that turn", (t) => {
  const { inbox, wakes } = open();
  for (let i = 0; i < 10; i++) inbox.push(new Uint8Array(1));
  t.is(wakes.count, 1);
  inbox.rest();
  inbox.push(new Uint8Array(1));
  t.is(wakes.count, 2);
});

test("above its bound the socket is paused, below half of it resumed", (t) => {
  const { connection, inbox } = open();
  const half = new Uint8Array(MIB / 2);
  inbox.push(half);
  inbox.push(half);
  t.false(connection.paused);
  inbox.push(new Uint8Array(1));
  t.true(connection.paused);
  t.true(inbox.bytes > 2 * MIB, "the socket may hold more");
  inbox.shift();
  t.true(connection.paused, "half and a byte are left");
  inbox.shift();
  t.false(connection.paused);
  t.is(inbox.bytes, 1);
});

test("chunks of one byte are copied together, and what was handed out stays as it was", (t) => {
  const { inbox } = open();
  const sent: number[] = [];
  const came: number[] = [];
  let chunks = 0;
  for (let i = 0; i < 50_000; i++) {
    inbox.push(Uint8Array.of(i & 255));
    sent.push(i & 255);
    if (i % 7_000 !== 0) continue;
    const chunk = inbox.shift()!;
    inbox.push(Uint8Array.of(99));
    sent.push(99);
    came.push(...chunk);
    chunks++;
  }
  for (let chunk = inbox.shift(); chunk !== undefined; chunk = inbox.shift()) {
    came.push(...chunk);
    chunks++;
  }
  t.deepEqual(came, sent);
  t.true(chunks < 30, `${chunks} chunks`);
  t.true(inbox.empty);
});

test("an inbox that runs empty keeps no buffer, and what it holds depends on no other one", (t) => {
  const quiet = open().inbox;
  const loud = open().inbox;
  const handed = [quiet, loud, quiet, loud].map((inbox, i) => {
    for (let k = 0; k < 3; k++) inbox.push(Uint8Array.of(i, k));
    const first = inbox.shift()!;
    return { i, first, rest: inbox.shift()! };
  });
  for (const { i, first, rest } of handed) {
    t.deepEqual([...first, ...rest], [i, 0, i, 1, i, 2]);
  }
  t.is(new Set(handed.map(({ rest }) => rest.buffer)).size, handed.length);
});

test("inboxes that wait at the same time do not write over each other", (t) => {
  const inboxes = [open().inbox, open().inbox];
  for (let k = 0; k < 50; k++) {
    for (const [i, inbox] of inboxes.entries()) inbox.push(Uint8Array.of(i, k));
  }
  for (const [i, inbox] of inboxes.entries()) {
    const came: number[] = [];
    for (let chunk = inbox.shift(); chunk !== undefined; chunk = inbox.shift()) came.push(...chunk);
    t.deepEqual(
      came,
      Array.from({ length: 100 }, (_, at) => (at % 2 === 0 ? i : at >> 1)),
    );
  }
});

test("to clear forgets what waits", (t) => {
  const { inbox } = open();
  inbox.push(new Uint8Array(5));
  inbox.clear();
  t.true(inbox.empty);
  t.is(inbox.shift(), undefined);
});
