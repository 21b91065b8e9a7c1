// The edges of a relay tree at one node, of one kind of news: which peers are pushed what was accepted
// and which push it here (eager), and which are told by id and tell (lazy). An edge is never less than
// lazy. Pure and deterministic, with the time passed in; the broadcaster owns one for blocks and one
// for transactions, and carries out its orders.
// After Plumtree (Leitao, Pereira, Rodrigues 2007), against peers that lie: which edges push here is
// this node's choice alone, by who told it first of what proved valid.

import { invariant } from "../../errors.js";
import type { Relayed } from "../../protocol/kinds/relay.js";
import { RateLimit } from "../../protocol/session/rate-limit.js";
import type { Slot } from "./who-has.js";

export interface TreePolicy {
  readonly what: Relayed;
  /** As many peers as this push here, where there are so many. */
  readonly inMin: number;
  /** As many peers as push here until it is known whose pushes come first. */
  readonly inFirst: number;
  /** An edge that either side wants is eager both ways, so that one tree serves every origin. */
  readonly mutual: boolean;
  /** As late as who tells of news after this node did, or never, is taken to be. */
  readonly lateMs: number;
  /** Another edge takes the place of one that is later than it by so much. */
  readonly marginMs: number;
  /** Between two changes of edges by this node. */
  readonly pauseMs: number;
}

/** What is known of a peer when its connection is ready. */
export interface RelayPeer {
  readonly slot: Slot;
  /** This node chose it. */
  readonly isOutbound: boolean;
  /** Its address group; undefined: it counts as one of its own. */
  readonly group: string | undefined;
}

/** To be told to a peer. */
export interface Order {
  readonly slot: Slot;
  readonly kind: "Prune" | "Graft";
}

interface Edge extends RelayPeer {
  /** This node wants its pushes. */
  mine: boolean;
  /** It wants this node's pushes. */
  theirs: boolean;
  /** How long after the first it tells of news; smoothed. */
  delayMs: number;
  /** Of its own prunes and grafts. */
  readonly changes: RateLimit;
}

/** Of pushes so many may come twice, and some at any time: where there are more, there is a circle. */
const REPEATS_PART = 1 / 16;
const REPEATS_MIN = 8;
/** Pushes may cross changes of edges: so many are missed before an edge is taken for broken. */
const MISSES_MIN = 3;
const GIVEN_UP_MS = 1_000;
/** RFC 6298's gain. */
const GAIN = 1 / 8;
/** Prunes and grafts of one peer: what is beyond it changes nothing. */
const CHANGES = { itemsPerSecond: 1, burstItems: 16 };
/** Of those that push here one is of this node's choice at least, where there is one. */
const OUTBOUND_MIN = 1;

export class RelayTree {
  readonly #policy: TreePolicy;
  readonly #edges = new Map<Slot, Edge>();
  #orders: Order[] = [];
  /** Pushes that came, and those of them that were here, since this node chose its edges by a beacon. */
  #pushes = 0;
  #repeats = 0;
  #misses = 0;
  /** By the last beacon, until the others are given up. */
  #chosen: Edge | undefined;
  #chosenMs = 0;
  /** What it chose by a beacon serves it well so far. */
  #isSettled = false;
  #changedMs = Number.NEGATIVE_INFINITY;

  constructor(policy: TreePolicy) {
    this.#policy = policy;
  }

  get size(): number {
    return this.#edges.size;
  }

