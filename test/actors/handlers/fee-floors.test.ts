// Whom this node tells of its floor, how often, and what becomes of what peers say of theirs.

import test from "ava";
import { feeFloors } from "../../../src/actors/handlers/fee-floors.js";
import type { MempoolMessage } from "../../../src/actors/integration/mempool-integration.js";
import type { Answer } from "../../../src/actors/peer/dealt.js";
import type { BroadcasterMessage } from "../../../src/actors/peer/peer-broadcaster.js";
import type { PeerHandlerMessage } from "../../../src/actors/peer/peer-handler-messages.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import { DEFAULTS } from "../../../src/config.js";
import { handshakeInfo } from "../../support/raw-peer.js";
import { createHarness, peerIdOf } from "../support.js";

const { floorEveryMs } = DEFAULTS.gossip;

async function start() {
  const harness = createHarness();
  const router = harness.probe<MessageRouterMessage>();
  const registry = harness.probe<RegistryMessage>();
  const mempool = harness.probe<MempoolMessage>();
  const broadcaster = harness.probe<BroadcasterMessage>();
  const ref = harness.spawn(feeFloors, {
    router: router.ref,
    registry: registry.ref,
    mempool: mempool.ref,
    broadcaster: broadcaster.ref,
  });
  await harness.settle();
  const join = async (number: number, capabilities = ["transactions/1", "fees/1"]) => {
    const handler = harness.probe<PeerHandlerMessage>();
    const info = handshakeInfo("ab".repeat(32));
    ref.tell({
      type: "PeerReady",
      peerId: peerIdOf(number),
      handler: handler.ref,
      direction: "inbound",
      address: `tcp://8.8.8.${number}:8765`,
      info,
      head: { claimed: info.head },
      capabilities: new Set(capabilities),
    });
    await harness.settle();
    return () => handler.of("Send").map(({ message }) => message);
  };
  /** The mempool is asked within one and a half of the mean, and answers. */
  const floorIs = async (floor: bigint) => {
    const asked = mempool.of("GetFloor").length;
    for (let waitedMs = 0; waitedMs <= 1.5 * floorEveryMs; waitedMs += 100) {
      await harness.advance(100);
      if (mempool.of("GetFloor").length > asked) break;
    }
    const question = mempool.of("GetFloor")[asked];
    question?.replyTo.tell(floor);
    await harness.settle();
    return question !== undefined;
  };
  return { ...harness, ref, router, mempool, broadcaster, join, floorIs };
}

test("peers are told of the floor when it has changed, and new ones of what it is", async (t) => {
  const { join, floorIs } = await start();
  t.false(await floorIs(0n), "nobody is there to be told");
  const told = await join(1);
  const deaf = await join(2, ["transactions/1"]);
  for (const floor of [0n, 1_000n, 1_020n, 0n]) t.true(await floorIs(floor));
  const floors = [896n, 0n].map((gasPrice) => ({ kind: "FeeFloor", gasPrice }));
  t.deepEqual(told(), floors, "in steps, and not what they take it to be");
  t.deepEqual(deaf(), []);
  await floorIs(8n);
  const late = await join(3);
  t.deepEqual(late(), [{ kind: "FeeFloor", gasPrice: 8n }]);
});

test("what a peer says of its floor is the broadcaster's", async (t) => {
  const { ref, probe, settle, broadcaster } = await start();
  const replies = probe<Answer>();
  ref.tell({
    type: "Incoming",
    peerId: peerIdOf(1),
    from: probe<PeerHandlerMessage>().ref,
    message: { kind: "FeeFloor", gasPrice: 7n },
    lane: "transaction",
    bytes: 2,
    requestId: 0,
    replyTo: replies.ref,
  });
  await settle();
  t.deepEqual(broadcaster.received, [{ type: "PeerFloor", peerId: peerIdOf(1), gasPrice: 7n }]);
  t.deepEqual(replies.received, ["Done"]);
});
