import test from "ava";
import {
  admit,
  type Admission,
  type AdmissionLimits,
  type AdmissionView,
  type PlacedSlot,
} from "../../../src/actors/peer/peer-manager.js";
import { originOf } from "../../../src/actors/peer/eviction.js";
import type { Direction } from "../../../src/ports.js";
import { peerIdOf, SELF } from "../support.js";

const limits: AdmissionLimits = {
  maxInbound: 3,
  maxOutbound: 2,
  perGroupMax: 2,
  exemptLocal: false,
  protectedEachMax: 4,
};
/** Ids on either side of our own. */
const LOWER = peerIdOf(1);
const HIGHER = peerIdOf(0xffff);

const NO_MERITS = {
  readySinceMs: undefined,
  pingMinMs: undefined,
  usefulBlockMs: undefined,
  usefulTransactionMs: undefined,
  isIdle: false,
  onProbation: false,
};

let hosts = 0;
function slot(direction: Direction, peerId: string, host?: string): PlacedSlot {
  hosts++;
  const remote = { host: (host ?? `8.${hosts % 256}.0.1`).replace(/[[\]]/g, "") };
  return { peerId, direction, remote, origin: originOf(remote.host) };
}

function slots(count: number, direction: Direction, from = 100): PlacedSlot[] {
  return Array.from({ length: count }, (_, i) => slot(direction, peerIdOf(from + i)));
}

function view(open: readonly PlacedSlot[], more: Partial<AdmissionView> = {}): AdmissionView {
  return {
    self: SELF,
    trusted: new Set(),
    isBanned: () => false,
    isOnProbation: () => false,
    slots: open,
    meritsOf: () => ({ ...NO_MERITS, readySinceMs: 0 }),
    ...more,
  };
}

function reasonOf(admission: Admission): string {
  return admission.admit ? "admitted" : admission.reason;
}

test("a peer is admitted until the slots of its direction are taken", (t) => {
  for (const [direction, max] of [
    ["inbound", 3],
    ["outbound", 2],
  ] as const) {
    const newcomer = slot(direction, LOWER);
    t.is(reasonOf(admit(newcomer, view(slots(max - 1, direction)), limits)), "admitted");
    t.is(reasonOf(admit(newcomer, view(slots(max, direction)), limits)), "TooManyConnections");
    const other = direction === "inbound" ? "outbound" : "inbound";
    t.is(reasonOf(admit(newcomer, view(slots(9, other)), limits)), "admitted");
  }
});

test("a trusted peer needs no slot and takes none", (t) => {
  const trusted = new Set([LOWER]);
  const full = slots(3, "inbound");
  t.true(admit(slot("inbound", LOWER), view(full, { trusted }), limits).admit);
  const open = [...slots(2, "inbound"), slot("inbound", LOWER)];
  t.true(admit(slot("inbound", HIGHER), view(open, { trusted }), limits).admit);
  t.false(admit(slot("inbound", HIGHER), view(open), limits).admit);
});

test("a banned peer is refused, unless it is trusted", (t) => {
  const isBanned = (peerId: string): boolean => peerId === LOWER;
  t.is(reasonOf(admit(slot("inbound", LOWER), view([], { isBanned }), limits)), "Banned");
  t.true(admit(slot("inbound", HIGHER), view([], { isBanned }), limits).admit);
  const trusted = new Set([LOWER]);
  t.true(admit(slot("inbound", LOWER), view([], { isBanned, trusted }), limits).admit);
});

test("our own node is refused, even if it is trusted", (t) => {
  const trusted = new Set([SELF]);
  t.is(reasonOf(admit(slot("outbound", SELF), view([], { trusted }), limits)), "SelfConnection");
});

test("of two connections in the same direction the newer is let in", (t) => {
  for (const direction of ["inbound", "outbound"] as const) {
    t.true(admit(slot(direction, LOWER), view([slot(direction, LOWER)]), limits).admit);
  }
});

test("a peer with two connections takes one slot of its direction and of its group", (t) => {
  const twice = [slot("inbound", HIGHER, "9.9.9.1"), slot("inbound", HIGHER, "9.9.9.2")];
  const neighbour = slot("inbound", LOWER, "9.9.9.3");
  t.true(admit(neighbour, view([...twice, ...slots(1, "inbound")]), limits).admit);
});

test("of two in opposite directions the one that the smaller id dialed stays", (t) => {
  const decide = (peerId: string, existing: Direction, newer: Direction): string => {
    const admission = admit(slot(newer, peerId), view([slot(existing, peerId)]), limits);
    return reasonOf(admission);
  };
  // The lower id dialed what is inbound to us.
  t.is(decide(LOWER, "outbound", "inbound"), "admitted");
  t.is(decide(LOWER, "inbound", "outbound"), "DuplicateConnection");
  t.is(decide(HIGHER, "inbound", "outbound"), "admitted");
  t.is(decide(HIGHER, "outbound", "inbound"), "DuplicateConnection");
});

