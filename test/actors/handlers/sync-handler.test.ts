import test from "ava";
import { syncHandler } from "../../../src/actors/handlers/sync-handler.js";
import type {
  Incoming,
  PeerHandlerMessage,
} from "../../../src/actors/peer/peer-handler-messages.js";
import type { Answer } from "../../../src/actors/peer/dealt.js";
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
  const answers = harness.probe<Answer>();
  const request = (
    replyTo: ActorRef<Answer>,
  ): Incoming<"RequestHeaders" | "RequestBlockRange"> => ({
    type: "Incoming",
    peerId: peerIdOf(1),
    from: peer.ref,
    message: { kind: "RequestHeaders", locator: [HASH], countMax: 5 },
    lane: "sync",
    bytes: 44,
    requestId: 6,
    replyTo,
  });
  await harness.settle();
  return { ...harness, answers, ref, router, system, request };
}

test("it registers for the requests of sync and hands them to storage", async (t) => {
  const { answers, ref, request, router, settle, system } = await start();
  ref.tell(request(answers.ref));
  await settle();
  t.deepEqual(router.of("Register")[0]?.kinds, ["RequestHeaders", "RequestBlockRange"]);
  const [sent] = system.received;
  t.is(sent?.to, "storage");
  const told = { type: "Serve", replyTo: answers.ref, request: { kind: "RequestHeaders" } };
  t.like(sent?.message, told);
});

test("what storage cannot take now is refused", async (t) => {
  const harness = await start(refusing<SystemRouterMessage>());
  const outcome = await harness.outcomeOf(harness.ref, harness.request);
  t.deepEqual(outcome, { ok: false, reason: "refused" });
});
