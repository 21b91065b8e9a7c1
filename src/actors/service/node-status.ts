// The status of a node as its operator sees it. Structured-cloneable and, apart from Claimed values
// which are stated as such, proven.

import type { HashHex } from "../../types/chain.js";
import type { WireKind } from "../../protocol/types/message.js";
import type { Direction, PeerId } from "../../ports.js";
import type { MemoryReport } from "../memory-ledger.js";
import type { ClockStatus } from "../peer/clock-offset.js";
import type { MempoolSize } from "../integration/mempool-integration.js";
import type { ExchangeStatus } from "../handlers/peer-exchange.js";
import type { PeerDeeds } from "../peer/peer-deeds.js";
import type { Purpose } from "../peer/purpose.js";
import type { PeerReport } from "../peer/peer-table.js";
import type { PeerClass } from "../peer/reputation-ledger.js";
import type { SyncStatus } from "../sync/sync-messages.js";
import type { LimitsReport } from "../throttle/throttle.js";
import type { Degraded } from "./given-up.js";
import type { SubsystemFigures } from "./subsystem.js";

export interface NodeStatus {
  readonly peerId: PeerId;
  /** The operator's label. */
  readonly nodeId: string;
  /** The hash of the genesis block. */
  readonly networkId: HashHex;
  readonly height: number;
  readonly headHash: HashHex;
  /** Decimal. */
  readonly totalDifficulty: string;
  readonly listenAddresses: readonly string[];
  /** The first of them, or null. */
  readonly listenAddress: string | null;
  readonly peers: readonly PeerStatus[];
  readonly sync: SyncStatus;
  readonly pool: { readonly queued: number; readonly running: number };
  /** This node's clock against those of its outbound peers. */
  readonly clock: ClockStatus;
  /** Parts of the node that gave up after repeated faults; it goes on without them. */
  readonly degraded: readonly Degraded[];
  /** 0 of both when its actor does not answer. */
  readonly mempool: MempoolSize;
  readonly memory: MemoryStatus;
  /** What peers told of others, and were told; null when it is off, or its actor does not answer. */
  readonly exchange: ExchangeStatus | null;
  /** Of which kinds messages were dropped since the start, because more came than is dealt with. */
  readonly overload: readonly KindDrops[];
  /** Whether consensus, mempool and store answer, and what became of what they were told. */
  readonly subsystems: readonly SubsystemFigures[];
  /** What connections may carry, and what they do. */
  readonly limits: LimitsReport;
}

/** `dropPart`: of those that came in about the last second, 0 to 1. */
export interface KindDrops {
  readonly kind: WireKind;
  readonly dropped: number;
  readonly dropPart: number;
}

/** Who holds how much of the node's memory, and of how much at most. */
export interface MemoryStatus extends MemoryReport {
  /** Of the whole process, where the system says it: what holds no lease too. */
  readonly anonymousBytes: number | null;
}

export interface PeerStatus {
  readonly id: PeerId;
  readonly nodeId: string;
  readonly agent: string;
  readonly address: string;
  readonly direction: Direction;
  /** `blocks`: no transactions are told on it; of an inbound one always `full`. */
  readonly purpose: Purpose;
  /** Decimal: a claim may be any 64-bit number. */
  readonly claimedHeight: string;
  /** Round trips, smoothed and the shortest; null until measured. */
  readonly pingMs: number | null;
  readonly pingMinMs: number | null;
  /** Of answers to requests, smoothed; null until measured. */
  readonly responseMs: number | null;
  /** How long after the first it tells of blocks and transactions, smoothed; null until measured. */
  readonly blockDelayMs: number | null;
  readonly transactionDelayMs: number | null;
  /** By how much its clock is ahead of ours, as it says; null: it does not say. */
  readonly clockOffsetMs: number | null;
  /** For how long it has been ready. */
  readonly readyForMs: number;
  readonly trusted: boolean;
  /** What its reputation makes of it. */
  readonly class: PeerClass;
  /** Of its performance, 0-1. */
  readonly score: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** One-way messages that it sent above what it may. */
  readonly droppedIn: number;
  /** News of it that was dropped because more came of all peers than this node deals with. */
  readonly droppedBusy: number;
  /** Of its messages, smoothed: until they were given to a part of this node, and then dealt with. */
  readonly queuedMs: number | null;
  readonly handledMs: number | null;
  /** News that it was not sent, because too much waited for it or came above a rate. */
  readonly droppedOut: number;
  /** Requests to it that it answered, refused, and did not answer in time. */
  readonly successes: number;
  readonly failures: number;
  readonly timeouts: number;
  /** Ids that it told twice, or after it was told them. */
  readonly duplicates: number;
  /** What it brought and broke, on former connections too. */
  readonly deeds: PeerDeeds;
}

export function peerStatus(report: PeerReport): PeerStatus {
  const { peerId, nodeId, agent, address, direction, head, performance, deeds, clockOffsetMs } =
    report;
  return {
    id: peerId,
    nodeId,
    agent,
    address,
    direction,
    purpose: report.purpose,
    claimedHeight: head.claimed.height.toString(),
    pingMs: performance.pingMs ?? null,
    pingMinMs: performance.pingMinMs ?? null,
    responseMs: performance.responseMs ?? null,
    blockDelayMs: performance.blockDelayMs ?? null,
    transactionDelayMs: performance.transactionDelayMs ?? null,
    clockOffsetMs,
    readyForMs: report.readyForMs,
    trusted: report.trusted,
    class: report.class,
    score: performance.score,
    messagesIn: performance.messagesIn,
    messagesOut: performance.messagesOut,
    bytesIn: performance.bytesIn,
    bytesOut: performance.bytesOut,
    droppedIn: performance.droppedIn,
    droppedBusy: performance.droppedBusy,
    queuedMs: performance.queuedMs ?? null,
    handledMs: performance.handledMs ?? null,
    droppedOut: performance.droppedOut,
    successes: performance.successes,
    failures: performance.failures,
    timeouts: performance.timeouts,
    duplicates: performance.duplicates,
    deeds,
  };
}
