import test from "ava";
import type { PeerHandlerMessage } from "../../../src/actors/peer/peer-handler-messages.js";
import {
  TransactionWants,
  type Announcer,
  type PlannedRequest,
} from "../../../src/actors/handlers/transaction-wants.js";
import type { ActorRef } from "../../../src/runtime/actor.js";

const from: ActorRef<PeerHandlerMessage> = { path: "/peer", tell: () => true };
const peer = (peerId: string): Announcer => ({ peerId, from });
const [one, two] = [peer("one"), peer("two")];
const plan = (requests: readonly PlannedRequest[]) =>
  requests.map(({ to, ids }) => [to.peerId, ids.join(" ")]);

function wants(requestsPerPeerMax = 2): TransactionWants {
  return new TransactionWants(requestsPerPeerMax, 7);
}

test("each id is asked of its first announcer, once", (t) => {
  const all = wants();
  t.deepEqual(plan([all.announced(one, ["a", "b"])!]), [["one", "a b"]]);
  t.deepEqual(plan([all.announced(two, ["b", "c"])!]), [["two", "c"]]);
  t.is(all.announced(one, ["a", "b", "c"]), undefined);
  all.invariants();
});

test("a peer that sends one transaction an answer is asked as often as it sends", (t) => {
  const all = wants();
  let request = all.announced(one, ["a", "b", "c"])!;
  for (const [id, rest] of [
    ["a", "b c"],
    ["b", "c"],
  ] as const) {
    all.arrived(id);
    const [next] = all.ended(request.tag, 1);
    t.deepEqual(plan([next!]), [["one", rest]]);
    request = next!;
  }
  all.arrived("c");
  t.deepEqual(all.ended(request.tag, 1), []);
  all.invariants();
});

test("whoever sends one at a time comes after the others for what they announced too", (t) => {
  const all = wants();
  const { tag } = all.announced(one, ["a", "b", "c"])!;
  all.announced(two, ["c"]);
  all.arrived("a");
  const next = all.ended(tag, 1);
  t.deepEqual(plan(next), [
    ["one", "b"],
    ["two", "c"],
  ]);
  // The other has nothing: it is the first one's turn again.
  t.deepEqual(plan(all.ended(next[1]!.tag, 0)), [["one", "c"]]);
  all.invariants();
});

test("what came by another way is not asked for again", (t) => {
  const all = wants();
  const { tag } = all.announced(one, ["a", "b"])!;
  all.announced(two, ["a", "b"]);
  all.arrived("a");
  t.deepEqual(plan(all.ended(tag, 0)), [["two", "b"]]);
});

test("an answer with nothing that was asked for is no progress", (t) => {
  const all = wants();
  const { tag } = all.announced(one, ["a", "b"])!;
  t.is(all.askedAmong(tag, ["x", "y"]).size, 0);
  t.deepEqual([...all.askedAmong(tag, ["x", "b", "b"])], ["b"]);
  t.deepEqual(all.ended(tag, 0), []);
  // Forgotten: whoever announces them again is asked.
  t.deepEqual(plan([all.announced(one, ["a", "b"])!]), [["one", "a b"]]);
  all.invariants();
});

test("announcers take their turns, three beside the first at most, and busy ones are passed over", (t) => {
  const all = wants(1);
  const peers = ["p0", "p1", "p2", "p3", "p4"].map(peer);
  let { tag } = all.announced(peers[0]!, ["a"])!;
  for (const other of peers.slice(1)) all.announced(other, ["a"]);
  all.announced(peers[2]!, ["z"]);
  const asked: string[] = [];
  for (let next = all.ended(tag, 0); next.length > 0; next = all.ended(tag, 0)) {
    tag = next[0]!.tag;
    asked.push(next[0]!.to.peerId);
  }
  t.deepEqual(asked, ["p1", "p3"]);
  all.invariants();
});
