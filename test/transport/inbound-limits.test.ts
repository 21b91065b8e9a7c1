// The limits on raw inbound connections.

import test from "ava";

import { InboundLimits } from "../../src/transport/inbound-limits.js";

const CONFIG = { pendingMax: 4, perAddressPerSecond: 5, exemptLocal: true };
const REMOTE = "203.0.113.7";

function admitted(limits: InboundLimits, ip: string, count: number, nowMs: number): number {
  let passed = 0;
  for (let i = 0; i < count; i++) {
    if (limits.admit(ip, nowMs) !== undefined) continue;
    limits.release();
    passed += 1;
  }
  return passed;
}

test("an address has a second's worth at once, then its rate", (t) => {
  const limits = new InboundLimits(CONFIG);
  t.is(admitted(limits, REMOTE, 20, 0), 5);
  t.is(limits.admit(REMOTE, 199), "address-rate");
  t.is(admitted(limits, REMOTE, 20, 200), 1);
  t.is(admitted(limits, REMOTE, 20, 1_200), 5);
  t.is(admitted(limits, REMOTE, 20, 1e9), 5);
  t.is(admitted(limits, "203.0.113.8", 20, 0), 5);
});

test("an IPv6 network of 64 bits is one address, a mapped IPv4 address is that address", (t) => {
  const limits = new InboundLimits(CONFIG);
  t.is(admitted(limits, "2001:db8:0:1::1", 3, 0), 3);
  t.is(admitted(limits, "2001:db8:0:1:ffff::2", 3, 0), 2);
  t.is(admitted(limits, "2001:db8:0:2::1", 3, 0), 3);
  t.is(admitted(limits, REMOTE, 3, 0), 3);
  t.is(admitted(limits, `::ffff:${REMOTE}`, 3, 0), 2);
});

test("local addresses are exempt from the rate only where the operator says so", (t) => {
  for (const ip of ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "fe80::1", "fd00::1"]) {
    t.is(admitted(new InboundLimits(CONFIG), ip, 50, 0), 50);
    t.is(admitted(new InboundLimits({ ...CONFIG, exemptLocal: false }), ip, 50, 0), 5);
  }
});

test("pending handshakes are limited for everyone, and a slot comes back", (t) => {
  const limits = new InboundLimits(CONFIG);
  for (let i = 0; i < 4; i++) t.is(limits.admit("127.0.0.1", 0), undefined);
  t.is(limits.admit("127.0.0.1", 0), "pending-limit");
  t.is(limits.pending, 4);
  limits.release();
  t.is(limits.admit("127.0.0.1", 0), undefined);
});

test("a million addresses are not remembered", (t) => {
  const limits = new InboundLimits(CONFIG);
  for (let i = 0; i < 20_000; i++)
    admitted(limits, `198.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 1, 0);
  t.is(limits.buckets, 4_096);
});
