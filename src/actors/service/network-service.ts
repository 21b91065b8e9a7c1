// NetworkService: the root of the network's actors. Spawns them in the order of their needs, hands
// outside questions to the right one, and stops them in order. A fault that reaches it restarts the
// whole network, a few times; then it gives up and the process ends, as it does at once when the
// store failed, or an actor that the rest needs used up its own restarts.
// Told by: the composition root. Tells: every actor below it.

import { unreachable } from "../../errors.js";
import type { PeerReport, RegistryMessage } from "../peer/peer-table.js";
import { clockStatus } from "../peer/clock-offset.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { formatAddress } from "../../protocol/address.js";
import type { NodeEnv } from "../env.js";
import { actorName, gaveUp, isEssential, reasonOf, type Degraded } from "./given-up.js";
import { spawnActors, type NetworkActors } from "./network-actors.js";
import type { NetworkMessage, NetworkServiceArgs } from "./network-messages.js";
import { StatusQueries } from "./status-queries.js";
import type { SystemRouterMessage } from "./system-router.js";

interface State extends NetworkServiceArgs {
  readonly children: NetworkActors;
  readonly status: StatusQueries;
  /** Where it listens; undefined before it is known. */
  listenAddresses: readonly string[] | undefined;
  /** What the network does without since its last start. */
  degraded: readonly Degraded[];
  /** Monotonic time at which the log last said that the clock is wrong. */
  clockWarnedMs: number;
}

type Ctx = Context<NetworkMessage, NodeEnv>;

const ASK_TIMEOUT_MS = 5_000;

export const networkService = defineActor<NetworkServiceArgs, NetworkMessage, State, NodeEnv>({
  name: "network",
  mailbox: {
    dataMax: 4_096,
    controlMax: 4_096,
    overflow: "reject",
    replyOf: (message) => replyToOf(message.type === "ToProtocol" ? message.message : message),
    isControl: ({ type }) => CONTROL.has(type),
  },
  onFault: {
    kind: "restart",
    restartsMax: 3,
    withinMs: 60_000,
    backoffMinMs: 100,
    backoffMaxMs: 2_000,
  },

  init(context, args) {
    const children = spawnActors(context, args);
    context.startTimer("clock", context.env.config.clock.checkEveryMs, { type: "ClockDue" });
    return {
      ...args,
      children,
      status: new StatusQueries(),
      listenAddresses: undefined,
      degraded: [],
      clockWarnedMs: Number.NEGATIVE_INFINITY,
    };
  },

  receive(state, message, context) {
    const { children } = state;
    switch (message.type) {
      case "GetStatus":
        state.status.ask(children, message.replyTo, context);
        return;
      case "StatusPart":
        state.status.take(message.query, message.part, state, context.env);
        return;
      case "GetPeers":
      case "GetTraffic":
      case "PingPeer":
      case "Connect":
      case "BanPeer":
      case "UnbanPeer":
      case "TrustPeer":
      case "UntrustPeer":
      case "DisconnectPeer":
      case "GetTrusted":
      case "FindPeers":
        context.forward(children.registry, message, message.replyTo);
        return;
      case "GetKindStatistics":
        context.forward(children.router, message, message.replyTo);
        return;
      case "GetBans":
        context.forward(children.reputation, message, message.replyTo);
        return;
      case "ExplainPeer":
        context.forward(children.registry, { ...message, type: "Explain" }, message.replyTo);
        return;
      case "SubmitTransaction":
        submit(state, message);
        return;
      case "SubmitBlock":
        context.forward(children.blocks, { ...message, type: "Submitted" }, message.replyTo);
        return;
      case "LocateTransaction":
        context.forward(children.system, { to: "storage", message }, message.replyTo);
        return;
      case "ToProtocol":
        toProtocol(state, message, context);
        return;
      case "Subscribe":
      case "Unsubscribe":
        state.events.tell(message);
        return;
      case "Listening":
        state.listenAddresses = message.endpoints.map(formatAddress);
        children.registry.tell(message);
        state.started.tell(message);
        return;
      case "ListenFailed":
        listenFailed(state, message, context);
        return;
      case "StoreFailed":
        // No goodbye: until it ends, this node tells peers of blocks that it may not have.
        state.started.tell(message);
        context.stop();
        return;
      case "ClockDue":
        askClocks(state, context);
        return;
      case "ClocksTold":
        checkClock(state, message.peers, context);
        return;
      case "Stop":
        stop(state, message.replyTo, context);
        return;
      case "Drained":
        keep(state, message.replyTo, context);
        return;
      case "Kept":
        message.replyTo.tell("Stopped");
        return;
      default:
        unreachable(message);
    }
  },

  signal(state, signal, context) {
    if (signal.type !== "childStopped" || signal.error === undefined) return;
    const actor = actorName(signal.path);
    if (!isEssential(actor)) {
      goOnWithout(actor, signal.error, state, context);
      return;
    }
    state.started.tell({ type: "ActorLost", error: gaveUp(signal.path, signal.error) });
    context.stop();
  },
});

