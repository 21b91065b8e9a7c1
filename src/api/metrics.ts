// Prometheus metrics: what happened is counted from events, what is so is read when it is asked.
// Labels come from closed sets (kinds, rules, actor types): never a peer id, whose number a
// stranger decides.

import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import { printable } from "../bytes/printable.js";
import type { NetworkEvent } from "../actors/events/event-types.js";
import { RULE_NAMES } from "../chain/faults.js";
import { TRANSACTION_REFUSALS } from "../chain/refusals.js";
import type { RefusalRule } from "../ports.js";
import { DISCONNECT_REASONS } from "../protocol/types/message.js";
import { VIOLATION_RULES } from "../protocol/violation.js";
import { DROP_REASONS } from "../actors/handlers/hearsay.js";
import { actorType } from "../actors/actor-type.js";
import type { Network } from "../network.js";
import type { ActorFigures } from "../runtime/actor.js";
import { Advances } from "./advances.js";
import { routingMetrics } from "./routing-metrics.js";

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

export interface Metrics {
  /** The exposition format; rejects when the network does not answer. */
  text(): Promise<string>;
  close(): void;
}

const EVENTS = [
  "BlockConnected",
  "BlockDisconnected",
  "BlockRejected",
  "ConnectionRefused",
  "PeerBanned",
  "PeerConnected",
  "PeerDisconnected",
  "SyncFailed",
  "TransactionAccepted",
  "TransactionDropped",
  "TransactionRejected",
] as const;

const REFUSAL_RULES: Readonly<Record<RefusalRule, true>> = {
  "pending-limit": true,
  "address-rate": true,
  "handshake-timeout": true,
  "tls-failed": true,
  "no-certificate": true,
  "certificate-key-type": true,
  "small-order-key": true,
  alpn: true,
  "session-reused": true,
  "handshake-size": true,
  "tls-records": true,
  "own-fault": true,
};
/** What services call the rules of their protocols is theirs. */
const OTHER_RULE = "service";
const WIRE_RULES: ReadonlySet<string> = new Set([...VIOLATION_RULES, "tls-records", OTHER_RULE]);

export function createMetrics(network: Network): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const count = eventCounter(registry);
  const unsubscribe = network.subscribe(EVENTS, count);
  const setState = stateGauges(registry);
  const setPeers = peerGauges(registry);
  const addMessages = messageCounters(registry);
  const addActors = actorCounters(registry);
  const addAddresses = addressCounters(registry);
  const addLost = lostCounters(registry);
  const setRouting = routingMetrics(registry);
  return {
    async text() {
      const [status, kinds, traffic] = await Promise.all([
        network.status(),
        network.kindStatistics(),
        network.traffic(),
      ]);
      setState(status);
      setPeers(status.peers);
      addMessages(kinds, traffic);
      addAddresses(status);
      addActors(network.figures());
      addLost(network);
      const histograms = setRouting(kinds, status.subsystems);
      return (await registry.metrics()) + histograms;
    },
    close() {
      unsubscribe();
      registry.clear();
    },
  };
}

function counterOf(registers: Registry[], name: string, help: string, ...labelNames: string[]) {
  return new Counter({ name: `vibecoin_${name}_total`, help, labelNames, registers });
}

function gaugeOf(registers: Registry[], name: string, help: string, ...labelNames: string[]) {
  return new Gauge({ name: `vibecoin_${name}`, help, labelNames, registers });
}

type CountedEvent = Extract<NetworkEvent, { type: (typeof EVENTS)[number] }>;

