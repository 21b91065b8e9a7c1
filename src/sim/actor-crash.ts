// Crashes of single actors: a fault that has nothing to do with the message that it comes with. The
// node's loop asks before each delivery; what is thrown there the actor throws, with the message in
// hand and all that its slice did before it, and supervision does the rest.

import { actorType } from "../actors/actor-type.js";

class Planned extends Error {}

/** True also of what a host is told when an actor crashed too often. */
export function isActorCrash(error: unknown): boolean {
  return error instanceof Planned;
}

/** Those of its host: what they are for is to tell of a node's events and end. */
const HOSTS: ReadonlySet<string> = new Set(["start", "tap"]);

/** As a node has them that produces, listens, dials and keeps an index. */
export const ACTOR_TYPES: readonly string[] = [
  "block-handler",
  "block-repair",
  "broadcaster",
  "consensus",
  "dialer",
  "events",
  "listener",
  "mempool",
  "network",
  "peer",
  "producer",
  "protocol",
  "registry",
  "reputation",
  "router",
  "storage",
  "sync",
  "sync-handler",
  "system-router",
  "transaction-handler",
];

/** Every type once, sorted. */
export function typesOf(actors: readonly { readonly path: string }[]): readonly string[] {
  const types = new Set(actors.map(({ path }) => actorType(path)));
  return [...types].filter((type) => !HOSTS.has(type)).sort();
}

interface Armed {
  readonly type: string;
  left: number;
}

export class ActorCrash {
  /** So many actors crashed, by type. */
  readonly counts = new Map<string, number>();
  readonly #armed = new Set<Armed>();

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Answers what disarms it. */
  arm(type: string, skip: number): () => void {
    const armed = { type, left: skip };
    this.#armed.add(armed);
    return () => void this.#armed.delete(armed);
  }

  /** Throws when it is this actor's time. */
  meet(path: string): void {
    if (this.#armed.size === 0) return;
    const type = actorType(path);
    for (const armed of this.#armed) {
      if (armed.type !== type || armed.left-- > 0) continue;
      this.#armed.delete(armed);
      this.counts.set(type, (this.counts.get(type) ?? 0) + 1);
      throw new Planned(`a planned crash of ${path}`);
    }
  }
}
