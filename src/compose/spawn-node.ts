// The actors of a node on an environment that is given: by compose with real adapters, by the simulator
// with its own.

import type { NodeEnv } from "../actors/env.js";
import { accounted, type NodeParts } from "../actors/node-memory.js";
import { eventBus } from "../actors/events/event-bus.js";
import { nothingUntold } from "../actors/integration/chain-commits.js";
import type { StoreFailed } from "../actors/integration/consensus-integration.js";
import { guardConsensus } from "../actors/integration/guarded-consensus.js";
import { nothingFollowed, type Followed } from "../actors/integration/mempool-follower.js";
import { gaveUp, type ActorLost } from "../actors/service/given-up.js";
import type { ListenOutcome } from "../actors/service/listener.js";
import { networkService } from "../actors/service/network-service.js";
import { protocolLink } from "../actors/service/protocol-link.js";
import type { LimitsReport } from "../actors/throttle/throttle.js";
import { changeLimits, type LimitsInput } from "../config.js";
import type { CodedError } from "../errors.js";
import { networkHandle, type Network, type NetworkParts } from "../network.js";
import type { ServiceProtocol } from "../ports.js";
import { createActorSystem, type FaultReport } from "../runtime/actor-system.js";
import { defineActor, type ActorRef } from "../runtime/actor.js";
import type { Scheduler } from "../runtime/scheduler.js";

export interface SpawnOptions {
  readonly scheduler: Scheduler;
  readonly protocols?: readonly ServiceProtocol[];
  /** Of this run of the node: 16 hex digits that no other one of it had. In the ids of events. */
  readonly run: string;
  /** The first segment of every actor's path; default "node". */
  readonly name?: string;
  readonly onFault: (report: FaultReport) => void;
  /** Called when the node listens or cannot, and again after each restart of the service. */
  readonly onStarted: (outcome: ListenOutcome) => void;
}

export type SpawnedNode = Pick<
  NetworkParts,
  "system" | "service" | "events" | "serviceGone" | "missed" | "links"
> &
  Pick<NodeEnv, "memory" | "throttle"> & {
    /** How far the mempool has followed the chain. */
    readonly followed: Readonly<Followed>;
  };

/** The actors of a node, spawned and not yet run: nothing happens before the scheduler's turn. */
export function spawnNode(env: NodeParts, options: SpawnOptions): SpawnedNode {
  const { clock, random, log } = env;
  const { scheduler, run, name = "node", protocols = [], onFault, onStarted } = options;
  const linked = protocols.map(({ name: protocol, kinds }, index) => {
    // A copy: what was checked and told to peers stays as it is.
    const own = { name: protocol, kinds: structuredClone(kinds) };
    const link = protocolLink(own, () => ({ system, service }), env.config.calls.timeoutMs);
    return { ...own, service: protocols[index]!, link };
  });
  const consensus = guardConsensus(env.consensus, log);
  const guarded = accounted({ ...env, consensus, protocols: linked });
  // A fault that escalates is reported where it began first, and that is what ends the network.
  let last: Pick<FaultReport, "path" | "error"> = { path: "network", error: "it stopped" };
  const onReport = (report: FaultReport): void => {
    if (report.error !== last.error) last = report;
    onFault(report);
  };
  const kernel = { env: guarded, clock, random, scheduler, name, onFault: onReport };
  const system = createActorSystem(kernel);
  let onServiceGone: (reason: CodedError) => void = () => undefined;
  const serviceGone = new Promise<CodedError>((resolve) => (onServiceGone = resolve));
  const onGone = (failure: CodedError | undefined): void => {
    const reason = failure ?? gaveUp(last.path, last.error);
    onServiceGone(reason);
    onStarted({ type: "ListenFailed", error: reason });
  };
  const started = system.spawn(startTap, { onStarted, onGone }, { name: "start" });
  // Beside the network, not below it: who subscribed stays subscribed when the network restarts.
  const missed = { count: 0 };
  const bus = {
    mailboxMax: env.config.mailbox.dataMax,
    run,
    keptBytesMax: env.config.events.keptBytesMax,
    heard: guarded.heard,
    dropped: { count: 0 },
    onMissed: (): void => void missed.count++,
  };
  const events = system.spawn(eventBus, bus, { name: "events" });
  // Nor is lost which facts it had still to publish, and which blocks its mempool had to follow.
  const followed = nothingFollowed();
  const args = { started, events, untold: nothingUntold(), followed };
  const service = system.spawn(networkService, args, { name: "network" });
  for (const actor of [events, service]) started.tell({ type: "Watch", actor });
  const links = new Map(linked.map(({ name: protocol, link }) => [protocol, link]));
  const { memory, throttle } = guarded;
  return { system, service, events, serviceGone, missed, links, memory, throttle, followed };
}

/** The handle of a spawned node. */
export function handleOf(
  { peerId, blocks, config, log }: NodeParts,
  spawned: SpawnedNode,
  rest: Pick<NetworkParts, "listenAddresses" | "close" | "diskWaitMs">,
): Network {
  const { throttle } = spawned;
  const setLimits = (changes: LimitsInput): LimitsReport => {
    throttle.limits = changeLimits({ ...config, limits: throttle.limits }, changes);
    log.write("info", "limits changed", { ...throttle.limits });
    return throttle.report();
  };
  return networkHandle({ ...spawned, peerId, blocks, config, setLimits, ...rest });
}

interface StartTapArgs {
  /** Called with every answer; what a restart says after the first one is not awaited. */
  readonly onStarted: (outcome: ListenOutcome) => void;
  /** The service or the event bus stopped for good; absent: by a fault of its own. */
  readonly onGone: (failure: CodedError | undefined) => void;
}

type StartTapMessage =
  | ListenOutcome
  | StoreFailed
  | ActorLost
  | { readonly type: "Watch"; readonly actor: ActorRef<never> }
  | { readonly type: "Gone" };

/** Turns the fate of the service into calls. */
const startTap = defineActor<
  StartTapArgs,
  StartTapMessage,
  StartTapArgs & { failure?: CodedError },
  unknown
>({
  name: "start",
  mailbox: { dataMax: 64, controlMax: 64, overflow: "dropOldest" },
  onFault: { kind: "stop" },
  init: (_context, args) => ({ ...args }),
  receive(state, message, context) {
    if (message.type === "Watch") context.watch(message.actor);
    else if (message.type === "Gone") state.onGone(state.failure);
    else if (message.type === "StoreFailed" || message.type === "ActorLost") {
      state.failure ??= message.error;
    } else state.onStarted(message);
  },
  signal(_state, signal, context) {
    // Signals overtake messages, and the one that says why may still wait.
    if (signal.type === "terminated") context.self.tell({ type: "Gone" });
  },
});
