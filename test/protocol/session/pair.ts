// Two sessions joined back to back on a clock that a test moves: what one transmits the other
// receives after a delay, cut as the test wants. No actor, no socket.

import { DEFAULTS } from "../../../src/config/defaults.js";
import { FrameDecoder, type Frame } from "../../../src/protocol/codec/frame.js";
import { PROTOCOL_VERSION } from "../../../src/protocol/handshake.js";
import { PeerSession } from "../../../src/protocol/session/peer-session.js";
import type {
  SessionEvent,
  SessionOptions,
  SessionSettings,
} from "../../../src/protocol/session/session-types.js";
import { KINDS, MESSAGE_KINDS, type WireKind } from "../../../src/protocol/types/message.js";
import type { HandshakeInfo } from "../../../src/protocol/types/node-info.js";

export const HASH = "ab".repeat(32);
export const KIB = 1024;
export const MIB = 1024 * KIB;

export const INFO: HandshakeInfo = {
  protocolVersion: PROTOCOL_VERSION,
  networkId: HASH,
  agent: "test/1",
  nodeId: "",
  listenAddresses: [],
  head: { height: 0n, hash: HASH, totalDifficulty: 1n },
  capabilities: [...new Set(MESSAGE_KINDS.flatMap((kind) => KINDS[kind].capability ?? []))],
  quotas: [],
};

export interface EndOptions extends Partial<Omit<SessionOptions, "settings">> {
  readonly settings?: { readonly [P in keyof SessionSettings]?: Partial<SessionSettings[P]> };
}

export function settingsOf(changed: EndOptions["settings"] = {}): SessionSettings {
  const { handshake, lanes, liveness, receive, requests, serve, shutdown } = DEFAULTS;
  return {
    handshake: { ...handshake, ...changed.handshake },
    lanes: { ...lanes, ...changed.lanes },
    liveness: { ...liveness, ...changed.liveness },
    receive: { ...receive, ...changed.receive },
    requests: { ...requests, ...changed.requests },
    serve: { ...serve, ...changed.serve },
    shutdown: { ...shutdown, ...changed.shutdown },
  };
}

/** One side: its session, what it said, and the bytes that are on their way to it. */
export class End {
  readonly name: string;
  readonly session: PeerSession<number>;
  readonly events: SessionEvent<number>[] = [];
  /** Every frame that it sent, in order. */
  readonly sent: { readonly kind: WireKind; readonly requestId: number }[] = [];
  readonly inbound: { readonly atMs: number; readonly bytes: Uint8Array }[] = [];
  /** It takes nothing from its carrier. */
  isDeaf = false;
  readonly #tap = new FrameDecoder(MESSAGE_KINDS);
  #nonce = 0n;

  constructor(name: string, remote: string, options: EndOptions, nowMs: number) {
    this.name = name;
    this.session = new PeerSession<number>(
      {
        info: INFO,
        localId: name,
        remoteId: remote,
        openedAtMs: nowMs,
        nonce: () => ++this.#nonce,
        ...options,
        settings: settingsOf(options.settings),
      },
      nowMs,
    );
  }

  /** Takes out the events of this type. */
  take<T extends SessionEvent<number>["type"]>(
    type: T,
  ): Extract<SessionEvent<number>, { readonly type: T }>[] {
    const found = this.events.filter((event) => event.type === type);
    for (const event of found) this.events.splice(this.events.indexOf(event), 1);
    return found as Extract<SessionEvent<number>, { readonly type: T }>[];
  }

  /** Why it ended. */
  get end() {
    return this.events.find((event) => event.type === "closing")?.end;
  }

  listen(bytes: Uint8Array): void {
    this.#tap.push(bytes, ({ kind, requestId }: Frame) => {
      this.sent.push({ kind, requestId });
      return undefined;
    });
  }
}

export interface PairOptions {
  readonly client?: EndOptions;
  readonly server?: EndOptions;
  /** One way. */
  readonly delayMs?: number;
  /** Of a chunk that is about to arrive: the lengths in which it does. Default: whole. */
  readonly cut?: (length: number) => readonly number[];
}

export class Pair {
  nowMs = 0;
  readonly client: End;
  readonly server: End;
  readonly #delayMs: number;
  readonly #cut: (length: number) => readonly number[];

  constructor({ client = {}, server = {}, delayMs = 0, cut = (n) => [n] }: PairOptions = {}) {
    this.client = new End("client", "server", client, 0);
    this.server = new End("server", "client", server, 0);
    this.#delayMs = delayMs;
    this.#cut = cut;
  }

  /** Both have shaken hands and measured the round trip. */
  static ready(options: PairOptions = {}): Pair {
    const pair = new Pair(options);
    pair.run(4 * (options.delayMs ?? 0));
    for (const end of [pair.client, pair.server]) end.events.length = 0;
    return pair;
  }

  other(end: End): End {
    return end === this.client ? this.server : this.client;
  }

  /** Moves time, doing what is due in order. */
  run(durationMs = 0): void {
    const untilMs = this.nowMs + durationMs;
    for (;;) {
      this.settle();
      const nextMs = Math.min(...[this.client, this.server].map((end) => this.#nextMs(end)));
      if (nextMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      for (const end of [this.client, this.server]) {
        if (end.session.nextTimeoutMs <= this.nowMs) end.session.timeout(this.nowMs);
      }
    }
    this.nowMs = untilMs;
  }

  /** All that can happen without time. */
  settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const end of [this.client, this.server]) {
        busy = this.#deliver(end) || busy;
        busy = this.#collect(end) || busy;
        end.session.invariants();
      }
    }
  }

  /** Bytes past the session of `from`. */
  inject(from: End, bytes: Uint8Array): void {
    this.other(from).inbound.push({ atMs: this.nowMs + this.#delayMs, bytes });
  }

  #nextMs(end: End): number {
    const first = end.isDeaf ? undefined : end.inbound[0];
    return Math.min(end.session.nextTimeoutMs, first?.atMs ?? Number.POSITIVE_INFINITY);
  }

  #deliver(end: End): boolean {
    let count = 0;
    while (!end.isDeaf && end.inbound[0] !== undefined && end.inbound[0].atMs <= this.nowMs) {
      const { bytes } = end.inbound.shift()!;
      let at = 0;
      for (const length of this.#cut(bytes.length)) {
        end.session.receive(bytes.slice(at, at + length), this.nowMs);
        at += length;
      }
      count++;
    }
    return count > 0;
  }

  #collect(end: End): boolean {
    let count = 0;
    for (let bytes = end.session.transmit(this.nowMs); bytes !== undefined; count++) {
      end.listen(bytes);
      this.inject(end, bytes);
      bytes = end.session.transmit(this.nowMs);
    }
    for (let event = end.session.poll(); event !== undefined; count++) {
      end.events.push(event);
      event = end.session.poll();
    }
    return count > 0;
  }
}
