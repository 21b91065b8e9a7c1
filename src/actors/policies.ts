// The fault policies that actors share. An actor may restart by itself when everything it needs is
// told to it again at its start; one that others registered with escalates, since they would not.

import type { OnFault } from "../runtime/actor.js";

/** Starts again with fresh state; the message that failed is dropped and counted. */
export const RESTART: OnFault = Object.freeze({
  kind: "restart",
  restartsMax: 16,
  withinMs: 60_000,
  backoffMinMs: 10,
  backoffMaxMs: 1_000,
});

/** Takes its parent down with it. */
export const ESCALATE: OnFault = Object.freeze({ kind: "escalate" });
