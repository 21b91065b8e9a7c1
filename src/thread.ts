// startNetworkThread: a whole network in a worker thread of its own, for a service whose own loop
// must stay free, or does not stay free. Calls cross by comlink, events and log lines by a batched
// feed; sockets, stores and pool threads all live under the network's thread.

import { MessageChannel, Worker, type ResourceLimits } from "node:worker_threads";
import { transfer, wrap, type Remote } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { NetworkEvent, NetworkEventType } from "./actors/events/event-types.js";
import { resolveConfig, type NetworkConfig, type NetworkConfigInput } from "./config.js";
import { CodedError, errorText, whenRejected } from "./errors.js";
import { callersLog } from "./log.js";
import { subscriberFailed, subscriberOf, type Network } from "./network.js";
import type { Log, LogLevel, Timer } from "./ports.js";
import { systemClock } from "./runtime/clock.js";
import { buffersOf, ownBytes, REMOTE_METHODS, revive, valueOf } from "./thread/control.js";
import type {
  Outcome,
  OwnFacts,
  PortModules,
  RemoteCalls,
  ThreadControl,
} from "./thread/control.js";
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

export interface NetworkThreadExit {
  /** Absent when the network was told to stop, and did. */
  readonly error?: Error;
  readonly code: number;
}

/**
 * A Network of which every method answers a promise. All reject with STOPPED once `stop` was called
 * or the thread has ended, also those that were pending then; with TIMEOUT, which names the method,
 * when the thread hangs (`calls.threadTimeoutMs`). Errors of the network keep their codes.
 */