function eventCounter(registry: Registry): (event: CountedEvent) => void {
  const to = [registry];
  const connected = counterOf(to, "blocks_connected", "Blocks that joined the chain");
  const confirmed = counterOf(to, "transactions_confirmed", "Transactions in those blocks");
  const disconnected = counterOf(to, "blocks_disconnected", "Blocks that a reorg took back");
  const badBlocks = counterOf(to, "blocks_rejected", "Blocks refused, by broken rule", "rule");
  const accepted = counterOf(to, "transactions_accepted", "Transactions taken into the mempool");
  const droppedTxs = counterOf(
    to,
    "transactions_dropped",
    "Transactions that left the mempool unconfirmed, by rule",
    "rule",
  );
  const badTxs = counterOf(to, "transactions_rejected", "Transactions refused, by rule", "rule");
  const refused = counterOf(to, "connections_refused", "Raw connections refused, by rule", "rule");
  const arrived = counterOf(to, "peers_connected", "Peers that became ready", "direction");
  const left = counterOf(to, "peers_disconnected", "Peers that went away, by reason", "reason");
  const banned = counterOf(to, "peers_banned", "Bans spoken");
  const failed = counterOf(to, "syncs_failed", "Sync sessions that were given up");
  const broken = counterOf(to, "violations", "Ends by a rule of the wire", "rule", "by");
  for (const rule of RULE_NAMES) badBlocks.inc({ rule }, 0);
  for (const rule of [...RULE_NAMES, ...Object.keys(TRANSACTION_REFUSALS)]) badTxs.inc({ rule }, 0);
  for (const rule of [...RULE_NAMES, ...Object.keys(TRANSACTION_REFUSALS)]) {
    droppedTxs.inc({ rule }, 0);
  }
  for (const rule of Object.keys(REFUSAL_RULES)) refused.inc({ rule }, 0);
  for (const direction of ["inbound", "outbound"]) arrived.inc({ direction }, 0);
  for (const reason of [...DISCONNECT_REASONS, "Closed", "Fault", "Operator"])
    left.inc({ reason }, 0);
  for (const rule of WIRE_RULES) for (const by of ["peer", "us"]) broken.inc({ rule, by }, 0);
  return (event) => {
    switch (event.type) {
      case "BlockConnected":
        connected.inc();
        confirmed.inc(event.transactionCount);
        return;
      case "BlockDisconnected":
        return disconnected.inc();
      case "BlockRejected":
        return badBlocks.inc({ rule: printable(event.rule) });
      case "TransactionAccepted":
        return accepted.inc();
      case "TransactionDropped":
        return droppedTxs.inc({ rule: printable(event.rule) });
      case "TransactionRejected":
        return badTxs.inc({ rule: printable(event.rule) });
      case "ConnectionRefused":
        return refused.inc({ rule: event.rule });
      case "PeerConnected":
        return arrived.inc({ direction: event.direction });
      case "PeerDisconnected":
        if (event.rule !== undefined) {
          const rule = WIRE_RULES.has(event.rule) ? event.rule : OTHER_RULE;
          broken.inc({ rule, by: event.byPeer ? "us" : "peer" });
        }
        return left.inc({ reason: event.reason });
      case "PeerBanned":
        return banned.inc();
      case "SyncFailed":
        return failed.inc();
    }
  };
}

type Status = Awaited<ReturnType<Network["status"]>>;

function stateGauges(registry: Registry): (status: Status) => void {
  const to = [registry];
  const height = gaugeOf(to, "height", "The height of the head");
  const target = gaugeOf(to, "sync_target_height", "The proven target; the height when synced");
  const synced = gaugeOf(to, "synced", "1 when nobody proved or claims a better chain");
  const peers = gaugeOf(to, "peers", "Ready peers", "direction");
  const mempool = gaugeOf(to, "mempool_transactions", "Transactions that wait for a block");
  const mempoolBytes = gaugeOf(to, "mempool_bytes", "Their bytes");
  const clock = gaugeOf(to, "clock_offset_seconds", "Outbound peers' clocks ahead of ours; median");
  const queued = gaugeOf(to, "pool_tasks_queued", "Tasks that wait for a pool thread");
  const running = gaugeOf(to, "pool_tasks_running", "Tasks in pool threads");
  const budget = gaugeOf(to, "memory_budget_bytes", "All that limits may hold at once");
  const leased = gaugeOf(to, "memory_lease_bytes", "Who holds how much of it", "holder");
  const limit = gaugeOf(to, "memory_limit_bytes", "And of how much at most", "holder");
  const carried = gaugeOf(to, "bytes_per_second", "Carried in the last whole second", "direction");
  const held = gaugeOf(to, "held_peers", "Peers whose bytes wait for a turn", "direction");
  const lost = gaugeOf(to, "actors_given_up", "Actors that the network goes on without", "actor");
  return (status) => {
    height.set(status.height);
    target.set(Math.max(status.height, status.sync.targetHeight ?? 0));
    synced.set(status.sync.state === "synced" ? 1 : 0);
    for (const direction of ["inbound", "outbound"] as const) {
      const ready = status.peers.filter((peer) => peer.direction === direction);
      peers.set({ direction }, ready.length);
    }
    mempool.set(status.mempool.count);
    mempoolBytes.set(status.mempool.bytes);
    if (status.clock.offsetMs !== null) clock.set(status.clock.offsetMs / 1_000);
    queued.set(status.pool.queued);
    running.set(status.pool.running);
    budget.set(status.memory.budgetBytes);
    for (const { name: holder, heldBytes, limitBytes } of status.memory.holders) {
      leased.set({ holder }, heldBytes);
      limit.set({ holder }, limitBytes);
    }
    for (const direction of ["upload", "download"] as const) {
      carried.set({ direction }, status.limits[direction].usedBytesPerSecond);
      held.set({ direction }, status.limits[direction].heldPeers);
    }
    lost.reset();
    for (const { actor } of status.degraded) lost.set({ actor }, 1);
  };
}

