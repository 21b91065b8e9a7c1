// A transport made of a carrier and a channel. What neither has to know is here, once for all pairs:
// limits before anybody is known, deadlines, the pinned identity, and who is left when it closes.
// A fault while a stream is let in costs that stream and nothing else.

import { CodedError, errorText } from "../errors.js";
import type {
  Clock,
  Connection,
  DialOptions,
  ListenHandler,
  Refusal,
  Transport,
  TransportBreach,
  TransportHeld,
  TransportListener,
} from "../ports.js";
import { formatAddress } from "../protocol/address.js";
import type { Endpoint } from "../protocol/address.js";
import type { Carrier, RawStream } from "./carrier.js";
import type { Channel, Held, Knocking, Securing, Watched } from "./channel.js";
import { checkBindable, checkDialable } from "./check-endpoint.js";
import { startFairTimer } from "./fair-timer.js";
import { HandshakeTurns } from "./handshake-turns.js";
import { InboundLimits } from "./inbound-limits.js";
import type { InboundLimitsConfig } from "./inbound-limits.js";

export interface Admission {
  readonly limits: InboundLimitsConfig;
  /** From accepted to secured; never extended by bytes. */
  readonly timeoutMs: number;
  /** Raw bytes of the other side before it is secured, in either direction. */
  readonly bytesMax: number;
  /** Inbound handshakes that are begun a second. */
  readonly perSecond: number;
}

export interface PairOptions<Raw extends RawStream> {
  readonly carrier: Carrier<Raw>;
  readonly channel: Channel<Raw>;
  readonly clock: Clock;
  /** Absent: everybody may come in, for links that nobody hostile can reach. */
  readonly admission?: Admission;
}

/** What the transport holds, for status and for tests of leaks. */
export interface TransportFigures {
  readonly pendingInbound: number;
  readonly pendingDials: number;
  readonly connections: number;
}

export interface PairedTransport extends Transport {
  figures(): TransportFigures;
}

export function pairTransport<Raw extends RawStream>(options: PairOptions<Raw>): PairedTransport {
  return new Pair(options);
}

/** One raw stream in the hands of the channel, which may answer before it has said how to end it. */
class Stream {
  secured = false;
  /** Called when nothing of it is left. */
  onGone = (): void => undefined;
  #watched: Watched | undefined;
  #held: Held | undefined;
  #destroyed = false;

  watch(watched: Watched): void {
    this.#watched = watched;
    this.take(watched);
  }

  /** Nobody watches it any more: it is taken over. */
  release(): void {
    this.#watched?.release();
    this.#watched = undefined;
  }

  take(held: Held): void {
    this.#held = held;
    if (this.#destroyed) held.destroy();
  }

  unsent(): ReturnType<NonNullable<Held["unsent"]>> | undefined {
    return this.#held?.unsent?.();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#held?.destroy();
  }
}

/** Before there is anything to cancel. */
const NOTHING: { cancel(): void } = { cancel: () => undefined };

interface Outcome extends Pick<Securing, "onSecured" | "onRefused"> {
  /** Something threw, before it was secured or in `onSecured`. */
  readonly onFault: (fault: TransportBreach) => void;
}
/** What inbound streams come through. */
interface Door extends Omit<Admission, "limits"> {
  readonly limits: InboundLimits;
  readonly turns: HandshakeTurns;
}
type Pending = Set<(breach?: TransportBreach) => void>;

class Pair<Raw extends RawStream> implements PairedTransport {
  readonly scheme: string;
  readonly #carrier: Carrier<Raw>;
  readonly #channel: Channel<Raw>;
  readonly #clock: Clock;
  readonly #door: Door | undefined;
  readonly #listeners = new Set<TransportListener>();
  readonly #dials = new Set<(error: Error) => void>();
  readonly #streams = new Set<Stream>();
  #pendingInbound = 0;
  #closed = false;

  constructor({ carrier, channel, clock, admission }: PairOptions<Raw>) {
    this.scheme = carrier.scheme;
    this.#carrier = carrier;
    this.#channel = channel;
    this.#clock = clock;
    this.#door = admission && {
      ...admission,
      limits: new InboundLimits(admission.limits),
      turns: new HandshakeTurns(clock, admission.perSecond),
    };
  }

