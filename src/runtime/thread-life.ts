// The life of a thread of this package that is controlled by comlink, seen by whom started it: it is
// asked with a deadline, told to stop and ended by force when it does not, and has one answer to
// why it ended. Whoever waits for it meanwhile is told. The other side is thread-side.ts.

import { MessageChannel, Worker, type MessagePort, type ResourceLimits } from "node:worker_threads";
import { wrap } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { CodedError } from "../errors.js";
import type { Clock, Timer } from "../ports.js";
import { valueOf, type Outcome } from "./thread-outcome.js";
import type { HostedData } from "./thread-side.js";

/** What a thread exposes, as it is called from here. Comlink's own type needs those of a browser. */
export type Called<C> = {
  readonly [Name in keyof C]: C[Name] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

export interface ThreadLifeOptions {
  /** From `threadModule`. */
  readonly module: URL;
  /** The worker's. */
  readonly name: string;
  /** Which thread, as sentences begin: "the network's thread". */
  readonly what: string;
  /** Of an end that this side did not ask for. */
  readonly lostCode: "STOPPED" | "WORKER_LOST";
  /** Structured-cloneable; what the host is made of. */
  readonly data: unknown;
  readonly clock: Clock;
  readonly resourceLimits?: ResourceLimits | undefined;
  /**
   * Called when the thread is gone: how the hosted thing ended, if it could still say so by a way of
   * its own. That counts before the exit code.
   */
  readonly lastWord: () => { readonly error?: Error | undefined } | undefined;
}

export interface ThreadExit {
  /** Absent when what it hosted ended in good order. */
  readonly error?: Error;
  readonly code: number;
}

/** `C` is what the thread exposes; its methods answer outcomes, and its commands nothing. */
export class ThreadLife<C extends { stop(): void }> {
  /** This side's end of the port that the thread is given. */
  readonly port: MessagePort;
  /** Never rejects. */
  readonly exited: Promise<ThreadExit>;
  readonly #options: ThreadLifeOptions;
  readonly #worker: Worker;
  readonly #control: Called<C>;
  readonly #pending = new Set<(error: CodedError) => void>();
  #exit: ThreadExit | undefined;
  /** What ended the thread, where this side knows better than the exit code. */
  #cause: Error | undefined;
  #stopping: Promise<ThreadExit> | undefined;

  constructor(options: ThreadLifeOptions) {
    const { module, name, data, resourceLimits } = options;
    this.#options = options;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.#worker = new Worker(module, {
      name,
      workerData: { port: port2, data } satisfies HostedData,
      transferList: [port2],
      ...(resourceLimits && { resourceLimits }),
    });
    this.#control = wrap<C>(nodeEndpoint(this.#worker)) as unknown as Called<C>;
    this.#worker.once("error", (error) => (this.#cause ??= error));
    this.exited = new Promise((resolve) => {
      this.#worker.once("exit", (code) => {
        this.#exit = this.#exitOf(code);
        resolve(this.#exit);
        const over = this.#over();
        for (const fail of this.#pending) fail(over);
      });
    });
  }

  get isOver(): boolean {
    return this.#exit !== undefined;
  }

  /** Throws STOPPED once it was told to stop or has ended. */
  assertRunning(): void {
    if (this.#exit !== undefined || this.#stopping !== undefined) throw this.#over();
  }

  /**
   * The thread's answer. Rejects with what it failed with there, with STOPPED when the thread ends,
   * and with TIMEOUT, which says `name`, when it hangs: comlink alone would wait for ever.
   */
  async ask<T>(
    name: string,
    timeoutMs: number,
    call: (control: Called<C>) => Promise<Outcome<T>>,
  ): Promise<T> {
    this.assertRunning();
    const { clock, what } = this.#options;
    let fail: (error: CodedError) => void = () => undefined;
    let timer: Timer | undefined;
    const outcome = await new Promise<Outcome<T>>((resolve, reject) => {
      fail = reject;
      this.#pending.add(fail);
      call(this.#control).then(resolve, reject);
      const late = `${what} did not answer ${name} within ${timeoutMs} ms`;
      timer = clock.setTimer(timeoutMs, () => {
        // Once round the loop: if it was this thread that hung, the answer waits to be read.
        timer = clock.setTimer(1, () => reject(new CodedError("TIMEOUT", late)));
      });
    }).finally(() => {
      timer?.cancel();
      this.#pending.delete(fail);
    });
    return valueOf(outcome);
  }

  /** Asks it to start; one that does not is of no use, and has been ended when this rejects. */
  async start<T>(timeoutMs: number, call: (control: Called<C>) => Promise<Outcome<T>>): Promise<T> {
    try {
      return await this.ask("start", timeoutMs, call);
    } catch (cause) {
      const { what, lostCode } = this.#options;
      await this.end(new CodedError(lostCode, `${what} could not start`, { cause }));
      throw cause;
    }
  }

  /** For a command: it fails only in a thread that is about to end, which is told otherwise. */
  tell(command: (control: Called<C>) => Promise<void>): void {
    command(this.#control).catch(() => undefined);
  }

  /** Tells it once to stop; after `timeoutMs` it is ended, and TIMEOUT is why. Never rejects. */
  stop(timeoutMs: number): Promise<ThreadExit> {
    return (this.#stopping ??= this.#stop(timeoutMs));
  }

  /** Ends it at once, because of `error`. Resolves when it has ended. */
  async end(error: Error): Promise<void> {
    this.#cause = error;
    await this.#worker.terminate();
  }

  async #stop(timeoutMs: number): Promise<ThreadExit> {
    if (this.#exit !== undefined) return this.#exit;
    const { clock, what } = this.#options;
    const timer = clock.setTimer(timeoutMs, () => {
      const late = `${what} did not stop within ${timeoutMs} ms and was ended`;
      void this.end(new CodedError("TIMEOUT", late));
    });
    this.tell((control) => (control as unknown as Called<{ stop(): void }>).stop());
    const exit = await this.exited;
    timer.cancel();
    return exit;
  }

  #exitOf(code: number): ThreadExit {
    const said = this.#options.lastWord();
    const error = said === undefined ? this.#death(code) : said.error;
    return error === undefined ? { code } : { code, error };
  }

  #death(code: number): Error {
    const cause = this.#cause;
    if (cause instanceof CodedError) return cause;
    const { what, lostCode } = this.#options;
    const why = cause === undefined ? `with code ${code}` : `by an error: ${String(cause)}`;
    return new CodedError(lostCode, `${what} ended ${why}`, { cause });
  }

  /** What a call is told that has nobody to answer it any more. */
  #over(): CodedError {
    const error = this.#exit?.error;
    if (error instanceof CodedError && error.code === "STOPPED") return error;
    return new CodedError("STOPPED", `${this.#options.what} has stopped`, { cause: error });
  }
}
