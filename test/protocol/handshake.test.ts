import test from "ava";
import { KINDS, MESSAGE_KINDS, keepConnection, negotiate } from "../../src/protocol/index.js";
import type { HandshakeInfo } from "../../src/protocol/index.js";

const info: HandshakeInfo = {
  protocolVersion: 1,
  networkId: "00".repeat(32),
  agent: "test/1",
  nodeId: "a",
  listenAddresses: [],
  head: { height: 0n, hash: "00".repeat(32), totalDifficulty: 1n },
  capabilities: ["blocks/1", "sync/1", "own/1"],
  quotas: [],
};
const local = { ...info, peerId: "aa".repeat(32) };
const remoteId = "bb".repeat(32);

function reasonFor(remote: Partial<HandshakeInfo>, remotePeerId = remoteId): string | undefined {
  const negotiated = negotiate(local, { ...info, ...remote }, remotePeerId);
  return negotiated.ok ? undefined : negotiated.reason;
}

test("both sides get the capabilities that both offer, and the kinds that these bring", (t) => {
  const negotiated = negotiate(
    local,
    { ...info, capabilities: ["sync/1", "transactions/1", "later/9"] },
    remoteId,
  );
  t.true(negotiated.ok);
  if (!negotiated.ok) return;
  t.deepEqual([...negotiated.capabilities], ["sync/1"]);
  const expected = MESSAGE_KINDS.filter((kind) => {
    const { capability } = KINDS[kind];
    return kind !== "Handshake" && (capability === undefined || capability === "sync/1");
  });
  t.deepEqual([...negotiated.kinds], expected);
  t.false(negotiated.kinds.has("NewTransaction"));
  t.true(negotiated.kinds.has("Ping"));
});

test("a connection to itself, another version and another network end it, in this order", (t) => {
  t.is(reasonFor({}), undefined);
  t.is(reasonFor({ networkId: "11".repeat(32) }), "WrongNetwork");
  t.is(reasonFor({ protocolVersion: 2, networkId: "11".repeat(32) }), "IncompatibleVersion");
  t.is(reasonFor({ protocolVersion: 2 }, local.peerId), "SelfConnection");
});

test("of two connections in opposite directions both sides keep the same one", (t) => {
  const opposite = { inbound: "outbound", outbound: "inbound" } as const;
  for (const [existing, added] of [
    ["inbound", "outbound"],
    ["outbound", "inbound"],
  ] as const) {
    const here = keepConnection("aa", "bb", existing, added);
    const there = keepConnection("bb", "aa", opposite[existing], opposite[added]);
    t.is(here, there);
    const kept = here === "existing" ? existing : added;
    t.is(kept, "outbound", "the smaller id dialed it");
    // The other side may see them arrive in the other order and still keeps the same one.
    t.not(keepConnection("bb", "aa", opposite[added], opposite[existing]), there);
  }
});

test("in the same direction the newer connection stays", (t) => {
  for (const direction of ["inbound", "outbound"] as const) {
    t.is(keepConnection("aa", "bb", direction, direction), "new");
    t.is(keepConnection("bb", "aa", direction, direction), "new");
  }
});
