import test from "ava";
import { LocalInfo } from "../../../src/actors/peer/local-info.js";
import { decodeMessage } from "../../../src/protocol/codec/codec.js";
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
