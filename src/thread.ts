// startNetworkThread: a whole network in a worker thread of its own, for a service whose own loop
// must stay free, or does not stay free. Calls cross by comlink, events and log lines by a batched
// feed; sockets, stores and pool threads all live under the network's thread.

import type { ResourceLimits } from "node:worker_threads";
import { transfer } from "comlink";
import { readEventId, eventId } from "./actors/events/event-ids.js";
import type {
  EventId,
  NetworkEvent,
  NetworkEventType,
  ToldEvent,
} from "./actors/events/event-types.js";
import { resolveConfig, type NetworkConfig, type NetworkConfigInput } from "./config.js";
import { CodedError, errorText, whenRejected } from "./errors.js";
import { callersLog } from "./log.js";
import { subscriberFailed, subscriberOf } from "./network/event-access.js";
import { checkedRead, eventStream } from "./network/event-stream.js";
import type { Network } from "./network.js";
import type { Log, LogLevel } from "./ports.js";
import { systemClock } from "./runtime/clock.js";
import { ThreadLife, type ThreadExit } from "./runtime/thread-life.js";
import { revive } from "./runtime/thread-outcome.js";
import { buffersOf, COMMANDS, ownBytes, REMOTE_METHODS } from "./thread/control.js";
import type { OwnFacts, PortModules, RemoteCalls, ThreadControl } from "./thread/control.js";
import { FeedReader, LOG_ID, type FeedItem } from "./thread/feed.js";
import { threadModule } from "./thread-module.js";

export type { PortModule, PortModules } from "./thread/control.js";

export interface NetworkThreadOptions {
  /** Own stores, mempool, consensus and protocols, made in the thread. */
  readonly ports?: PortModules;
  /** Called in this thread; a line at which it throws is lost. Default: silent. */
  readonly log?: Log;
  /** Called once, when a network that had started has ended for whatever reason. */
  readonly onExit?: (exit: NetworkThreadExit) => void;
  /** After this long a stop that is not over ends the thread by force. Default 15 s. */
  readonly stopTimeoutMs?: number;
  readonly resourceLimits?: ResourceLimits;
}

/** Without an error when the network was told to stop, and did. */
export type NetworkThreadExit = ThreadExit;

/**
 * A Network of which every method answers a promise. All reject with STOPPED once `stop` was called
 * or the thread has ended, also those that were pending then; with TIMEOUT, which names the method,
 * when the thread hangs (`calls.threadTimeoutMs`). Errors of the network keep their codes.
 */
export interface NetworkThread
  extends RemoteCalls, Pick<Network, OwnFacts | "subscribe" | "events" | "stopped"> {
  /** As Network's: a page that is not there yet is waited for in the network's thread. */
  readonly readEvents: Network["readEvents"];
  /** Events and log lines that were dropped because this thread was too slow to take them. */
  readonly missed: number;
  /**
   * Stops the network, then its thread. Resolves at once when the thread has ended before; rejects
   * with TIMEOUT when it had to be ended by force, with STOPPED when it died while it stopped.
   */
  stop(): Promise<void>;
}

/**
 * Like startNetwork, in a thread of its own. Rejects with the same errors, and with TIMEOUT when
 * the thread has not started within `calls.threadStartMs`.
 */
export async function startNetworkThread(
  config: NetworkConfigInput = {},
  options: NetworkThreadOptions = {},
): Promise<NetworkThread> {
  const { calls } = resolveConfig(config);
  checkThreadOptions(options);
  if ("protocols" in options) throw protocolsRefused();
  checkCloneable(options.ports ?? {});
  return new Owner(options, calls).start(config);
}

/** Throws CONFIG_INVALID. */
function checkThreadOptions(options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw new CodedError("CONFIG_INVALID", "the options must be an object");
}

/** Whoever writes no types would otherwise miss them without a word. */
function protocolsRefused(): CodedError {
  const sentence =
    "the functions of protocols cannot be handed to a thread: have them made there, by " +
    "ports: { protocols: { moduleUrl, exportName } }";
  return new CodedError("CONFIG_INVALID", sentence);
}

/** Throws CONFIG_INVALID: a thread is told by what can be cloned. */
function checkCloneable(ports: PortModules): void {
  for (const [name, module] of Object.entries(ports)) {
    try {
      structuredClone(module);
    } catch (cause) {
      const sentence = `the options of the ${name} cannot be cloned: ${errorText(cause)}`;
      throw new CodedError("CONFIG_INVALID", sentence, { cause });
    }
  }
}

interface Subscriber {
  readonly onEvent: (event: NetworkEvent, id: EventId) => void;
  readonly tellsMissed: boolean;
  lastId: EventId | undefined;
}

/** This side of one network thread. */
class Owner {
  readonly #options: NetworkThreadOptions;
  readonly #log: Log | undefined;
  readonly #calls: NetworkConfig["calls"];
  readonly #life: ThreadLife<ThreadControl>;
  readonly #feed: FeedReader;
  readonly #subscribers = new Map<number, Subscriber>();
  #nextId = LOG_ID + 1;