const PEER_TIMES = {
  ping: "pingMs",
  response: "responseMs",
  block_delay: "blockDelayMs",
  transaction_delay: "transactionDelayMs",
} as const;
const PEER_TOTALS = ["successes", "failures", "timeouts", "duplicates"] as const;

/** How the ready peers do, all together: a label by peer would have as many values as strangers like. */
function peerGauges(registry: Registry): (peers: Status["peers"]) => void {
  const to = [registry];
  const times = gaugeOf(to, "peer_seconds", "Moving averages of ready peers", "figure", "of");
  const scores = gaugeOf(to, "peer_score", "Scores of ready peers, 0 to 1", "of");
  const totals = gaugeOf(to, "peer_totals", "Counts of ready peers, all together", "figure");
  return (peers) => {
    times.reset();
    scores.reset();
    for (const [figure, key] of Object.entries(PEER_TIMES)) {
      const seconds = peers.flatMap((peer) => (peer[key] === null ? [] : [peer[key] / 1_000]));
      for (const [of, value] of spreadOf(seconds)) times.set({ figure, of }, value);
    }
    for (const [of, value] of spreadOf(peers.map(({ score }) => score))) scores.set({ of }, value);
    for (const figure of PEER_TOTALS) {
      totals.set(
        { figure },
        peers.reduce((sum, peer) => sum + peer[figure], 0),
      );
    }
  };
}

