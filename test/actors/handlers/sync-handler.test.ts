import test from "ava";
import { syncHandler } from "../../../src/actors/handlers/sync-handler.js";
import type {
  Incoming,
  PeerHandlerMessage,
} from "../../../src/actors/peer/peer-handler-messages.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import type { SystemRouterMessage } from "../../../src/actors/service/system-router.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { createHarness, peerIdOf, refusing } from "../support.js";

const HASH = "ab".repeat(32);

async function start(systemRef?: ActorRef<SystemRouterMessage>) {
  const harness = createHarness();
  const router = harness.probe<MessageRouterMessage>();
  const system = harness.probe<SystemRouterMessage>();
  const ref = harness.spawn(syncHandler, { router: router.ref, system: systemRef ?? system.ref });
  const peer = harness.probe<PeerHandlerMessage>();
  ref.tell({
    type: "Incoming",
    peerId: peerIdOf(1),
    from: peer.ref,
    message: { kind: "RequestHeaders", locator: [HASH], countMax: 5 },
    lane: "sync",
    bytes: 44,
    requestId: 6,
  } satisfies Incoming<"RequestHeaders">);
  await harness.settle();
  return { router, system, peer };
}

test("it registers for the requests of sync and hands them to storage", async (t) => {
  const { router, system, peer } = await start();
  t.deepEqual(router.of("Register")[0]?.kinds, ["RequestHeaders", "RequestBlockRange"]);
  const [sent] = system.received;
  t.is(sent?.to, "storage");
  t.like(sent?.message, { type: "Serve", requestId: 6, request: { kind: "RequestHeaders" } });
  t.deepEqual(peer.received, [{ type: "Consumed", lane: "sync", bytes: 44 }]);
});

test("when the node is busy the peer is told so, and gets its credit back", async (t) => {
  const { peer } = await start(refusing<SystemRouterMessage>());
  t.deepEqual(peer.received, [
    { type: "Reply", requestId: 6, message: { kind: "RequestRefused", reason: "Busy" } },
    { type: "Consumed", lane: "sync", bytes: 44 },
  ]);
});
