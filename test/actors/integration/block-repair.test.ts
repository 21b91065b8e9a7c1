import test from "ava";
import {
  blockRepair,
  type BlockRepairMessage,
} from "../../../src/actors/integration/block-repair.js";
import type {
  PeerHandlerMessage,
  PeerAnswer,
} from "../../../src/actors/peer/peer-handler-messages.js";
import type { ServedSpan } from "../../../src/actors/integration/served-spans.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { SystemRouterMessage } from "../../../src/actors/service/system-router.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { makeChain } from "../../support/chain.js";
import { createHarness, peerIdOf } from "../support.js";
import { handshakeOf } from "../remote-peer.js";

const chain = makeChain(3);
const tip = chain[2]!;
const RETRY_MS = 60_000;

function start() {
  const harness = createHarness({ chain });
  const system = harness.probe<SystemRouterMessage>();
  const registry = harness.probe<RegistryMessage>();
  const args = { registry: registry.ref, system: system.ref };
  const repair: ActorRef<BlockRepairMessage> = harness.spawn(blockRepair, args);
  const sent = () => system.received.map(({ message }) => message);
  const served = () => sent().flatMap((one) => (one.type === "GetServed" ? [one] : []));
  return {
    ...harness,
    repair,
    asked: () => served().map(({ path }) => path),
    /** The last one that was asked about was served this. */
    serve: (spans: readonly ServedSpan[]) => served().at(-1)!.replyTo.tell(spans),
    withheld: () =>
      sent().flatMap((one) =>
        one.type === "Withhold" ? [one.blocks.map(({ hash }) => hash)] : [],
      ),
    /** A peer that answers requests so; undefined: not at all. */
    join(number: number, reason?: Extract<PeerAnswer, { ok: false }>["reason"]) {
      const peerId = peerIdOf(number);
      const handler = harness.probe<PeerHandlerMessage>((message) => {
        if (message.type !== "Request" || reason === undefined) return;
        message.replyTo.tell({ ok: false, reason });
      });
      const info = handshakeOf();
      repair.tell({
        type: "PeerReady",
        peerId,
        handler: handler.ref,
        direction: "outbound",
        address: "tcp://127.0.0.1:1",
        info,
        head: { claimed: { hash: tip.header.hash, height: 3n, totalDifficulty: 1n } },
        capabilities: new Set(info.capabilities),
      });
      return {
        handler,
        complain: () =>
          repair.tell({
            type: "PeerGone",
            peerId,
            direction: "outbound",
            wasReady: true,
            readyForMs: 0,
            reason: "Banned",
            detail: "",
            byPeer: true,
          }),
      };
    },
  };
}

test("a complaint is followed though the answer to the one before it never came", async (t) => {
  const harness = start();
  const [first, second] = [harness.join(1), harness.join(2)];
  first.complain();
  await harness.settle();
  // The actor that knew what was served began another life, and does not answer.
  second.complain();
  await harness.settle();
  t.deepEqual(harness.asked(), [first.handler.ref.path, second.handler.ref.path]);
  const spans = [{ fromHeight: 1, count: 3, bodies: true }];
  harness.serve(spans);
  await harness.settle();
  t.like(harness.log.at(-1), {
    event: "blocks that a peer refused are sound",
    fields: { peerId: peerIdOf(2), checked: 3 },
  });
});

test("whoever comes meanwhile, after a minute all are asked again and it is withheld again", async (t) => {
  const harness = start();
  const spoiled = tip.bytes.slice();
  spoiled[spoiled.length - 3]! ^= 1;
  const [block] = [{ ...tip, bytes: spoiled }];
  await harness.stores.blocks.commit({ blocks: [block], undo: [], state: [] });
  // One that is asked, and whose answer never comes.
  const silent = harness.join(1);
  const accuser = harness.join(2, "NotFound");
  accuser.complain();
  await harness.settle();
  const spans = [{ fromHeight: 3, count: 1, bodies: true }];
  harness.serve(spans);
  await harness.settle();
  t.deepEqual(harness.withheld().at(-1), [tip.header.hash]);
  t.is(silent.handler.of("Request").length, 1);
  const before = harness.withheld().length;
  for (let number = 3; number < 9; number++) {
    harness.join(number, "NotFound");
    await harness.advance(RETRY_MS / 5);
  }
  t.is(silent.handler.of("Request").length, 2);
  t.deepEqual(harness.withheld().slice(before), [[tip.header.hash]]);
});
