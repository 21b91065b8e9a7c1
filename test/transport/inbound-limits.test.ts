// The limits on raw inbound connections.

import test from "ava";
import fc from "fast-check";

import { InboundLimits, type Place } from "../../src/transport/inbound-limits.js";

const CONFIG = {
  pendingMax: 4,
  perAddressPerSecond: 5,
  perGroupPerSecond: 20,
  perGroupMax: 2,
  exemptLocal: true,
};
const REMOTE = "203.0.113.7";

/** Those whose handshakes go on, and which of them had to leave. */
class Door {
  readonly limits: InboundLimits;
  readonly gone: string[] = [];

  constructor(config: Partial<typeof CONFIG> = {}) {
    this.limits = new InboundLimits({ ...CONFIG, ...config });
  }

  /** Undefined: it was refused. */
  open(host: string, name = host, nowMs = 0): Place | undefined {
    const arrival = this.limits.admit(host, nowMs, () => this.gone.push(name));
    return arrival.refused === undefined ? arrival.place : undefined;
  }

  admitted(host: string, count: number, nowMs: number): number {
    let passed = 0;
    for (let i = 0; i < count; i++) {
      const place = this.open(host, host, nowMs);
      if (place === undefined) continue;
      this.limits.release(place);
      passed += 1;
    }
    return passed;
  }
}

test("an address has a second's worth at once, then its rate", (t) => {
  const door = new Door();
  t.is(door.admitted(REMOTE, 20, 0), 5);
  const refused = door.limits.admit(REMOTE, 199, () => undefined);
  t.like(refused, { refused: { rule: "address-rate" } });
  t.is(door.admitted(REMOTE, 20, 200), 1);
  t.is(door.admitted(REMOTE, 20, 1_200), 5);
  t.is(door.admitted(REMOTE, 20, 1e9), 5);
  t.is(door.admitted("203.0.114.8", 20, 1e9), 5);
});

test("an address group has a rate too", (t) => {
  const door = new Door();
  let passed = 0;
  for (let i = 0; i < 100; i++) passed += door.admitted(`203.0.113.${i}`, 5, 0);
  t.is(passed, 20);
  t.is(door.admitted("203.0.114.1", 5, 0), 5);
});

test("an IPv6 network of 64 bits is one address, a mapped IPv4 address is that address", (t) => {
  const door = new Door();
  t.is(door.admitted("2001:db8:0:1::1", 3, 0), 3);
  t.is(door.admitted("2001:db8:0:1:ffff::2", 3, 0), 2);
  t.is(door.admitted("2001:db8:0:2::1", 3, 0), 3);
  t.is(door.admitted(REMOTE, 3, 0), 3);
  t.is(door.admitted(`::ffff:${REMOTE}`, 3, 0), 2);
});

test("local addresses are exempt from the rates only where the operator says so", (t) => {
  for (const ip of ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "fe80::1", "fd00::1"]) {
    t.is(new Door().admitted(ip, 50, 0), 50);
    t.is(new Door({ exemptLocal: false }).admitted(ip, 50, 0), 5);
  }
});

test("whoever has said nothing for longest gives way, also where local addresses are exempt", (t) => {
  const door = new Door();
  const places = [1, 2, 3, 4].map((number) => door.open("127.0.0.1", `${number}`)!);
  places[0]!.hasSpoken = true;
  door.open("127.0.0.1", "5");
  t.deepEqual(door.gone, ["2"]);
  door.limits.release(places[2]!);
  door.open("127.0.0.1", "6");
  t.deepEqual(door.gone, ["2"]);
  t.is(door.limits.pending, 4);
});

test("where all have said something the oldest gives way", (t) => {
  const door = new Door();
  for (let i = 1; i <= 6; i++) door.open("10.0.0.1", `${i}`)!.hasSpoken = true;
  t.deepEqual(door.gone, ["1", "2"]);
});

test("one of the largest network gives way, whatever it has said", (t) => {
  const door = new Door({ perGroupMax: 4 });
  door.open("203.0.113.1", "mute");
  for (let i = 1; i <= 3; i++) door.open(`198.51.${i}.1`, `${i}`)!.hasSpoken = true;
  door.open("203.0.113.2", "late");
  t.deepEqual(door.gone, ["1"]);
});

test("an address group has no more than its share of the places", (t) => {
  const door = new Door();
  for (let i = 1; i <= 3; i++) door.open(`203.0.113.${i}`, `${i}`);
  t.deepEqual(door.gone, ["1"]);
  t.is(door.limits.pending, 2);
  for (let i = 4; i <= 6; i++) door.open("10.0.0.1", `${i}`);
  t.deepEqual(door.gone, ["1", "4"], "a local one has all that are free");
});

test("whoever is alone in its network has its place while others crowd, and all places are bounded", (t) => {
  const arrival = fc.record({ network: fc.nat(2), speaks: fc.boolean() });
  const property = fc.property(fc.array(arrival, { maxLength: 100 }), (arrivals) => {
    const door = new Door({ pendingMax: 8, perGroupMax: 100, perGroupPerSecond: 1e6 });
    const honest = [1, 2].map((number) => door.open(`203.${number}.0.1`, "honest"));
    for (const [i, { network, speaks }] of arrivals.entries()) {
      const place = door.open(`198.${network}.${i}.1`, "attacker");
      if (place !== undefined && speaks) place.hasSpoken = true;
      if (door.limits.pending > 8) return false;
    }
    return honest.every(Boolean) && !door.gone.includes("honest");
  });
  fc.assert(property);
  t.pass();
});

test("a million addresses are not remembered", (t) => {
  const door = new Door();
  for (let i = 0; i < 20_000; i++) {
    door.admitted(`198.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 1, 0);
  }
  t.true(door.limits.buckets <= 2 * 4_096);
});
