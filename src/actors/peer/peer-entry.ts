// One connection as the registry's table keeps it, and what is told of it.

import type { ActorRef } from "../../runtime/actor.js";
import type { Clock } from "../../ports.js";
import { formatAddress, type Endpoint } from "../../protocol/address.js";
import type { ChainHead, Claimed, HandshakeInfo } from "../../protocol/types/node-info.js";
import { clockOffset } from "./clock-offset.js";
import type { Merits } from "./eviction.js";
import type { GossipFigures } from "./gossip-times.js";
import type { Purpose } from "./purpose.js";
import type { PeerDeeds } from "./peer-deeds.js";
import type { PeerHandlerMessage } from "./peer-handler-messages.js";
import type { PlacedSlot } from "./peer-manager.js";
import { performanceOf, type Measured, type PerformanceSnapshot } from "./peer-performance.js";
import { wasReady, type PeerState } from "./peer-state.js";
import type { Gone, PeerReport, PeerTableEvent } from "./peer-table.js";

export interface Entry extends PlacedSlot {
  readonly id: number;
  readonly remote: Endpoint;
  readonly handler: ActorRef<PeerHandlerMessage>;
  /** The endpoint as it was dialed. */
  readonly dialed: Endpoint | undefined;
  /** What it was dialed for; of an inbound one: all that the other side wants. */
  readonly purpose: Purpose;
  state: PeerState;
  head: Claimed<ChainHead> | undefined;
  /** Negotiated. */
  capabilities: ReadonlySet<string>;
  /** All that is measured of it, with the score that it makes. */
  performance: PerformanceSnapshot;
  /** Of its peer, on this and former connections. */
  deeds: PeerDeeds;
  gone: Gone;
}

/** Whoever brought nothing new for so long after it was ready is idle: some blocks of 10 s. */
const IDLE_AFTER_MS = 60_000;

/** What it is weighed by when all slots are taken. */
export function meritsOf(
  { state, performance, deeds }: Entry,
  onProbation: boolean,
  nowMs: number,
): Merits {
  const readySinceMs = state.phase === "ready" ? state.sinceMs : undefined;
  const { usefulBlockMs, usefulTransactionMs } = deeds;
  const isOfUse = usefulBlockMs !== undefined || usefulTransactionMs !== undefined;
  return {
    readySinceMs,
    pingMinMs: performance.pingMinMs,
    usefulBlockMs,
    usefulTransactionMs,
    isIdle: !isOfUse && readySinceMs !== undefined && nowMs - readySinceMs >= IDLE_AFTER_MS,
    onProbation,
  };
}

/** What some part of it changed is put together anew. */
export function measure(
  entry: Entry,
  { measured = entry.performance, gossip = entry.performance }: Parts = {},
): void {
  entry.performance = performanceOf(measured, gossip, entry.deeds);
}

interface Parts {
  readonly measured?: Measured;
  readonly gossip?: GossipFigures;
}

export function readyEvent(entry: Entry, info: HandshakeInfo): PeerTableEvent {
  const { peerId, handler, direction } = entry;
  return {
    type: "PeerReady",
    peerId,
    handler,
    direction,
    address: formatAddress(entry.remote),
    info,
    head: entry.head ?? { claimed: info.head },
    capabilities: entry.capabilities,
  };
}

export function goneEvent(entry: Entry, readyForMs: number): PeerTableEvent {
  const { peerId, direction, gone } = entry;
  return {
    type: "PeerGone",
    peerId,
    direction,
    wasReady: wasReady(entry.state),
    readyForMs,
    ...gone,
  };
}

/** As operators see it; undefined: it is not ready. */
export function reportOf(
  entry: Entry,
  standing: Pick<PeerReport, "trusted" | "class">,
  clock: Clock,
): PeerReport | undefined {
  if (entry.state.phase !== "ready") return undefined;
  const { info, sinceMs } = entry.state;
  return {
    peerId: entry.peerId,
    nodeId: info.nodeId,
    agent: info.agent,
    address: formatAddress(entry.remote),
    remote: entry.remote,
    direction: entry.direction,
    purpose: entry.purpose,
    head: entry.head ?? { claimed: info.head },
    readyForMs: clock.monotonicMs() - sinceMs,
    ...standing,
    performance: entry.performance,
    deeds: entry.deeds,
    clockOffsetMs: clockOffset(entry.performance.clockEpochMs, clock),
  };
}
