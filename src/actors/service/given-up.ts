// What becomes of a network when one of its actors used up its restarts: without one that the rest
// cannot do without it ends, and says which; without another it goes on, degraded, and says so.

import { printable } from "../../bytes/printable.js";
import { CodedError, errorText } from "../../errors.js";

/** An actor that gave up while the network goes on, and the fault that it ended with. */
export interface Degraded {
  /** Its name in the tree of actors, `mempool` for instance. */
  readonly actor: string;
  readonly reason: string;
}

/** Told to who started the network, which ends now. */
export interface ActorLost {
  readonly type: "ActorLost";
  readonly error: CodedError;
}

/** Without these there is no chain, no peer, or no way between them. */
const ESSENTIAL: ReadonlySet<string> = new Set([
  "consensus",
  "registry",
  "router",
  "storage",
  "sync",
  "system-router",
]);

export function isEssential(actor: string): boolean {
  return ESSENTIAL.has(actor);
}

/** The last segment of an actor's path. */
export function actorName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Why a network ended that nobody stopped; what led to it was logged fault by fault. */
export function gaveUp(path: string, error: unknown): CodedError {
  const why = reasonOf(error);
  const sentence = `The network gave up after repeated faults of its ${actorName(path)}: ${why}`;
  return new CodedError("STOPPED", sentence, { cause: error });
}

/** Strangers may have chosen a part of what an error says. */
export function reasonOf(error: unknown): string {
  return printable(errorText(error));
}
