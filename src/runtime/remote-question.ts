// Questions that cross a link between threads. On the side of the asker the link owns what it took
// along, by number; on the other side a stand-in with that number is owned by whoever holds it, and
// sends its end back, or goes home itself. Each link does so for itself: a question may cross several.

import type { AskOutcome } from "./actor.js";
import { Obligation, Owner, type Unanswered } from "./obligation.js";
import type { OpenList } from "./questions.js";

/** Questions have negative numbers in a frame: even for one of its sender, odd for one of its receiver. */
export const ofSender = (ticket: number): number => -2 * ticket;
export const ofReceiver = (ticket: number): number => -2 * ticket - 1;
export const isOfReceiver = (uid: number): boolean => uid % 2 !== 0;
export const ticketOf = (uid: number): number => Math.floor(-uid / 2);

/** What a link took to the other side and has not heard of again. */
export class TicketOwner extends Owner {
  private readonly byTicket = new Map<number, Obligation>();
  private readonly tickets = new Map<Obligation, number>();
  private lastTicket = 0;

  override take(obligation: Obligation): void {
    super.take(obligation);
    const ticket = ++this.lastTicket;
    this.byTicket.set(ticket, obligation);
    this.tickets.set(obligation, ticket);
  }

  override release(obligation: Obligation): void {
    super.release(obligation);
    this.byTicket.delete(this.ticketOf(obligation));
    this.tickets.delete(obligation);
  }

  settle(outcome: Unanswered): void {
    for (const obligation of [...this.byTicket.values()]) obligation.settle(outcome);
  }

  /** 0: none of these. */
  ticketOf(obligation: Obligation): number {
    return this.tickets.get(obligation) ?? 0;
  }

  /** Undefined: it was settled meanwhile. */
  find(ticket: number): Obligation | undefined {
    return this.byTicket.get(ticket);
  }
}

/** The way back to where the question was asked. */
export interface Homeward {
  /** False: nobody is there any more. */
  settleAtHome(question: RemoteQuestion, outcome: AskOutcome<unknown>): boolean;
}

/** Stands for a question of another thread. */
export class RemoteQuestion extends Obligation {
  /** Of the asker. */
  declare readonly path: string;
  /** Its ticket at home. */
  declare readonly number: number;
  declare readonly home: Homeward;
  /** Of the open ones of this side, until it is none any more. */
  declare private list: OpenList | undefined;

  constructor(home: Homeward, path: string, number: number, list: OpenList) {
    super();
    this.owner = undefined;
    this.previous = undefined;
    this.next = undefined;
    this.home = home;
    this.list = list;
    list.add(this);
    this.path = path;
    this.number = number;
  }

  get uid(): number {
    return 0;
  }

  get isSettled(): boolean {
    return this.list === undefined;
  }

  tell(message: unknown): boolean {
    return this.settle({ ok: true, value: message });
  }

  settle(outcome: AskOutcome<unknown>): boolean {
    return this.leave() && this.home.settleAtHome(this, outcome);
  }

  /** From here on it is nobody's on this side. False: it was so before. */
  leave(): boolean {
    if (this.list === undefined) return false;
    this.list.remove(this);
    this.list = undefined;
    this.owner?.release(this);
    return true;
  }
}
