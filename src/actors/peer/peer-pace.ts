// What one connection may send and receive now: its shares of the node's throttle, both ways. Without
// limits it is out of the way. Owned by a PeerHandler.

import type { NetworkConfig } from "../../config.js";
import type { Clock, Connection } from "../../ports.js";
import { RANK } from "../../protocol/codec/rank.js";
import { PULL_BYTES_MIN } from "../../protocol/codec/send-lanes.js";
import { WRITE_BYTES } from "../../protocol/session/outbox.js";
import type { PeerSession } from "../../protocol/session/peer-session.js";
import type { Share } from "../throttle/fair-rate.js";
import type { Throttle } from "../throttle/throttle.js";
import { originOf } from "./eviction.js";

type Session = Pick<PeerSession, "transmit" | "waits" | "heldUp" | "figures">;

export interface PaceOptions {
  /** Nobody else's. */
  readonly name: string;
  readonly connection: Pick<Connection, "peerId" | "remote">;
  /** More may be sent; more may be read. */
  readonly onSend: () => void;
  readonly onRead: () => void;
}

const BY_TURNS = [RANK.tip, RANK.transactions, RANK.history] as const;

export class PeerPace {
  readonly #clock: Clock;
  readonly #throttle: Throttle;
  readonly #up: Share;
  readonly #down: Share;
  /** Of history, that was counted. */
  #historyBytes = 0;

  constructor(
    { clock, config, throttle }: PaceEnv,
    { name, connection, onSend, onRead }: PaceOptions,
  ) {
    const nowMs = clock.monotonicMs();
    this.#clock = clock;
    this.#throttle = throttle;
    // Whoever opens several connections gets no more for it, under whatever keys.
    const { group, isLocal } = originOf(connection.remote.host);
    const key = config.inbound.exemptLocal && isLocal ? connection.peerId : group;
    this.#up = throttle.upload.share({ name, key, onTurn: onSend }, nowMs);
    this.#down = throttle.download.share({ name, key, onTurn: onRead }, nowMs);
  }

  /** The next bytes to write, if any may be sent now. */
  transmit(session: Session, nowMs: number): Uint8Array | undefined {
    const chunk = this.#up.isLimited ? this.#paced(session, nowMs) : session.transmit(nowMs);
    if (chunk === undefined) return undefined;
    this.#throttle.upload.meter.count(chunk.length, nowMs);
    // What waits for a peer that does not read is served to nobody.
    const historyBytes = session.figures.historyBytesOut - this.#historyBytes;
    if (historyBytes > 0) this.#throttle.history.used(historyBytes, nowMs);
    this.#historyBytes += historyBytes;
    return chunk;
  }

  /** So many bytes came from the socket; false: no more may before `onRead`. */
  came(bytes: number): boolean {
    const down = this.#down;
    if (!down.isLimited) return true;
    down.spent(RANK.tip, bytes);
    return down.ask(RANK.tip, this.#clock.monotonicMs()) > 0;
  }

  /** So many of them were dealt with in this turn. */
  read(bytes: number, nowMs: number): void {
    this.#throttle.download.meter.count(bytes, nowMs);
  }

  /** Its socket is not read now, by a limit of this node. */
  get isReadingHeld(): boolean {
    return this.#down.isHeld;
  }

  /** Before the session looks at the time: what this node held up itself counts against nobody. */
  excuse(session: Session, nowMs: number): void {
    if (this.#up.isLimited) {
      const heldMs = this.#up.takeHeldMs(nowMs);
      if (heldMs > 0) session.heldUp("out", heldMs, nowMs);
    }
    if (this.#down.isLimited) {
      const heldMs = this.#down.takeHeldMs(nowMs);
      if (heldMs > 0) session.heldUp("in", heldMs, nowMs);
    }
  }

  release(): void {
    this.#up.release();
    this.#down.release();
  }

  #paced(session: Session, nowMs: number): Uint8Array | undefined {
    const up = this.#up;
    // The control lane never waits; the tip does when far too much was sent in advance.
    let chunk = session.transmit(nowMs, WRITE_BYTES, RANK.control);
    if (chunk === undefined && session.waits(RANK.tip) && up.mayOverdraw(nowMs)) {
      chunk = session.transmit(nowMs, WRITE_BYTES, RANK.tip);
    }
    if (chunk !== undefined) {
      up.overdrew(chunk.length);
      return chunk;
    }
    for (const rank of BY_TURNS) {
      if (!session.waits(rank)) {
        up.rest(rank);
        continue;
      }
      const bytes = up.ask(rank, nowMs);
      if (bytes === 0) continue;
      chunk = session.transmit(nowMs, Math.max(PULL_BYTES_MIN, bytes), rank);
      if (chunk === undefined) continue;
      up.spent(rank, chunk.length);
      return chunk;
    }
    return undefined;
  }
}

interface PaceEnv {
  readonly clock: Clock;
  readonly config: Pick<NetworkConfig, "inbound">;
  readonly throttle: Throttle;
}
