// The other side of thread-life.ts, in the thread: shows its owner the control of what it hosts, and
// ends the thread with that.

import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { invariant } from "../errors.js";

/** What the owner gives to the thread. */
export interface HostedData {
  /** For what is not a call. */
  readonly port: MessagePort;
  readonly data: unknown;
}

/** For a thread's main module. `D` is what its owner gives as `data`. */
export function hostThread<D>(create: (port: MessagePort, data: D) => object): void {
  invariant(parentPort !== null, "a host runs in a worker thread");
  const { port, data } = workerData as HostedData;
  expose(create(port, data as D), nodeEndpoint(parentPort));
}

/** Ends this thread alone, whatever it still keeps open; what it had to say has been sent. */
export function endThread(failed: boolean): never {
  process.exit(failed ? 1 : 0);
}