  constructor(options: NetworkThreadOptions, calls: NetworkConfig["calls"]) {
    this.#options = options;
    this.#log = options.log && callersLog(options.log);
    this.#calls = calls;
    this.#life = new ThreadLife<ThreadControl>({
      module: threadModule("./thread/host.js", import.meta.url),
      name: "vibecoin-network",
      what: "the network's thread",
      lostCode: "STOPPED",
      data: undefined,
      clock: systemClock,
      resourceLimits: options.resourceLimits,
      lastWord: () => this.#lastWord(),
    });
    this.#feed = new FeedReader(this.#life.port, (item) => this.#onItem(item));
  }

  async start(config: NetworkConfigInput): Promise<NetworkThread> {
    const { ports = {}, log } = this.#options;
    const own = await this.#life.start(this.#calls.threadStartMs, (control) =>
      control.start({ config, ports, log: log !== undefined }),
    );
    return this.#handle(own);
  }

  #handle(own: Pick<NetworkThread, OwnFacts>): NetworkThread {
    const [feed, life] = [this.#feed, this.#life];
    const calls = REMOTE_METHODS.map((method) => [
      method,
      (...args: unknown[]) => {
        const sent = args.map(ownBytes);
        const answer = life.ask(method, this.#calls.threadTimeoutMs, (control) =>
          control.call(method, transfer(sent, buffersOf(sent))),
        );
        if (COMMANDS.has(method)) answer.catch(() => undefined);
        return answer;
      },
    ]);
    const stopped = life.exited.then((exit) => {
      this.#tellExit(exit);
      if (exit.error !== undefined) throw exit.error;
    });
    stopped.catch(() => undefined);
    let stopping: Promise<void> | undefined;
    const remote = Object.fromEntries(calls) as RemoteCalls;
    const readEvents = remote.readEvents as Network["readEvents"];
    return {
      ...own,
      ...remote,
      readEvents,
      subscribe: (types, onEvent) => this.#subscribe(types, onEvent),
      events: (types, options = {}) => {
        life.assertRunning();
        checkedRead({ types, after: options.after });
        return eventStream(readEvents, types, options);
      },
      stopped,
      get missed() {
        return feed.missed;
      },
      stop: () => (stopping ??= this.#stop()),
    };
  }

  #subscribe(types: readonly NetworkEventType[], given: unknown): () => void {
    const onEvent = subscriberOf(types, given);
    this.#life.assertRunning();
    const id = this.#nextId++;
    const tellsMissed = types.includes("EventsMissed");
    this.#subscribers.set(id, { onEvent, tellsMissed, lastId: undefined });
    // By the way of the calls, so that a call made later finds the subscription in place.
    this.#life.tell((control) => control.subscribe(id, types));
    return () => this.#unsubscribe(id);
  }

  #unsubscribe(id: number): void {
    if (!this.#subscribers.delete(id)) return;
    this.#life.tell((control) => control.unsubscribe(id));
  }

  #onItem([id, value, dropped = 0]: FeedItem): void {
    if (id === LOG_ID) {
      this.#log?.write(...(value as [LogLevel, string, Readonly<Record<string, unknown>>]));
      return;
    }
    // As within a network: a function that fails ends its own subscription.
    const onFailed = (error: unknown): void => {
      if (!this.#subscribers.has(id)) return;
      this.#unsubscribe(id);
      subscriberFailed(error);
    };
    const subscriber = this.#subscribers.get(id);
    if (subscriber === undefined) return;
    const call = ({ id: eventId, event }: ToldEvent): void => {
      try {
        whenRejected(subscriber.onEvent(event, eventId), onFailed);
      } catch (error) {
        onFailed(error);
      }
    };
    const told = value as ToldEvent;
    if (dropped > 0 && subscriber.tellsMissed) call(missedBefore(told, dropped, subscriber.lastId));
    subscriber.lastId = told.id;
    if (this.#subscribers.has(id)) call(told);
  }

  async #stop(): Promise<void> {
    if (this.#life.isOver) return;
    const { error } = await this.#life.stop(this.#options.stopTimeoutMs ?? 15_000);
    if (error !== undefined) throw error;
  }

  #lastWord(): { readonly error: Error | undefined } | undefined {
    this.#feed.close();
    this.#subscribers.clear();
    const { end } = this.#feed;
    return end && { error: end.error && revive(end.error) };
  }

  #tellExit(exit: NetworkThreadExit): void {
    const onFailed = (error: unknown): void =>
      process.emitWarning(`onExit of the network failed: ${errorText(error)}`, "NetworkEnded");
    try {
      whenRejected(this.#options.onExit?.(exit), onFailed);
    } catch (error) {
      onFailed(error);
    }
  }
}

/** On the way from the network's thread: this one was too slow. */
function missedBefore(
  { id }: ToldEvent,
  count: number,
  last: EventId | undefined,
): ToldEvent<"EventsMissed"> {
  const { run, seq } = readEventId(id)!;
  const firstId = last === undefined ? null : eventId(run, readEventId(last)!.seq + 1);
  const lastId = eventId(run, seq - 1);
  return { id: lastId, event: { type: "EventsMissed", reason: "slow", count, firstId, lastId } };
}
