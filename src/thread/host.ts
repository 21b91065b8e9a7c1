// The main module of a network's thread: builds the node from its configuration and from the
// modules of its owner's ports, answers the calls of its owner (src/thread.ts) through comlink and
// feeds it events. Whatever ends the network ends the thread.

import { transfer } from "comlink";
import { startNode, type OwnPorts } from "../compose.js";
import { CodedError, invariant } from "../errors.js";
import type { NetworkEventType, ToldEvent } from "../actors/events/event-types.js";
import type { Network } from "../network.js";
import type { Log } from "../ports.js";
import { carry, outcomeOf, type Outcome } from "../runtime/thread-outcome.js";
import { endThread, hostThread } from "../runtime/thread-side.js";
import { buffersOf, ownBytes } from "./control.js";
import type { PortModule, PortModules, RemoteMethod } from "./control.js";
import type { ThreadControl, ThreadStart, ThreadStarted } from "./control.js";
import { FeedSender, LOG_ID } from "./feed.js";

class Host implements ThreadControl {
  readonly #feed: FeedSender;
  readonly #subscriptions = new Map<number, () => void>();
  #ports: Partial<Record<keyof OwnPorts, unknown>> = {};
  #network: Network | undefined;
  #ending = false;

  constructor(feed: FeedSender) {
    this.#feed = feed;
  }

  start({ config, ports, log }: ThreadStart): Promise<Outcome<ThreadStarted>> {
    return outcomeOf(async () => {
      try {
        for (const [name, module] of Object.entries(ports) as [keyof PortModules, PortModule][]) {
          this.#ports[name] = await loadPort(name, module);
        }
        const own = this.#ports as OwnPorts;
        const network = await startNode(config, log ? { ...own, log: this.#log() } : own);
        this.#network = network;
        this.#feed.missedBefore = () => network.missed;
      } catch (error) {
        await this.#closePorts();
        throw error;
      }
      const { peerId, listenAddresses, listenAddress, stopped } = this.#network;
      this.#endAfter(stopped);
      return { peerId, listenAddresses, listenAddress };
    });
  }

  async call(method: RemoteMethod, args: readonly unknown[]): Promise<Outcome<unknown>> {
    const network = this.#started();
    const answer = await outcomeOf(async () =>
      ownBytes(await (network[method] as (...args: readonly unknown[]) => unknown)(...args)),
    );
    return answer.ok ? transfer(answer, buffersOf([answer.value])) : answer;
  }

  subscribe(id: number, types: readonly NetworkEventType[]): void {
    const end = this.#started().subscribe(types, (event, eventId) =>
      this.#feed.push(id, { id: eventId, event } satisfies ToldEvent),
    );
    this.#subscriptions.set(id, end);
  }

  unsubscribe(id: number): void {
    this.#subscriptions.get(id)?.();
    this.#subscriptions.delete(id);
    this.#feed.forget(id);
  }

  stop(): void {
    this.#endAfter(this.#started().stop());
  }

  #started(): Network {
    invariant(this.#network !== undefined, "the network has started");
    return this.#network;
  }

  #endAfter(over: Promise<void>): void {
    over.then(
      () => this.#end(),
      (error: unknown) => this.#end(error),
    );
  }

  /** The end of this thread alone, whatever it still keeps open. */
  async #end(error?: unknown): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await this.#closePorts();
    this.#feed.end(error === undefined ? {} : { error: carry(error) });
    endThread(error !== undefined);
  }

  async #closePorts(): Promise<void> {
    const ports = Object.values(this.#ports) as { close?: () => unknown }[];
    this.#ports = {};
    for (const port of ports) await outcomeOf(() => port.close?.());
  }

  #log(): Log {
    return {
      write: (level, event, fields) =>
        this.#feed.push(LOG_ID, [level, event, fields === undefined ? {} : cloneable(fields)]),
    };
  }
}

async function loadPort(port: string, module: PortModule): Promise<unknown> {
  const { moduleUrl, exportName, options } = module;
  const attempt = async <T>(what: string, run: () => T | Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (cause) {
      throw refusal(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
    }
  };
  const refusal = (what: string, cause?: unknown): CodedError =>
    new CodedError("CONFIG_INVALID", `the ${port} "${exportName}" of ${moduleUrl} ${what}`, {
      cause,
    });
  const exports = await attempt(
    "cannot be imported",
    () => import(moduleUrl) as Promise<Record<string, unknown>>,
  );
  const create = exports[exportName];
  if (typeof create !== "function") throw refusal("is not an exported function");
  return attempt("refuses its options", () => (create as (options: unknown) => unknown)(options));
}

/** The fields of a log line, each that cannot be cloned in words. */
function cloneable(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return structuredClone(fields);
  } catch {
    return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, String(value)]));
  }
}

hostThread((port) => new Host(new FeedSender(port)));