  figures(): TransportFigures {
    return {
      pendingInbound: this.#pendingInbound,
      pendingDials: this.#dials.size,
      connections: [...this.#streams].filter(({ secured }) => secured).length,
    };
  }

  held(): TransportHeld {
    const bytes = { open: 0, closing: 0 };
    for (const stream of this.#streams) {
      const unsent = stream.unsent();
      if (unsent !== undefined) bytes[unsent.ended ? "closing" : "open"] += unsent.bytes;
    }
    const pendingInbound = this.#pendingInbound;
    return { openBytes: bytes.open, closingBytes: bytes.closing, pendingInbound };
  }

  async listen(endpoint: Endpoint, handler: ListenHandler): Promise<TransportListener> {
    this.#assertOpen();
    checkBindable(this.scheme, endpoint);
    const pending: Pending = new Set();
    const bound = await this.#carrier.bind(endpoint, {
      onStream: (raw) => this.#accept(raw, handler, pending),
      onLost: (detail) => {
        const remote = { scheme: this.scheme, host: "", port: 0 };
        tellRefusal(handler, { remote, rule: "pending-limit", detail });
      },
    });
    const listener: TransportListener = {
      endpoint: bound.endpoint,
      close: async () => {
        this.#listeners.delete(listener);
        const closed = bound.close();
        for (const end of pending) end();
        await closed;
      },
    };
    if (this.#closed) {
      await listener.close();
      this.#assertOpen();
    }
    this.#listeners.add(listener);
    return listener;
  }

  async dial(endpoint: Endpoint, options: DialOptions): Promise<Connection> {
    this.#assertOpen();
    checkDialable(this.scheme, endpoint);
    return new Promise((resolve, reject) => this.#dial(endpoint, options, resolve, reject));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    for (const fail of this.#dials) fail(transportClosed());
    const gone = [...this.#streams].map(
      (stream) => new Promise<void>((resolve) => (stream.onGone = resolve)),
    );
    for (const stream of this.#streams) stream.destroy();
    await Promise.all(gone);
  }

  #accept(raw: Raw, handler: ListenHandler, pending: Pending): void {
    const { remote } = raw;
    const refuse = (breach: TransportBreach): void => tellRefusal(handler, { remote, ...breach });
    const door = this.#door;
    const arrival = door?.limits.admit(remote.host, raw.openedAtMs, (breach) => end(breach));
    if (arrival?.refused !== undefined) {
      raw.refuse();
      refuse(arrival.refused);
      return;
    }
    const stream = new Stream();
    const place = arrival?.place;
    let timer = NOTHING;
    /** False: it was ended before. */
    const settle = (): boolean => {
      if (!pending.delete(end)) return false;
      timer.cancel();
      if (place !== undefined) {
        door?.limits.release(place);
        door?.turns.leave(place.network, secure);
      }
      this.#pendingInbound -= 1;
      return true;
    };
    const end = (breach?: TransportBreach): void => {
      if (!settle()) return;
      stream.destroy();
      if (breach !== undefined) refuse(breach);
    };
    const onFault = (fault: TransportBreach): void =>
      pending.has(end) ? end(fault) : refuse(fault);
    const secure = (): void => {
      stream.release();
      this.#secure(stream, raw, {
        onSecured: (connection) => {
          if (settle()) handler.onConnection(connection);
        },
        onRefused: end,
        onFault,
      });
    };
    this.#pendingInbound += 1;
    pending.add(end);
    this.#streams.add(stream);
    if (door === undefined || place === undefined) {
      secure();
      return;
    }
    const onKnocked = (): void => {
      place.hasSpoken = true;
      door.turns.wait(place.network, secure);
    };
    this.#watch(stream, raw, { onKnocked, onRefused: end, onFault });
    if (!pending.has(end)) return;
    const { timeoutMs } = door;
    timer = startFairTimer(this.#clock, timeoutMs, () =>
      end({ rule: "handshake-timeout", detail: `not finished within ${timeoutMs} ms` }),
    );
  }

  #dial(
    { peerId: pinned, ...remote }: Endpoint,
    { timeoutMs }: DialOptions,
    resolve: (connection: Connection) => void,
    reject: (error: Error) => void,
  ): void {
    const stream = new Stream();
    let opening = NOTHING;
    const settle = (): boolean => {
      timer.cancel();
      return this.#dials.delete(fail);
    };
    const fail = (error: Error): void => {
      if (!settle()) return;
      opening.cancel();
      stream.destroy();
      reject(error);
    };
    const refuse = (reason: string, cause?: Error): void => {
      const sentence = `Cannot dial ${formatAddress(remote)}: ${reason}.`;
      fail(new CodedError("DIAL_FAILED", sentence, cause === undefined ? {} : { cause }));
    };
    const timer = startFairTimer(this.#clock, timeoutMs, () =>
      refuse(`handshake-timeout (not finished within ${timeoutMs} ms)`),
    );
    this.#dials.add(fail);
    const refused = ({ rule, detail }: TransportBreach): void => refuse(`${rule} (${detail})`);
    opening = this.#carrier.open(remote, {
      onOpened: (raw) =>
        this.#secure(stream, raw, {
          onSecured: (connection) => {
            const { peerId } = connection;
            const expected = pinned ?? peerId;
            if (peerId !== expected) refuse(`the peer there is ${peerId}, not ${expected}`);
            else if (settle()) resolve(connection);
          },
          onRefused: refused,
          onFault: refused,
        }),
      onFailed: refuse,
    });
  }

  /** Until the other side has said what a peer says first. */
  #watch(
    stream: Stream,
    raw: Raw,
    { onKnocked, onRefused, onFault }: Omit<Knocking, "onClosed"> & Pick<Outcome, "onFault">,
  ): void {
    const { bytesMax = Infinity } = this.#door ?? {};
    const onClosed = (): void => this.#gone(stream);
    try {
      const watched = this.#channel.watch?.(raw, bytesMax, { onKnocked, onRefused, onClosed });
      if (watched === undefined) onKnocked();
      else stream.watch(watched);
    } catch (error) {
      raw.refuse();
      onClosed();
      onFault(ownFault(error));
    }
  }

  /** It is kept while the connection is open, and by it no more than this. */
  #onClosedOf(stream: Stream): () => void {
    return () => this.#gone(stream);
  }

  #gone(stream: Stream): void {
    if (this.#streams.delete(stream)) stream.onGone();
  }

  /** What throws while a stream is let in costs that stream and nothing else. */
  #secure(stream: Stream, raw: Raw, outcome: Outcome): void {
    const { bytesMax = Infinity } = this.#door ?? {};
    let bytes = 0;
    const onFault = (error: unknown): void => {
      stream.destroy();
      outcome.onFault(ownFault(error));
    };
    const securing: Securing = {
      spend(count) {
        bytes += count;
        if (bytes <= bytesMax) return undefined;
        return { rule: "handshake-size", detail: `over ${bytesMax} bytes of handshake` };
      },
      onSecured(connection) {
        stream.secured = true;
        try {
          outcome.onSecured(connection);
        } catch (error) {
          onFault(error);
        }
      },
      onRefused: outcome.onRefused,
      onClosed: this.#onClosedOf(stream),
    };
    this.#streams.add(stream);
    try {
      stream.take(this.#channel.secure(raw, securing));
    } catch (error) {
      // The channel does not have it: nobody else would end it.
      raw.refuse();
      this.#gone(stream);
      onFault(error);
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw transportClosed();
  }
}

function transportClosed(): CodedError {
  return new CodedError("CLOSED", "The transport is closed.");
}

function ownFault(error: unknown): TransportBreach {
  return { rule: "own-fault", detail: errorText(error) };
}

/** Who throws at hearing of a refusal has not heard of it. */
function tellRefusal(handler: ListenHandler, refusal: Refusal): void {
  try {
    handler.onRefused(refusal);
  } catch {
    // The stream is refused already, and there is nobody else to tell.
  }
}