function listenFailed(
  state: State,
  failed: Extract<NetworkMessage, { type: "ListenFailed" }>,
  context: Ctx,
): void {
  // Where it listened before, nobody who could start it elsewhere waits for an answer.
  if (state.listenAddresses !== undefined) goOnWithout("listener", failed.error, state, context);
  state.started.tell(failed);
}

function goOnWithout(actor: string, error: unknown, state: State, { env }: Ctx): void {
  const reason = reasonOf(error);
  state.degraded = [...state.degraded.filter((lost) => lost.actor !== actor), { actor, reason }];
  env.log.write("error", "an actor gave up, the network goes on without it", { actor, reason });
}

const CONTROL: ReadonlySet<NetworkMessage["type"]> = new Set([
  "Listening",
  "ListenFailed",
  "StoreFailed",
  "Stop",
  "Drained",
  "Kept",
  "StatusPart",
]);

function submit(
  { children }: State,
  { transaction, replyTo }: Extract<NetworkMessage, { type: "SubmitTransaction" }>,
): void {
  if (children.transactions.tell({ type: "Submit", transaction, replyTo })) return;
  replyTo.tell({ ok: false, id: "", rule: "busy", detail: "" });
}

function toProtocol(
  { children }: State,
  { protocol, message }: Extract<NetworkMessage, { type: "ToProtocol" }>,
  context: Ctx,
): void {
  const handler = children.protocols.get(protocol)!;
  if ("replyTo" in message) context.forward(handler, message, message.replyTo);
  else handler.tell(message);
}

function askClocks({ children }: State, context: Ctx): void {
  context.ask<RegistryMessage, readonly PeerReport[]>(
    children.registry,
    (to) => ({ type: "GetPeers", replyTo: to }),
    ASK_TIMEOUT_MS,
    (outcome) => ({ type: "ClocksTold", peers: outcome.ok ? outcome.value : [] }),
  );
}

function checkClock(state: State, peers: readonly PeerReport[], context: Ctx): void {
  const { clock, config, log } = context.env;
  const { offsetMaxMs, checkEveryMs, warnEveryMs } = config.clock;
  context.startTimer("clock", checkEveryMs, { type: "ClockDue" });
  const { wrong, offsetMs, told } = clockStatus(peers, offsetMaxMs);
  const nowMs = clock.monotonicMs();
  if (wrong === null || nowMs - state.clockWarnedMs < warnEveryMs) return;
  state.clockWarnedMs = nowMs;
  log.write("warn", "the clock is wrong", { offsetMs, told, reason: wrong });
}

/** No new peers, a last word to those there are, then it is over. */
function stop({ children }: State, replyTo: ActorRef<"Stopped">, context: Ctx): void {
  children.listener.tell({ type: "Stop" });
  context.ask<RegistryMessage, "Drained">(
    children.registry,
    (to) => ({ type: "Shutdown", replyTo: to }),
    context.env.config.shutdown.drainMs + 1_000,
    () => ({ type: "Drained", replyTo }),
  );
}

/** Nothing more comes: what waits in the mempool is written for the next start. */
function keep({ children }: State, replyTo: ActorRef<"Stopped">, context: Ctx): void {
  context.ask<SystemRouterMessage, "Kept">(
    children.system,
    (to) => ({ to: "mempool", message: { type: "KeepNow", replyTo: to } }),
    ASK_TIMEOUT_MS,
    () => ({ type: "Kept", replyTo }),
  );
}
