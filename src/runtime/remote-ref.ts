// References of one thread to actors of another.

import type { Kernel } from "./kernel.js";
import { LocatedRef, type Lifeline, type Observer } from "./located-ref.js";

/** What carries messages to the other side, and watches its actors. */
export interface Carrier {
  readonly isClosed: boolean;
  send(ref: RemoteRef, message: unknown): boolean;
  watch(ref: RemoteRef): Lifeline | undefined;
  unwatch(ref: RemoteRef, observer: Observer): void;
}

/** An actor on the other side of a link. */
export class RemoteRef extends LocatedRef {
  readonly path: string;
  readonly uid: number;
  private readonly link: Carrier;

  constructor(link: Carrier, path: string, uid: number) {
    super();
    this.link = link;
    this.path = path;
    this.uid = uid;
  }

  tell(message: unknown): boolean {
    return this.link.send(this, message);
  }

  get isGone(): boolean {
    return this.link.isClosed;
  }

  lifeline(): Lifeline | undefined {
    return this.link.watch(this);
  }

  override unwatch(observer: Observer): void {
    this.link.unwatch(this, observer);
  }
}

/** What a reference becomes when its actor stopped before the message arrived. */
export class GoneRef extends LocatedRef {
  readonly path: string;
  readonly uid: number;
  private readonly kernel: Kernel;

  constructor(kernel: Kernel, path: string, uid: number) {
    super();
    this.kernel = kernel;
    this.path = path;
    this.uid = uid;
  }

  tell(): boolean {
    this.kernel.deadLetters++;
    return false;
  }

  get isGone(): boolean {
    return true;
  }

  lifeline(): undefined {
    return undefined;
  }
}
