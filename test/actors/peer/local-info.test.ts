import test from "ava";
import { LocalInfo } from "../../../src/actors/peer/local-info.js";
import { decodeMessage } from "../../../src/protocol/codec/codec.js";
import { parseAddress } from "../../../src/protocol/address.js";
import { makeChain } from "../../support/chain.js";
import { checkedBlocks, connectAll, createHarness } from "../support.js";

test("the handshake is encoded once for a head, and tells of the next one", (t) => {
  const chain = makeChain(2);
  const harness = createHarness({ chain: chain.slice(0, 1) });
  const local = new LocalInfo(harness.env);
  const first = local.payload;
  t.is(local.payload, first);
  connectAll(harness.stores.blocks, checkedBlocks(chain).slice(1));
  t.is(local.info.head.hash, chain[1]!.header.hash);
  t.deepEqual(decodeMessage("Handshake", local.payload), {
    ok: true,
    message: { kind: "Handshake", ...local.info },
  });
  t.not(local.payload, first);
});

test("where the node is bound is advertised once it is known, if others can dial that", (t) => {
  const long = `${"a".repeat(60)}.`.repeat(2) + "b";
  const cases: [string, readonly string[]][] = [
    ["tcp://192.0.2.1:8765", ["tcp://192.0.2.1:8765"]],
    ["tcp://[2001:db8::1]:8765", ["tcp://[2001:db8::1]:8765"]],
    ["tcp://[::]:8765", []],
    ["tcp://0.0.0.0:8765", []],
    ["tcp://[fe80::1%eth0]:8765", []],
    [`tcp://${long}:8765`, []],
  ];
  for (const [bound, told] of cases) {
    const local = new LocalInfo(createHarness().env);
    t.deepEqual(local.info.listenAddresses, []);
    local.bound([parseAddress(bound)]);
    t.deepEqual(local.info.listenAddresses, told, bound);
    t.like(decodeMessage("Handshake", local.payload), { ok: true });
  }
});

test("of several addresses those are advertised that others can dial from elsewhere, else all", (t) => {
  const cases: [readonly string[], readonly string[]][] = [
    [["127.0.0.1:1", "192.0.2.1:1"], ["tcp://192.0.2.1:1"]],
    [
      ["[::1]:1", "127.0.0.1:1"],
      ["tcp://[::1]:1", "tcp://127.0.0.1:1"],
    ],
    [["127.0.0.1:1", "0.0.0.0:1"], []],
    [
      ["192.0.2.1:1", "[2001:db8::1]:1"],
      ["tcp://192.0.2.1:1", "tcp://[2001:db8::1]:1"],
    ],
  ];
  for (const [bound, told] of cases) {
    const local = new LocalInfo(createHarness().env);
    local.bound(bound.map(parseAddress));
    t.deepEqual(local.info.listenAddresses, told, bound.join(" "));
  }
});