  /** How many push here. */
  get inCount(): number {
    let count = 0;
    for (const edge of this.#edges.values()) if (this.#pushesHere(edge)) count++;
    return count;
  }

  isIn(slot: Slot): boolean {
    const edge = this.#edges.get(slot);
    return edge !== undefined && this.#pushesHere(edge);
  }

  isOut(slot: Slot): boolean {
    const edge = this.#edges.get(slot);
    return edge !== undefined && (edge.theirs || (this.#policy.mutual && edge.mine));
  }

  /** Both sides begin with eager edges: whoever has enough of them says so. */
  joined(peer: RelayPeer, nowMs: number): void {
    const { inFirst, lateMs } = this.#policy;
    const changes = new RateLimit(CHANGES);
    const edge = { ...peer, mine: true, theirs: true, delayMs: lateMs, changes };
    this.#edges.set(peer.slot, edge);
    let wanted = 0;
    for (const { mine } of this.#edges.values()) if (mine) wanted++;
    if (this.#isSettled || wanted > inFirst) this.#prune(edge, nowMs);
  }

  gone(slot: Slot): void {
    if (this.#edges.get(slot)?.mine === true) this.#isSettled = false;
    this.#edges.delete(slot);
  }

  /** It wants no pushes any more. */
  pruned(slot: Slot, nowMs: number): void {
    const edge = this.#edges.get(slot);
    if (edge?.changes.take(1, nowMs) === true) edge.theirs = false;
  }

  /** It wants pushes. */
  grafted(slot: Slot, nowMs: number): void {
    const edge = this.#edges.get(slot);
    if (edge?.changes.take(1, nowMs) === true) edge.theirs = true;
  }

  /** It pushed what was not here. */
  pushed(nowMs: number): void {
    this.#pushes++;
    this.#giveUp(nowMs);
  }

  /** It pushed what was here: `copies` came before. */
  repeated(slot: Slot, copies: number, nowMs: number): void {
    const { inMin, mutual } = this.#policy;
    const edge = this.#edges.get(slot);
    if (mutual) {
      this.#pushes++;
      this.#repeats++;
      if (this.#repeats > REPEATS_PART * this.#pushes + REPEATS_MIN) this.#isSettled = false;
      return;
    }
    if (edge?.mine !== true || copies < inMin || this.inCount <= inMin) return;
    if (this.#isNeeded(edge)) return;
    this.#prune(edge, nowMs);
  }

  /**
   * This peer was the first to tell of a beacon, which goes over all edges of the network: from wherever
   * it came, the edges by which it came first to each node are a tree. Of the edges that this node wants
   * this one stays, unless those it has serve it well.
   */
  beacon(slot: Slot, nowMs: number): void {
    const chosen = this.#edges.get(slot);
    if (chosen === undefined || this.#isSettled) return;
    this.#isSettled = true;
    this.#pushes = 0;
    this.#repeats = 0;
    this.#misses = 0;
    if (!chosen.mine) this.#graft(chosen, nowMs);
    this.#chosen = chosen;
    this.#chosenMs = nowMs;
  }

  /** What is on its way over the edges that it wanted before comes yet; then they are given up. */
  #giveUp(nowMs: number): void {
    if (this.#chosen === undefined || nowMs - this.#chosenMs < GIVEN_UP_MS) return;
    for (const edge of this.#edges.values()) {
      if (edge.mine && edge !== this.#chosen) this.#prune(edge, nowMs);
    }
    this.#chosen = undefined;
  }

  /** News was not pushed here in time, and is fetched of these, who told of it. */
  missed(slots: readonly Slot[], nowMs: number): void {
    if (this.#policy.mutual) {
      this.#misses++;
      if (this.#misses < MISSES_MIN) return;
      if (this.#misses > REPEATS_PART * this.#pushes) this.#isSettled = false;
    }
    if (nowMs - this.#changedMs < this.#policy.pauseMs) return;
    const edges = slots.map((slot) => this.#edges.get(slot)).filter((edge) => edge !== undefined);
    const best = bestOf(edges.filter((edge) => !this.#pushesHere(edge)));
    if (best === undefined) return;
    this.#misses = 0;
    this.#graft(best, nowMs);
  }

  /**
   * News proved valid, and enough time has passed: how long after the first each told of it; whoever
   * is not among them was told of it before it told.
   */
  judged(delaysMs: ReadonlyMap<Slot, number>, nowMs: number): void {
    const { lateMs } = this.#policy;
    for (const edge of this.#edges.values()) {
      const delayMs = Math.min(delaysMs.get(edge.slot) ?? lateMs, lateMs);
      edge.delayMs += GAIN * (delayMs - edge.delayMs);
    }
    this.improve(nowMs);
  }

  /** Grafts where too few push here, prunes where too many do, or has a better edge take the place of the worst. */
  improve(nowMs: number): void {
    const { inMin, marginMs, mutual, pauseMs } = this.#policy;
    if (nowMs - this.#changedMs < pauseMs) return;
    const edges = [...this.#edges.values()];
    const eager = edges.filter((edge) => this.#pushesHere(edge));
    const lazy = edges.filter((edge) => !this.#pushesHere(edge));
    if (eager.length < inMin) {
      const best = bestOf(this.#ofOtherGroups(lazy, eager)) ?? bestOf(lazy);
      if (best !== undefined) this.#graft(best, nowMs);
      return;
    }
    if (mutual) return;
    const able = eager.filter((edge) => !this.#isNeeded(edge));
    const spare = able.filter((edge) =>
      this.#isSpare(
        edge,
        eager.filter((other) => other !== edge),
      ),
    );
    const worst = worstOf(spare) ?? worstOf(able);
    if (worst === undefined) return;
    if (eager.length > inMin) {
      this.#prune(worst, nowMs);
      return;
    }
    const kept = eager.filter((edge) => edge !== worst);
    const best = bestOf(this.#candidates(lazy, kept));
    if (best === undefined) return;
    const isDue = best.delayMs + marginMs < worst.delayMs || this.#isSpare(worst, kept);
    if (!isDue && !(best.isOutbound && this.#lacksOutbound(eager))) return;
    this.#graft(best, nowMs);
    this.#prune(worst, nowMs);
  }

  /** Who tells first; of equals one of this node's choice. */
  best(): Slot | undefined {
    return bestOf([...this.#edges.values()])?.slot;
  }

  /** Fewer push here than should, and more could. */
  get lacksEdges(): boolean {
    const { inCount } = this;
    return inCount < this.#policy.inMin && inCount < this.size;
  }

  takeOrders(): readonly Order[] {
    if (this.#orders.length === 0) return this.#orders;
    const orders = this.#orders;
    this.#orders = [];
    return orders;
  }

  invariants(): void {
    for (const [slot, { delayMs, slot: own }] of this.#edges) {
      invariant(slot === own, "an edge is found by its peer");
      invariant(
        !this.#policy.mutual || this.isIn(slot) === this.isOut(slot),
        "an edge is eager both ways",
      );
      invariant(delayMs >= 0 && delayMs <= this.#policy.lateMs, `${delayMs} ms late`);
    }
  }

  #pushesHere({ mine, theirs }: Edge): boolean {
    return mine || (this.#policy.mutual && theirs);
  }

  #prune(edge: Edge, nowMs: number): void {
    edge.mine = false;
    this.#order(edge, "Prune", nowMs);
  }

  #graft(edge: Edge, nowMs: number): void {
    edge.mine = true;
    this.#order(edge, "Graft", nowMs);
  }

  #order({ slot }: Edge, kind: Order["kind"], nowMs: number): void {
    if (kind === "Graft" || !this.#policy.mutual) this.#changedMs = nowMs;
    this.#orders.push({ slot, kind });
  }

  /** The only one of this node's choice. */
  #isNeeded(edge: Edge): boolean {
    if (!edge.isOutbound || this.#policy.mutual) return false;
    let others = 0;
    for (const other of this.#edges.values()) {
      if (other !== edge && other.mine && other.isOutbound) others++;
    }
    return others < OUTBOUND_MIN;
  }

  #lacksOutbound(eager: readonly Edge[]): boolean {
    return eager.filter(({ isOutbound }) => isOutbound).length < OUTBOUND_MIN;
  }

  /** Who may push here beside these: of other address groups, and of this node's choice if none is. */
  #candidates(lazy: readonly Edge[], kept: readonly Edge[]): readonly Edge[] {
    const others = this.#ofOtherGroups(lazy, kept);
    if (!this.#lacksOutbound(kept)) return others;
    const chosen = others.filter(({ isOutbound }) => isOutbound);
    return chosen.length > 0 ? chosen : others;
  }

  #ofOtherGroups(lazy: readonly Edge[], kept: readonly Edge[]): readonly Edge[] {
    return lazy.filter((edge) => !this.#isSpare(edge, kept));
  }

  /** One of these is of its address group. */
  #isSpare({ group }: Edge, others: readonly Edge[]): boolean {
    return group !== undefined && others.some((other) => other.group === group);
  }
}

/** Who tells first; of equals one of this node's choice, then whoever is here for longest. */
function bestOf(edges: readonly Edge[]): Edge | undefined {
  let best: Edge | undefined;
  for (const edge of edges) if (best === undefined || isBetter(edge, best)) best = edge;
  return best;
}

function worstOf(edges: readonly Edge[]): Edge | undefined {
  let worst: Edge | undefined;
  for (const edge of edges) if (worst === undefined || !isBetter(edge, worst)) worst = edge;
  return worst;
}

function isBetter(edge: Edge, than: Edge): boolean {
  if (edge.delayMs !== than.delayMs) return edge.delayMs < than.delayMs;
  return edge.isOutbound && !than.isOutbound;
}
