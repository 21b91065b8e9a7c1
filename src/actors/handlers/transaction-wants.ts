// Which announced transactions are asked for: of whom, and who else announced them. Pure; owned by
// the transaction handler, which sends the requests that this plans.

import { invariant } from "../../errors.js";
import type { ActorRef } from "../../runtime/actor.js";
import type { HashHex } from "../../chain/types.js";
import type { PeerId } from "../../ports.js";
import type { PeerHandlerMessage } from "../peer/peer-handler-messages.js";

export interface Announcer {
  readonly peerId: PeerId;
  readonly from: ActorRef<PeerHandlerMessage>;
}

/** Ids to be asked of one peer. */
export interface PlannedRequest {
  readonly tag: number;
  readonly to: Announcer;
  readonly ids: readonly HashHex[];
}

interface Want {
  /** The request that asks for it. */
  tag: number;
  /** Who else announced it, in that order. */
  readonly others: Announcer[];
}

/** Announcers of one id that wait for their turn, should the one that was asked not deliver. */
const OTHERS_MAX = 3;

export class TransactionWants {
  readonly #wanted = new Map<HashHex, Want>();
  readonly #asked = new Map<number, PlannedRequest>();
  /** How many of them each peer owes; none of zero. */
  readonly #owed = new Map<PeerId, number>();
  readonly #requestsPerPeerMax: number;
  #nextTag: number;

  constructor(requestsPerPeerMax: number, firstTag: number) {
    this.#requestsPerPeerMax = requestsPerPeerMax;
    this.#nextTag = firstTag;
  }

  /** Of ids that are not in hand: remembers who has them, and plans a request for the new ones. */
  announced(announcer: Announcer, ids: readonly HashHex[]): PlannedRequest | undefined {
    const fresh: HashHex[] = [];
    for (const id of ids) {
      const want = this.#wanted.get(id);
      if (want === undefined) fresh.push(id);
      else this.#remember(want, announcer);
    }
    if (fresh.length === 0 || this.#isBusy(announcer)) return undefined;
    return this.#ask(announcer, fresh);
  }

  /** It came, by whatever way: nobody is asked for it any more. */
  arrived(id: HashHex): void {
    this.#wanted.delete(id);
  }

  /** Of what a request asked for, those that are among these. */
  askedAmong(tag: number, ids: readonly HashHex[]): ReadonlySet<HashHex> {
    const asked = new Set(this.#asked.get(tag)?.ids);
    return new Set(ids.filter((id) => asked.has(id)));
  }

  /**
   * A request ended and brought so many of what it asked for, which have arrived. Plans what to ask
   * now for the rest. An answer that holds something may have been cut: this peer may have the rest,
   * and is asked again where nobody else announced it. Else it comes after the others: one that sends
   * a little at a time must not keep what they have. Any other end means that it has none of the rest
   * or will not send it.
   */
  ended(tag: number, brought: number): readonly PlannedRequest[] {
    const request = this.#asked.get(tag);
    if (request === undefined) return [];
    this.#asked.delete(tag);
    this.#owes(request.to.peerId, -1);
    const missing = request.ids.filter((id) => this.#wanted.get(id)?.tag === tag);
    const next = new Map<PeerId, { to: Announcer; ids: HashHex[] }>();
    for (const id of missing) {
      if (brought > 0) this.#wanted.get(id)!.others.push(request.to);
      const to = this.#nextAnnouncer(id);
      if (to === undefined) continue;
      const group = next.get(to.peerId) ?? { to, ids: [] };
      next.set(to.peerId, group);
      group.ids.push(id);
    }
    return [...next.values()].map(({ to, ids }) => this.#ask(to, ids));
  }

  /** The requests that the actor of this path has not answered. */
  tagsOf(path: string): readonly number[] {
    return [...this.#asked.values()].flatMap(({ tag, to }) => (to.from.path === path ? [tag] : []));
  }

  invariants(): void {
    const owed = new Map<PeerId, number>();
    for (const { to } of this.#asked.values()) owed.set(to.peerId, (owed.get(to.peerId) ?? 0) + 1);
    invariant(owed.size === this.#owed.size, "peers that owe nothing are forgotten");
    for (const [peerId, count] of owed) {
      invariant(count === this.#owed.get(peerId), "what a peer owes is counted");
      const max = this.#requestsPerPeerMax;
      invariant(count <= max, `${count} requests for transactions of one peer`);
    }
    for (const { tag, others } of this.#wanted.values()) {
      invariant(this.#asked.has(tag), "what is wanted was asked for");
      invariant(others.length <= OTHERS_MAX, `${others.length} announcers wait`);
    }
  }

  atRest(): void {
    invariant(this.#asked.size === 0, `${this.#asked.size} requests for transactions are owed`);
    invariant(this.#wanted.size === 0, `${this.#wanted.size} transactions are wanted`);
  }

  #remember({ tag, others }: Want, announcer: Announcer): void {
    const { peerId } = announcer;
    if (others.length >= OTHERS_MAX || this.#asked.get(tag)?.to.peerId === peerId) return;
    if (!others.some((other) => other.peerId === peerId)) others.push(announcer);
  }

  /** Takes it out of the list; forgets the id when there is none. */
  #nextAnnouncer(id: HashHex): Announcer | undefined {
    const others = this.#wanted.get(id)?.others ?? [];
    for (let other = others.shift(); other !== undefined; other = others.shift()) {
      if (!this.#isBusy(other)) return other;
    }
    this.#wanted.delete(id);
    return undefined;
  }

  #ask(to: Announcer, ids: readonly HashHex[]): PlannedRequest {
    const request = { tag: this.#nextTag++, to, ids };
    this.#asked.set(request.tag, request);
    this.#owes(to.peerId, 1);
    for (const id of ids) {
      const want = this.#wanted.get(id);
      if (want === undefined) this.#wanted.set(id, { tag: request.tag, others: [] });
      else want.tag = request.tag;
    }
    return request;
  }

  #isBusy({ peerId }: Announcer): boolean {
    return (this.#owed.get(peerId) ?? 0) >= this.#requestsPerPeerMax;
  }

  #owes(peerId: PeerId, change: number): void {
    const owed = (this.#owed.get(peerId) ?? 0) + change;
    if (owed === 0) this.#owed.delete(peerId);
    else this.#owed.set(peerId, owed);
  }
}