/** Of no values none. */
function spreadOf(values: readonly number[]): readonly (readonly [string, number])[] {
  const sorted = values.toSorted((one, other) => one - other);
  const [least, median, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  if (least === undefined || median === undefined || most === undefined) return [];
  return [
    ["least", least],
    ["median", median],
    ["most", most],
  ];
}

type Kinds = Awaited<ReturnType<Network["kindStatistics"]>>;
type Traffic = Awaited<ReturnType<Network["traffic"]>>;

/** Every kind that this node knows is there from the start. */
function messageCounters(registry: Registry): (kinds: Kinds, traffic: Traffic) => void {
  const to = [registry];
  const handed = counterOf(to, "messages_handed_on", "Peers' messages given to handlers", "kind");
  const counters = {
    received: counterOf(to, "messages_received", "Whole messages that came", "kind"),
    bytesReceived: counterOf(to, "message_bytes_received", "Bytes of their payloads", "kind"),
    sent: counterOf(to, "messages_sent", "Messages put into the queue to a peer", "kind"),
    bytesSent: counterOf(to, "message_bytes_sent", "Bytes of their payloads", "kind"),
  };
  const dropped = counterOf(
    to,
    "messages_dropped",
    "Messages that were not read, not sent, refused or not handed on, by the quota, queue or overload",
    "kind",
    "reason",
  );
  const advances = new Advances();
  return (kinds, traffic) => {
    for (const [kind, { received, sent, dropped: drops }] of Object.entries(traffic)) {
      const totals = {
        received: received.messages,
        bytesReceived: received.bytes,
        sent: sent.messages,
        bytesSent: sent.bytes,
      };
      for (const [name, counter] of Object.entries(counters)) {
        const total = totals[name as keyof typeof totals];
        counter.inc({ kind }, advances.of(`${name} ${kind}`, total));
      }
      for (const [reason, total] of Object.entries(drops)) {
        dropped.inc({ kind, reason }, advances.of(`dropped ${reason} ${kind}`, total));
      }
    }
    for (const [kind, figures] of Object.entries(kinds)) {
      if (figures === undefined) continue;
      handed.inc({ kind }, advances.of(`handed ${kind}`, figures.messages));
      for (const [reason, total] of Object.entries(figures.dropped)) {
        dropped.inc({ kind, reason }, advances.of(`dropped ${reason} ${kind}`, total));
      }
    }
  };
}

function addressCounters(registry: Registry): (status: Status) => void {
  const to = [registry];
  const heard = counterOf(
    to,
    "addresses_heard",
    "Of nodes, that peers told and the book was given",
  );
  const told = counterOf(to, "addresses_told", "Of nodes, that peers were told");
  const dropped = counterOf(to, "addresses_dropped", "That peers told, by why", "reason");
  for (const reason of DROP_REASONS) dropped.inc({ reason }, 0);
  const advances = new Advances();
  return ({ exchange }) => {
    if (exchange === null) return;
    heard.inc(advances.of("heard", exchange.heard));
    told.inc(advances.of("told", exchange.told));
    for (const reason of DROP_REASONS) {
      dropped.inc({ reason }, advances.of(reason, exchange.dropped[reason]));
    }
  };
}

function actorCounters(registry: Registry): (figures: readonly ActorFigures[]) => void {
  const to = [registry];
  const actors = gaugeOf(to, "actors", "Living actors", "type");
  const depth = gaugeOf(to, "actor_mailbox_messages", "Messages that wait", "type", "lane");
  const sliceMax = gaugeOf(
    to,
    "actor_slice_max_seconds",
    "The longest slice of half a minute",
    "type",
  );
  const handled = counterOf(to, "actor_messages_handled", "Messages handled", "type");
  const refused = counterOf(to, "actor_messages_refused", "Refused tells", "type", "reason");
  const lost = counterOf(to, "actor_messages_lost", "By a fault, or too late", "type", "reason");
  const restarts = counterOf(to, "actor_restarts", "Restarts after a fault", "type");
  const faults = counterOf(to, "actor_faults", "Faults, whatever supervision did", "type");
  const busy = counterOf(to, "actor_busy_seconds", "Time in drain slices", "type");
  const advances = new Advances();
  return (figures) => {
    for (const gauge of [actors, depth, sliceMax]) gauge.reset();
    const longest = new Map<string, number>();
    for (const one of figures) {
      const type = actorType(one.path);
      const by = (name: string, total: number): number => advances.of(`${one.path} ${name}`, total);
      actors.inc({ type });
      depth.inc({ type, lane: "data" }, one.dataDepth);
      depth.inc({ type, lane: "control" }, one.controlDepth);
      longest.set(type, Math.max(longest.get(type) ?? 0, one.sliceMaxMs / 1_000));
      handled.inc({ type }, by("handled", one.handled));
      for (const [reason, total] of Object.entries(one.refused)) {
        refused.inc({ type, reason }, by(reason, total));
      }
      for (const [reason, total] of Object.entries(one.lost)) {
        lost.inc({ type, reason }, by(reason, total));
      }
      restarts.inc({ type }, by("restarts", one.restarts));
      faults.inc({ type }, by("faults", one.faults));
      busy.inc({ type }, by("busy", one.busyMs) / 1_000);
    }
    for (const [type, seconds] of longest) sliceMax.set({ type }, seconds);
    advances.forgetUnseen();
  };
}

function lostCounters(registry: Registry): (network: Network) => void {
  const to = [registry];
  const letters = counterOf(to, "dead_letters", "Messages and late answers that reached no actor");
  const missed = counterOf(to, "events_missed", "Events that subscribers were too slow for");
  const advances = new Advances();
  return (network) => {
    letters.inc(advances.of("letters", network.deadLetters()));
    missed.inc(advances.of("missed", network.missed));
  };
}