test("a replacement takes over a slot of its direction, or needs a free one", (t) => {
  const full = [slot("inbound", LOWER), ...slots(2, "inbound")];
  t.true(admit(slot("inbound", LOWER), view(full), limits).admit);
  const dialed = slot("outbound", LOWER);
  const free = [dialed, ...slots(2, "inbound")];
  t.true(admit(slot("inbound", LOWER), view(free), limits).admit);
  const none = [dialed, ...slots(3, "inbound")];
  t.is(reasonOf(admit(slot("inbound", LOWER), view(none), limits)), "TooManyConnections");
});

test("of full inbound slots one of the largest network goes for a newcomer of another", (t) => {
  const [first, second, third] = ["9.9.1.1", "9.9.2.1", "9.8.1.1"].map((host, i) =>
    slot("inbound", peerIdOf(100 + i), host),
  );
  const full = view([first!, second!, third!]);
  t.deepEqual(admit(slot("inbound", LOWER, "7.7.7.7"), full, limits), {
    admit: true,
    evicted: second!.peerId,
  });
  // Of the network that has most itself: nobody would gain by it.
  t.is(reasonOf(admit(slot("inbound", LOWER, "9.9.3.1"), full, limits)), "TooManyConnections");
  const trusted = new Set([first!.peerId, second!.peerId]);
  const free = view([first!, second!, third!], { trusted });
  t.deepEqual(admit(slot("inbound", LOWER, "7.7.7.7"), free, limits), { admit: true });
});

test("nobody is evicted for who is refused all the same, or needs no slot", (t) => {
  const open = ["9.9.1.1", "9.9.2.1", "7.7.7.1"].map((host, i) =>
    slot("inbound", peerIdOf(100 + i), host),
  );
  const capped = { ...limits, perGroupMax: 1 };
  const refused = admit(slot("inbound", LOWER, "7.7.7.2"), view(open), capped);
  t.regex(refused.admit ? "" : refused.detail, /group/);
  const again = admit(slot("inbound", open[2]!.peerId, "6.6.6.6"), view(open), limits);
  t.deepEqual(again, { admit: true });
  const trusted = new Set([LOWER]);
  t.deepEqual(admit(slot("inbound", LOWER), view(open, { trusted }), limits), { admit: true });
});

test("outbound slots are this node's own choice: nobody is evicted from them", (t) => {
  const open = ["9.9.1.1", "9.9.2.1"].map((host, i) => slot("outbound", peerIdOf(100 + i), host));
  t.is(reasonOf(admit(slot("outbound", LOWER), view(open), limits)), "TooManyConnections");
});

test("one address group takes no more than its share of the inbound slots", (t) => {
  const open = [slot("inbound", peerIdOf(2), "9.9.9.1"), slot("inbound", peerIdOf(3), "9.9.9.2")];
  const admission = admit(slot("inbound", LOWER, "9.9.9.3"), view(open), limits);
  t.is(reasonOf(admission), "TooManyConnections");
  t.regex(admission.admit ? "" : admission.detail, /group/);
  t.true(admit(slot("inbound", LOWER, "9.9.8.3"), view(open), limits).admit);
});

test("a link-local address counts without its interface, whatever that is called", (t) => {
  for (const scope of ["br-1a2b3c", "eth0", "wlp2s0.4094", "veth@if7", "ä"]) {
    const [first, second, third] = [1, 2, 3].map((i) =>
      slot("inbound", peerIdOf(100 + i), `fe80::${i}%${scope}`),
    );
    const admission = admit(third!, view([first!, second!]), limits);
    t.is(reasonOf(admission), "TooManyConnections", scope);
    const exempt = { ...limits, exemptLocal: true };
    t.true(admit(third!, view([first!, second!]), exempt).admit, scope);
  }
});

test("a group is a /48 of IPv6, and an IPv4 address in IPv6 clothes is IPv4", (t) => {
  const open = [
    slot("inbound", peerIdOf(2), "[2600:1:2:3::1]"),
    slot("inbound", peerIdOf(3), "[2600:1:2:4::1]"),
  ];
  t.false(admit(slot("inbound", LOWER, "[2600:1:2:5::1]"), view(open), limits).admit);
  t.true(admit(slot("inbound", LOWER, "[2600:1:3:5::1]"), view(open), limits).admit);
  const mapped = [
    slot("inbound", peerIdOf(2), "9.9.9.1"),
    slot("inbound", peerIdOf(3), "[::ffff:9.9.9.2]"),
  ];
  t.false(admit(slot("inbound", LOWER, "9.9.9.3"), view(mapped), limits).admit);
});

test("outbound connections are not counted by group: this node chose them", (t) => {
  const open = [slot("outbound", peerIdOf(2), "9.9.9.1")];
  const tight = { ...limits, perGroupMax: 1 };
  t.true(admit(slot("outbound", LOWER, "9.9.9.3"), view(open), tight).admit);
});

test("local addresses are exempt from the group limit when the configuration says so", (t) => {
  for (const host of ["127.0.0.1", "10.1.2.3", "192.168.0.9", "[::1]", "localhost"]) {
    const open = [1, 2, 3].map((number) => slot("inbound", peerIdOf(number + 1), host));
    const roomy = { ...limits, maxInbound: 10 };
    t.false(admit(slot("inbound", LOWER, host), view(open), roomy).admit, host);
    const exempt = { ...roomy, exemptLocal: true };
    t.true(admit(slot("inbound", LOWER, host), view(open), exempt).admit, host);
  }
});
