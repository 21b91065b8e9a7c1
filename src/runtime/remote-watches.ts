// Who watches whom over a link. The first watcher of an actor of the other side has that side watch it
// too, the last one that takes its watch back ends that.

import type { Kernel } from "./kernel.js";
import type { Address, Extras } from "./link-frame.js";
import { Lifeline, Observers, type LocatedRef, type Observer } from "./located-ref.js";

/** Says when nobody watches any more; not when all were told. */
class Watchers extends Observers {
  private readonly onEmpty: () => void;

  constructor(onEmpty: () => void) {
    super();
    this.onEmpty = onEmpty;
  }

  override remove(observer: Observer): void {
    super.remove(observer);
    if (this.size === 0) this.onEmpty();
  }
}

class RemoteLifeline extends Lifeline {
  override readonly watchers: Observers;

  constructor(onUnwatched: () => void) {
    super();
    this.watchers = new Watchers(onUnwatched);
  }
}

export interface RemoteWatchesOptions {
  readonly kernel: Kernel;
  /** The link: told of the end of what the other side watches. */
  readonly observer: Observer;
  /** Of the next frame, which it makes leave. */
  readonly extras: () => Extras;
}

export class RemoteWatches {
  private readonly kernel: Kernel;
  private readonly observer: Observer;
  private readonly extras: () => Extras;
  /** Of actors of the other side that somebody here watches. */
  private readonly lifelines = new Map<string, RemoteLifeline>();
  /** Actors of this side that the other side wants to hear of, by path. */
  private readonly observed = new Map<string, Address>();

  constructor({ kernel, observer, extras }: RemoteWatchesOptions) {
    this.kernel = kernel;
    this.observer = observer;
    this.extras = extras;
  }

  // ---- of the other side's actors -------------------------------------------------------------

  /** The lifeline of an actor of the other side; the first use asks that side to report its end. */
  watch({ path, uid }: LocatedRef): Lifeline {
    const address: Address = [path, uid];
    const key = keyOf(address);
    let lifeline = this.lifelines.get(key);
    if (lifeline === undefined) {
      lifeline = new RemoteLifeline(() => {
        this.lifelines.delete(key);
        const { watch, unwatch } = this.extras();
        if (!takeOut(watch, address)) unwatch.push(address);
      });
      this.lifelines.set(key, lifeline);
      const { watch, unwatch } = this.extras();
      if (!takeOut(unwatch, address)) watch.push(address);
    }
    return lifeline;
  }

  unwatch({ path, uid }: LocatedRef, observer: Observer): void {
    this.lifelines.get(keyOf([path, uid]))?.watchers.remove(observer);
  }

  /** The other side says that it stopped. */
  gone(address: Address): void {
    const key = keyOf(address);
    const lifeline = this.lifelines.get(key);
    this.lifelines.delete(key);
    lifeline?.end(address[0]);
  }

  /** Nothing is heard of any of them any more. */
  close(): void {
    const lifelines = [...this.lifelines];
    this.lifelines.clear();
    for (const [key, lifeline] of lifelines) lifeline.end(key.slice(0, key.lastIndexOf("#")));
  }

  // ---- of this side's actors ------------------------------------------------------------------

  observe(address: Address): void {
    const lifeline = this.kernel.resolve(...address)?.lifeline();
    if (lifeline === undefined) {
      this.extras().gone.push(address);
      return;
    }
    this.observed.set(address[0], address);
    lifeline.watchers.add(this.observer);
  }

  /** `isNeeded`: the link itself wants to hear of its end. */
  unobserve(address: Address, isNeeded: boolean): void {
    if (this.observed.get(address[0])?.[1] !== address[1]) return;
    this.observed.delete(address[0]);
    if (!isNeeded) this.kernel.resolve(...address)?.unwatch(this.observer);
  }

  /** An actor of this side stopped for good. */
  ended(path: string): void {
    const address = this.observed.get(path);
    if (address === undefined) return;
    this.observed.delete(path);
    this.extras().gone.push(address);
  }
}

function keyOf([path, uid]: Address): string {
  return `${path}#${uid}`;
}

/** True: it was there. What is taken back in the frame that would say it is not said. */
function takeOut(addresses: Address[], [path, uid]: Address): boolean {
  const at = addresses.findIndex((other) => other[0] === path && other[1] === uid);
  if (at >= 0) addresses.splice(at, 1);
  return at >= 0;
}
