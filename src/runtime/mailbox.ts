// The mailbox of one actor: two bounded lanes, control before data. The cell that owns it decides
// what a refusal means; here it is only counted.

import type { MailboxSpec } from "./actor.js";
import { invariant } from "../errors.js";
import { Ring } from "./ring.js";

/** What became of an offered message. Numbers, for this is the hot path of every tell. */
export const ACCEPTED = 0;
/** The data lane is full and its policy is to refuse. */
export const REFUSED = 1;
/** The control lane is full: a fault of the receiving actor. */
export const CONTROL_FULL = 2;
export type Offer = typeof ACCEPTED | typeof REFUSED | typeof CONTROL_FULL;

export class Mailbox<M> {
  /** Messages refused because a lane was full. */
  refusedCount = 0;
  /** Messages lost to an overflow policy that drops. */
  droppedCount = 0;
  private readonly spec: MailboxSpec<M>;
  private readonly onDropped: (message: M) => void;
  private readonly data = new Ring<M>();
  private readonly control = new Ring<M>();

  /** `onDropped` is told of each message that the policy drops. */
  constructor(spec: MailboxSpec<M>, onDropped: (message: M) => void = () => undefined) {
    invariant(
      spec.dataMax >= 1 && spec.controlMax >= 1,
      "a mailbox lane holds at least one message",
    );
    this.spec = spec;
    this.onDropped = onDropped;
  }

  get dataDepth(): number {
    return this.data.length;
  }

  get controlDepth(): number {
    return this.control.length;
  }

  get depth(): number {
    return this.data.length + this.control.length;
  }

  /** True when refused senders may try again: below half, so that they do not come one by one. */
  get writable(): boolean {
    return (
      this.data.length <= this.spec.dataMax >> 1 && this.control.length <= this.spec.controlMax >> 1
    );
  }

  offer(message: M): Offer {
    const { spec, data } = this;
    if (spec.isControl !== undefined && spec.isControl(message)) return this.offerControl(message);
    if (data.length < spec.dataMax) {
      data.push(message);
      return ACCEPTED;
    }
    if (spec.overflow === "reject") {
      this.refusedCount++;
      return REFUSED;
    }
    this.droppedCount++;
    spec.onDropped?.();
    let dropped = message;
    if (spec.overflow === "dropOldest") {
      dropped = data.shift()!;
      data.push(message);
    }
    this.onDropped(dropped);
    return ACCEPTED;
  }

  /** The next message, control first; undefined when empty. */
  take(): M | undefined {
    return this.control.length > 0 ? this.control.shift() : this.data.shift();
  }

  /** Every message that waits, in no order that counts. */
  *waiting(): Iterable<M> {
    yield* this.control.items();
    yield* this.data.items();
  }

  /** Empties both lanes and returns how many messages were left. */
  clear(): number {
    const left = this.depth;
    this.data.clear();
    this.control.clear();
    return left;
  }

  invariants(): void {
    invariant(this.data.length <= this.spec.dataMax, "the data lane is within its bound");
    invariant(this.control.length <= this.spec.controlMax, "the control lane is within its bound");
  }

  private offerControl(message: M): Offer {
    if (this.control.length >= this.spec.controlMax) {
      this.refusedCount++;
      return CONTROL_FULL;
    }
    this.control.push(message);
    return ACCEPTED;
  }
}
