// The bench of the sync service: it, the real consensus behind it, and peers that serve a chain or
// something else in its place.

import { nothingUntold } from "../../../src/actors/integration/chain-commits.js";
import {
  consensusIntegration,
  type StoreFailed,
} from "../../../src/actors/integration/consensus-integration.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type {
  PeerHandlerMessage,
  PeerAnswer,
} from "../../../src/actors/peer/peer-handler-messages.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { SystemRouterMessage } from "../../../src/actors/service/system-router.js";
import type { SyncMessage, SyncStatus } from "../../../src/actors/sync/sync-messages.js";
import { syncService } from "../../../src/actors/sync/sync-service.js";
import type { Direction } from "../../../src/ports.js";
import type { Message, MessageOf } from "../../../src/protocol/types/message.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  type MadeBlock,
} from "../../support/chain.js";
import { createHarness, genesis, peerIdOf, published, type HarnessOptions } from "../support.js";
import { handshakeOf } from "../remote-peer.js";

type Request = Extract<PeerHandlerMessage, { type: "Request" }>;
type Answer = Message | Extract<PeerAnswer, { ok: false }>["reason"] | "silence";

/** A peer that serves a chain, from its handler on. */
export interface FakePeer {
  readonly peerId: string;
  chain: readonly MadeBlock[];
  /** Instead of what the chain would answer. */
  answer?: (request: Request, honest: Answer) => Answer;
  readonly requests: Request[];
  /** Requests that were met with silence can be answered later. */
  reply(request: Request, answer: Answer): void;
}

export function start(options: HarnessOptions = {}) {
  const harness = createHarness(options);
  const registry = harness.probe<RegistryMessage>();
  const reputation = harness.probe<ReputationMessage>();
  const events = harness.probe<EventBusMessage>();
  const untold = nothingUntold();
  const args = { events: events.ref, untold, onStoreFailed: harness.probe<StoreFailed>().ref };
  const consensus = harness.spawn(consensusIntegration, args);
  const system = harness.probe<SystemRouterMessage>((sent) => {
    if (sent.to === "consensus") consensus.tell(sent.message);
  });
  const sync: ActorRef<SyncMessage> = harness.spawn(syncService, {
    registry: registry.ref,
    system: system.ref,
    reputation: reputation.ref,
    events: events.ref,
  });

  function join(
    number: number,
    chain: readonly MadeBlock[],
    claim?: bigint,
    direction: Direction = "outbound",
  ): FakePeer {
    const peerId = peerIdOf(number);
    const peer: FakePeer = {
      peerId,
      chain,
      requests: [],
      reply(request, answer) {
        if (answer === "silence") return;
        const { replyTo } = request;
        if (typeof answer === "string") replyTo.tell({ ok: false, reason: answer });
        else replyTo.tell({ ok: true, message: answer, elapsedMs: 1 });
      },
    };
    const handler = harness.probe<PeerHandlerMessage>((message) => {
      if (message.type !== "Request") return;
      peer.requests.push(message);
      const honest = honestAnswer(peer.chain, message.message as Message);
      peer.reply(message, peer.answer?.(message, honest) ?? honest);
    });
    const tip = chain.at(-1)?.header ?? genesis.header;
    const info = handshakeOf();
    sync.tell({
      type: "PeerReady",
      peerId,
      handler: handler.ref,
      direction,
      address: "tcp://127.0.0.1:1",
      info,
      head: { claimed: claimOf(tip, claim) },
      capabilities: new Set(info.capabilities),
    });
    return peer;
  }

  return {
    ...harness,
    registry,
    reputation,
    events,
    consensus,
    system,
    sync,
    join,
    leave: (peer: FakePeer) =>
      sync.tell({
        type: "PeerGone",
        peerId: peer.peerId,
        direction: "outbound",
        wasReady: true,
        readyForMs: 0,
        reason: "Closed",
        detail: "",
        byPeer: true,
      }),
    head: () => harness.stores.blocks.head().hash,
    types: () => published(events).map(({ type }) => type),
    blames: () =>
      reputation.received.flatMap((message) => {
        if (message.type === "Report") return [`${message.event} ${Number(message.peerId)}`];
        return message.type === "Broke" ? [`ProtocolViolation ${Number(message.peerId)}`] : [];
      }),
    async status(): Promise<SyncStatus> {
      const asker = harness.probe<SyncStatus>();
      sync.tell({ type: "GetSyncStatus", replyTo: asker.ref });
      await harness.settle();
      return asker.last!;
    },
  };
}

export function claimOf(tip: MadeBlock["header"], totalDifficulty?: bigint) {
  const { hash, height } = tip;
  return { hash, height: BigInt(height), totalDifficulty: totalDifficulty ?? tip.totalDifficulty };
}

export function honestAnswer(chain: readonly MadeBlock[], request: Message): Answer {
  if (request.kind === "RequestHeaders") {
    const heights = new Map(chain.map(({ header }) => [header.hash, header.height]));
    heights.set(genesis.header.hash, 0);
    const known = request.locator.find((hash) => heights.has(hash));
    if (known === undefined) return "NotFound";
    const from = heights.get(known)!;
    const served = chain.slice(from, from + request.countMax);
    return { kind: "ResponseHeaders", headers: served.map(({ headerBytes }) => headerBytes) };
  }
  const { fromHeight, count, lastHash } = request as MessageOf<"RequestBlockRange">;
  if (chain[fromHeight + count - 2]?.header.hash !== lastHash) return "NotFound";
  const blocks = chain.slice(fromHeight - 1, fromHeight - 1 + count).map(({ bytes }) => bytes);
  return { kind: "ResponseBlockRange", blocks };
}

/** Small steps, so that a short chain takes several of each. */
export const config = {
  sync: {
    headersPerRequest: 16,
    headersPerSecondMin: 16,
    headersAheadMax: 512,
    rangeBlocksMax: 4,
    taskBytesTarget: 500,
    incrementalBlocksMax: 4,
  },
};
export const RETRY_MS = 1_000;
export const key = makeKey(1);
export const chain = makeChain(70);
export const tip = chain[69]!.header;
/** A shorter chain of its own. */
export const other = (() => {
  const first = makeBlock({ transactions: [makeTransaction(key, 0)] });
  return [first, ...makeChain(19, { parent: first.header })];
})();

export const isRange = ({ message }: Request): boolean => message.kind === "RequestBlockRange";
export const isHeaders = ({ message }: Request): boolean => message.kind === "RequestHeaders";