export interface NetworkThread
  extends RemoteCalls, Pick<Network, OwnFacts | "subscribe" | "stopped"> {
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
  if ("protocols" in options) throw protocolsRefused();
  checkCloneable(options.ports ?? {});
  const owner = new Owner(options, calls);
  try {
    const log = options.log !== undefined;
    const started = await owner.guard("start", calls.threadStartMs, (control) =>
      control.start({ config, ports: options.ports ?? {}, log }),
    );
    return owner.handle(started);
  } catch (error) {
    await owner.terminate();
    throw error;
  }
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

type Subscriber = (event: NetworkEvent) => void;

/** This side of one network thread. */
class Owner {
  readonly #options: NetworkThreadOptions;
  readonly #log: Log | undefined;
  readonly #calls: NetworkConfig["calls"];
  readonly #worker: Worker;
  readonly #control: Remote<ThreadControl>;
  readonly #feed: FeedReader;
  readonly #subscribers = new Map<number, Subscriber>();
  readonly #pending = new Set<(error: Error) => void>();
  readonly #exited: Promise<NetworkThreadExit>;
  #nextId = LOG_ID + 1;
  #started = false;
  #exit: NetworkThreadExit | undefined;
  /** What ended the thread, where this side knows better than the exit code. */
  #cause: Error | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: NetworkThreadOptions, calls: NetworkConfig["calls"]) {
    this.#options = options;
    this.#log = options.log && callersLog(options.log);
    this.#calls = calls;
    const { port1, port2 } = new MessageChannel();
    this.#worker = new Worker(threadModule("./thread/host.js", import.meta.url), {
      name: "vibecoin-network",
      workerData: { port: port2 },
      transferList: [port2],
      ...(options.resourceLimits && { resourceLimits: options.resourceLimits }),
    });
    this.#control = wrap<ThreadControl>(nodeEndpoint(this.#worker));
    this.#feed = new FeedReader(port1, (item) => this.#onItem(item));
    this.#worker.once("error", (error) => (this.#cause ??= error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", (code) => resolve(this.#ended(code)));
    });
  }

  handle(own: Pick<NetworkThread, OwnFacts>): NetworkThread {
    this.#started = true;
    const feed = this.#feed;
    const calls = REMOTE_METHODS.map((method) => [
      method,
      (...args: unknown[]) => {
        const sent = args.map(ownBytes);
        const answer = this.guard(method, this.#calls.threadTimeoutMs, (control) =>
          control.call(method, transfer(sent, buffersOf(sent))),
        );
        // As in Network: what is dialed is dialed again, whether anybody heeds the answer or not.
        if (method === "connect") answer.catch(() => undefined);
        return answer;
      },
    ]);
    const stopped = this.#exited.then(({ error }) => {
      if (error !== undefined) throw error;
    });
    stopped.catch(() => undefined);
    return {
      ...own,
      ...(Object.fromEntries(calls) as RemoteCalls),
      subscribe: (types, onEvent) => this.#subscribe(types, onEvent as Subscriber),
      stopped,
      get missed() {
        return feed.missed;
      },
      stop: () => (this.#stopping ??= this.#stop()),
    };
  }

  /**
   * The answer of the thread, its end, or that it hangs: comlink alone would wait for ever. `name`
   * is the method's.
   */
  async guard<T>(
    name: string,
    timeoutMs: number,
    call: (control: Remote<ThreadControl>) => Promise<Outcome<T>>,
  ): Promise<T> {
    this.#assertRunning();
    let fail: (error: Error) => void = () => undefined;
    let timer: Timer | undefined;
    const outcome = await new Promise<Outcome<T>>((resolve, reject) => {
      fail = reject;
      this.#pending.add(fail);
      call(this.#control).then(resolve, reject);
      const late = `the network's thread did not answer ${name} within ${timeoutMs} ms`;
      timer = systemClock.setTimer(timeoutMs, () => {
        // Once round the loop: if it was this thread that hung, the answer waits to be read.
        timer = systemClock.setTimer(1, () => reject(new CodedError("TIMEOUT", late)));
      });
    }).finally(() => {
      timer?.cancel();
      this.#pending.delete(fail);
    });
    return valueOf(outcome);
  }

  #assertRunning(): void {
    if (this.#exit !== undefined) throw this.#over(this.#exit);
    if (this.#stopping !== undefined) throw this.#over();
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #subscribe(types: readonly NetworkEventType[], subscriber: Subscriber): () => void {
    subscriberOf(types, subscriber);
    this.#assertRunning();
    const id = this.#nextId++;
    this.#subscribers.set(id, subscriber);
    // By the way of the calls, so that a call made later finds the subscription in place.
    this.#send(this.#control.subscribe(id, types));
    return () => this.#unsubscribe(id);
  }

  #unsubscribe(id: number): void {
    if (this.#subscribers.delete(id)) this.#send(this.#control.unsubscribe(id));
  }

  /** For a command: it fails only in a network that is about to end, which is told otherwise. */
  #send(command: Promise<void>): void {
    command.catch(() => undefined);
  }

  #onItem([id, value]: FeedItem): void {
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
    try {
      whenRejected(this.#subscribers.get(id)?.(value as NetworkEvent), onFailed);
    } catch (error) {
      onFailed(error);
    }
  }

  async #stop(): Promise<void> {
    if (this.#exit !== undefined) return;
    const timeoutMs = this.#options.stopTimeoutMs ?? 15_000;
    const timer = systemClock.setTimer(timeoutMs, () => {
      const late = `the network's thread did not stop within ${timeoutMs} ms and was ended`;
      this.#cause = new CodedError("TIMEOUT", late);
      void this.#worker.terminate();
    });
    this.#send(this.#control.stop());
    const { error } = await this.#exited;
    timer.cancel();
    if (error !== undefined) throw error;
  }

  #ended(code: number): NetworkThreadExit {
    this.#feed.close();
    const { end } = this.#feed;
    const error = end === undefined ? this.#death(code) : end.error && revive(end.error);
    this.#exit = error === undefined ? { code } : { code, error };
    const over = this.#over(this.#exit);
    for (const fail of this.#pending) fail(over);
    this.#subscribers.clear();
    if (this.#started) this.#tellExit(this.#exit);
    return this.#exit;
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

  #death(code: number): Error {
    const cause = this.#cause;
    if (cause instanceof CodedError) return cause;
    const why = cause === undefined ? `with code ${code}` : `by an error: ${String(cause)}`;
    return new CodedError("STOPPED", `the network's thread ended ${why}`, { cause });
  }

  /** What a call is told that has nobody to answer it any more. */
  #over({ error }: Partial<NetworkThreadExit> = {}): CodedError {
    return error instanceof CodedError && error.code === "STOPPED"
      ? error
      : new CodedError("STOPPED", "the network has stopped", { cause: error });
  }
}
