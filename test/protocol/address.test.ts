// Addresses: what is read, what is refused, and that equal addresses are equal strings.

import test from "ava";
import fc from "fast-check";

import { isCoded } from "../../src/errors.js";
import {
  formatAddress,
  hostGroup,
  isLocalHost,
  parseAddress,
  readAddress,
} from "../../src/protocol/address.js";

const ID = "0f".repeat(32);

test("every accepted form is read", (t) => {
  const cases: [string, object][] = [
    ["127.0.0.1:8765", { scheme: "tcp", host: "127.0.0.1", port: 8765 }],
    ["tcp://node.example:1", { scheme: "tcp", host: "node.example", port: 1 }],
    ["tcp://Node.Example:1", { scheme: "tcp", host: "node.example", port: 1 }],
    ["tcp://[::1]:65535", { scheme: "tcp", host: "::1", port: 65_535 }],
    ["[2001:DB8:0:0::1]:2", { scheme: "tcp", host: "2001:db8::1", port: 2 }],
    ["[FE80::1%br-1A2b3c]:2", { scheme: "tcp", host: "fe80::1%br-1A2b3c", port: 2 }],
    ["[fe80::1%eth0.4094]:2", { scheme: "tcp", host: "fe80::1%eth0.4094", port: 2 }],
    [`tcp://${ID}@10.0.0.1:0`, { scheme: "tcp", peerId: ID, host: "10.0.0.1", port: 0 }],
    [`${ID.toUpperCase()}@h:3`, { scheme: "tcp", peerId: ID, host: "h", port: 3 }],
    // A host has one text, or the same one would be many.
    ["[::ffff:1.2.3.4]:8", { scheme: "tcp", host: "1.2.3.4", port: 8 }],
    ["[::FFFF:102:304]:8", { scheme: "tcp", host: "1.2.3.4", port: 8 }],
    ["[0:0:0:0:0:ffff:1.2.3.4]:8", { scheme: "tcp", host: "1.2.3.4", port: 8 }],
    ["memory://a:7", { scheme: "memory", host: "a", port: 7 }],
  ];
  for (const [text, address] of cases) t.deepEqual(parseAddress(text), address, text);
});

test("everything else is refused", (t) => {
  const bad = [
    "",
    "host",
    ":80",
    "host:",
    "host:65536",
    "host:-1",
    "host:1x",
    "host:123456",
    "::1:80",
    "[::1]",
    "[127.0.0.1]:80",
    "[::g]:80",
    "[fe80::1%]:80",
    "[::ffff:1.2.3.4%eth0]:80",
    "[fe80::1%a%b]:80",
    "[fe80::1%a/b]:80",
    "[fe80::1%sixteen-and-more]:80",
    "node%eth0:80",
    "1.2.3:80",
    "1.2.3.4.5:80",
    "256.1.1.1:80",
    "tcp:/host:80",
    "tcp://host:80/path",
    "TCP://host:80",
    "tcp://abc@host:80",
    `tcp://${ID}0@host:80`,
    "ho st:80",
    "-host:80",
    "host-:80",
    "a..b:80",
    "hö:80",
    `${"a".repeat(64)}:80`,
    `${"a.".repeat(200)}a:80`,
  ];
  for (const text of bad) {
    t.false(readAddress(text).ok, text);
    const error = t.throws(() => parseAddress(text));
    t.true(isCoded(error, "ADDRESS_INVALID"));
    t.regex(error?.message ?? "", /^The address ".*" is not valid: .*\.$/);
  }
});

test("an error quotes hostile text on one line and cuts it", (t) => {
  const error = t.throws(() => parseAddress(`\n\u001b[31m${"x".repeat(5_000)}`));
  t.true((error?.message.length ?? 0) < 250);
  for (const control of ["\n", "\u001b"]) t.false(error?.message.includes(control));
});

test("formatting and reading are inverse", (t) => {
  const host = fc.oneof(
    fc.ipV4(),
    fc.domain().map((name) => name.toLowerCase()),
    fc.ipV6().filter((text) => readAddress(`[${text}]:1`).ok),
  );
  const address = fc.record({
    scheme: fc.constantFrom("tcp", "memory", "ws"),
    host,
    port: fc.integer({ min: 0, max: 65_535 }),
    pinned: fc.boolean(),
  });
  fc.assert(
    fc.property(address, ({ pinned, ...rest }) => {
      const text = formatAddress(pinned ? { ...rest, peerId: ID } : rest);
      const once = parseAddress(text);
      t.deepEqual(parseAddress(formatAddress(once)), once);
      t.is(once.port, rest.port);
    }),
  );
});

test("local hosts are told from public ones", (t) => {
  for (const host of ["localhost", "127.9.9.9", "::1", "10.0.0.1", "172.16.0.1", "fd00::1"]) {
    t.true(isLocalHost(host), host);
  }
  for (const host of ["8.8.8.8", "172.32.0.1", "2600::1", "example.org", "::ffff:8.8.8.8"]) {
    t.false(isLocalHost(host), host);
  }
});

test("hosts group by network", (t) => {
  t.is(hostGroup("198.51.100.7"), "198.51.100.0/24");
  t.is(hostGroup("198.51.100.200"), hostGroup("198.51.100.7"));
  t.not(hostGroup("198.51.101.7"), hostGroup("198.51.100.7"));
  t.is(hostGroup("::ffff:198.51.100.7"), hostGroup("198.51.100.7"));
  t.is(hostGroup("2001:db8:1:2::1"), "2001:db8:1::/48");
  t.is(hostGroup("2001:db8:1:ffff::9"), hostGroup("2001:db8:1:2::1"));
  t.is(hostGroup("198.51.100.7", { ipv4Bits: 20, ipv6Bits: 64 }), "198.51.96.0/20");
  t.is(hostGroup("example.org"), "example.org");
});
