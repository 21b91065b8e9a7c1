// The event loop of a simulated node: its scheduler, clock and transport, which can be held as a
// process is held by a long turn, by SIGSTOP, or with its whole machine. What happens meanwhile
// waits: afterwards timers are late, then what arrived is read, then the actors run; or the actors run
// before it is read, as asked for.

import type {
  Clock,
  Connection,
  ConnectionHandler,
  Health,
  Timer,
  Transport,
  TransportListener,
} from "../ports.js";
import { invariant } from "../errors.js";
import type { Runnable, Scheduler } from "../runtime/scheduler.js";

export interface HoldOptions {
  /** The machine sleeps: its monotonic clock stands still with it, while wall clocks go on. */
  readonly clockStands?: boolean;
  /** Afterwards the actors have a turn for the late timers before what arrived is read. */
  readonly readsLast?: boolean;
}

/** For so long the figure of a health adapter remembers a delay: two windows. */
const REMEMBERED_MS = 10_000;
/** Until sockets are read, where that comes last. */
const READ_AFTER_MS = 1;
/** A timer that fires this much early on its own clock is due: clocks are sums of fractions. */
const EARLY_MS = 0.01;

interface Hold {
  readonly sinceMs: number;
  /** By the world's clock, when the monotonic clock stands still. */
  readonly stoodSinceMs: number | undefined;
  readonly readsLast: boolean;
}

export class SimLoop implements Health {
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly #base: Clock;
  readonly #shared: Scheduler;
  #hold: Hold | undefined;
  /** How long the monotonic clock stood still so far. */
  #stoodMs = 0;
  #late: (() => void)[] = [];
  #arrived: (() => void)[] = [];
  /** What arrives waits, though nothing else does. */
  #unread = false;
  #ready: Runnable[] = [];
  #posted: (() => void)[] = [];
  #delayMs = 0;
  #delayedAtMs = 0;

  /**
   * `base` is the node's view of time, `shared` the scheduler of the world. `onDeliver` is called
   * before each delivery of this node, and what it throws the actor throws.
   */
  constructor(base: Clock, shared: Scheduler, onDeliver: (path: string) => void = () => undefined) {
    this.#base = base;
    this.#shared = shared;
    this.clock = {
      monotonicMs: () => this.#nowMs,
      wallMs: () => base.wallMs(),
      setTimer: (delayMs, callback) => this.#setTimer(delayMs, callback),
    };
    this.scheduler = {
      schedule: (cell) => void (this.held ? this.#ready.push(cell) : shared.schedule(cell)),
      post: (fn) => void (this.held ? this.#posted.push(fn) : shared.post(fn)),
      onDeliver: (path, message) => {
        shared.onDeliver?.(path, message);
        onDeliver(path);
      },
    };
  }

  get held(): boolean {
    return this.#hold !== undefined;
  }

  /** The worst delay of the last ten seconds. */
  loopDelayMs(): number {
    return this.#nowMs - this.#delayedAtMs <= REMEMBERED_MS ? this.#delayMs : 0;
  }

  /** Between two events: nothing of this node happens until `release`. */
  hold({ clockStands = false, readsLast = false }: HoldOptions = {}): void {
    invariant(!this.held, "a loop is held once at a time");
    const stoodSinceMs = clockStands ? this.#base.monotonicMs() : undefined;
    this.#hold = { sinceMs: this.#nowMs, stoodSinceMs, readsLast };
  }

  release(): void {
    if (this.#hold === undefined) return;
    const { sinceMs, stoodSinceMs, readsLast } = this.#hold;
    if (stoodSinceMs !== undefined) this.#stoodMs += this.#base.monotonicMs() - stoodSinceMs;
    this.#hold = undefined;
    this.#delayMs = Math.max(this.loopDelayMs(), this.#nowMs - sinceMs);
    this.#delayedAtMs = this.#nowMs;
    const late = this.#late;
    const [ready, posted] = [this.#ready, this.#posted];
    [this.#late, this.#ready, this.#posted] = [[], [], []];
    for (const fire of late) fire();
    this.#unread = readsLast;
    if (readsLast) this.#base.setTimer(READ_AFTER_MS, () => this.#read());
    else this.#read();
    for (const fn of posted) this.#shared.post(fn);
    for (const cell of ready) this.#shared.schedule(cell);
  }

  /** The transport as this node's process sees it. */
  transport(inner: Transport): Transport {
    return {
      scheme: inner.scheme,
      listen: (address, handler): Promise<TransportListener> =>
        inner.listen(address, {
          onConnection: (connection) =>
            this.#arrive(() => handler.onConnection(this.#connection(connection))),
          onRefused: (refusal) => this.#arrive(() => handler.onRefused(refusal)),
        }),
      dial: (address, options) =>
        inner.dial(address, options).then((connection) => this.#connection(connection)),
      close: () => inner.close(),
    };
  }

  get #nowMs(): number {
    return (this.#hold?.stoodSinceMs ?? this.#base.monotonicMs()) - this.#stoodMs;
  }

  #setTimer(delayMs: number, callback: () => void): Timer {
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    let cancelled = false;
    const fire = (): void => {
      if (cancelled) return;
      if (this.held) {
        this.#late.push(fire);
        return;
      }
      const leftMs = dueMs - this.#nowMs;
      if (leftMs > EARLY_MS) timer = this.#base.setTimer(leftMs, fire);
      else callback();
    };
    let timer = this.#base.setTimer(delayMs, fire);
    return {
      cancel() {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  #read(): void {
    this.#unread = false;
    // Held again before it came to that.
    if (this.held) return;
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const deliver of arrived) deliver();
  }

  #arrive(deliver: () => void): void {
    if (this.held || this.#unread) this.#arrived.push(deliver);
    else deliver();
  }

  #connection(inner: Connection): Connection {
    return new HeldConnection(inner, (deliver) => this.#arrive(deliver));
  }
}

/** A connection whose events wait while its process is held. */
class HeldConnection implements Connection {
  readonly #inner: Connection;
  readonly #arrive: (deliver: () => void) => void;

  constructor(inner: Connection, arrive: (deliver: () => void) => void) {
    this.#inner = inner;
    this.#arrive = arrive;
  }

  get peerId() {
    return this.#inner.peerId;
  }

  get direction() {
    return this.#inner.direction;
  }

  get remote() {
    return this.#inner.remote;
  }

  get local() {
    return this.#inner.local;
  }

  get openedAtMs() {
    return this.#inner.openedAtMs;
  }

  get bufferedBytes() {
    return this.#inner.bufferedBytes;
  }

  open(handler: ConnectionHandler): void {
    this.#inner.open({
      onData: (chunk) => this.#arrive(() => handler.onData(chunk)),
      onDrain: () => this.#arrive(() => handler.onDrain()),
      onClose: (error, broken) => this.#arrive(() => handler.onClose(error, broken)),
    });
  }

  write(chunk: Uint8Array, onTaken?: () => void): boolean {
    return this.#inner.write(chunk, onTaken);
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  close(): void {
    this.#inner.close();
  }

  destroy(): void {
    this.#inner.destroy();
  }
}
