// comlink ships no types for its adapter to Node's worker threads.

declare module "comlink/dist/esm/node-adapter.mjs" {
  import type { Endpoint } from "comlink";
  import type { MessagePort, Worker } from "node:worker_threads";

  export default function nodeEndpoint(worker: Worker | MessagePort): Endpoint;
}
