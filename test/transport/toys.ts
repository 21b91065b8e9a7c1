// A carrier and a channel that are as small as they can be: each makes a transport with the real one
// of the other kind, so that what is common to all pairs is tested apart from TCP and TLS.

import { Duplex } from "node:stream";

import { CodedError } from "../../src/errors.js";
import type { Clock, PeerId, TransportListener } from "../../src/ports.js";
import { addressInvalid, formatAddress, type Endpoint } from "../../src/protocol/address.js";
import type { Carrier, CarrierListener, RawDuplex } from "../../src/transport/carrier.js";
import type { Channel } from "../../src/transport/channel.js";
import { StreamConnection, type StreamLimits } from "../../src/transport/stream-connection.js";

const NAME = /^[0-9a-f]{64}$/;
const LINE_END = 0x0a;

/** Each side says its name in a line, and is believed: it proves nothing and hides nothing. */
export function plainChannel(own: PeerId, limits: StreamLimits): Channel<RawDuplex> {
  return {
    secure(raw, { spend, onSecured, onRefused, onClosed }) {
      const { duplex } = raw;
      let line = Buffer.alloc(0);
      const settle = (): Duplex =>
        duplex.off("data", onData).off("end", onEarly).off("close", onEarly).pause();
      const refuse = (rule: "handshake-size" | "tls-failed", detail: string): void => {
        settle().destroy();
        onRefused({ rule, detail });
      };
      const onEarly = (): void => refuse("tls-failed", "it closed before it said its name");
      const onData = (chunk: Buffer): void => {
        const at = chunk.indexOf(LINE_END);
        const said = at === -1 ? chunk : chunk.subarray(0, at);
        if (spend(said.length) !== undefined) return refuse("handshake-size", "too long a name");
        line = Buffer.concat([line, said]);
        if (at === -1) return;
        const peerId = line.toString();
        if (!NAME.test(peerId)) return refuse("tls-failed", "it has no name");
        settle();
        // The stream ends its half when the other has ended, and each chunk has its own buffer.
        duplex.allowHalfOpen = false;
        if (at + 1 < chunk.length) duplex.unshift(new Uint8Array(chunk.subarray(at + 1)));
        onSecured(new StreamConnection({ stream: duplex, raw, peerId, limits }));
      };
      duplex.on("data", onData).on("end", onEarly).on("close", onEarly);
      duplex.once("close", onClosed);
      duplex.write(`${own}\n`);
      return { destroy: () => void duplex.destroy() };
    },
  };
}

/** Half of a pipe within this process. */
class Half extends Duplex {
  other: Half | undefined;
  #written: (() => void) | undefined;

  override _read(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    if (this.other!.destroyed) return done();
    // The writer takes its memory back.
    this.other!.arrive(new Uint8Array(chunk), done);
  }

  arrive(chunk: Uint8Array, written: () => void): void {
    this.#written = written;
    this.push(chunk);
  }

  override _final(done: () => void): void {
    const { other } = this;
    if (other!.destroyed) return done();
    const read = (): void => {
      other!.off("end", read).off("close", read);
      done();
    };
    other!.once("end", read).once("close", read).push(null);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this._read();
    setImmediate(() => {
      if (!this.other!.destroyed) this.other!.push(null);
    });
    done(error);
  }
}

/** Pipes between whoever shares `bound`. */
export function pipeCarrier(
  host: string,
  clock: Clock,
  bound: Map<number, CarrierListener<RawDuplex>>,
): Carrier<RawDuplex> {
  const scheme = "pipe";
  let ports = 40_000;
  const rawOf = (duplex: Duplex, ends: Pick<RawDuplex, "direction" | "local" | "remote">) => {
    duplex.on("error", () => undefined);
    const openedAtMs = clock.monotonicMs();
    return { ...ends, duplex, openedAtMs, refuse: () => void duplex.destroy() };
  };
  return {
    scheme,
    async bind(endpoint: Endpoint, listener): Promise<TransportListener> {
      const text = formatAddress(endpoint);
      if (endpoint.host !== host) throw addressInvalid(text, "this is another host");
      const port = endpoint.port === 0 ? ++ports : endpoint.port;
      if (bound.has(port)) throw new CodedError("ADDRESS_IN_USE", `The address ${text} is taken.`);
      bound.set(port, listener);
      return { endpoint: { ...endpoint, port }, close: async () => void bound.delete(port) };
    },
    open(remote, { onOpened, onFailed }) {
      const opening = setImmediate(() => {
        const listener = bound.get(remote.port);
        if (listener === undefined) return onFailed("nobody listens there");
        const local: Endpoint = { scheme, host, port: ++ports };
        const [near, far] = [new Half(), new Half()];
        [near.other, far.other] = [far, near];
        // The listener's side comes later, as over a wire.
        setImmediate(() =>
          listener.onStream(rawOf(far, { direction: "inbound", local: remote, remote: local })),
        );
        onOpened(rawOf(near, { direction: "outbound", local, remote }));
      });
      return { cancel: () => clearImmediate(opening) };
    },
  };
}
