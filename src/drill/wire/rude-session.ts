// What peers without manners are made of, for drills and tests. All that is polite (handshake,
// credit, pings, requests, answers) comes from the real session, without any of its limits. What no
// session does is written past it by the codec, what it would say can be withheld, and all that the
// other side said is kept, also what a session tells nobody, or hears no more.

import { DEFAULTS } from "../../config/defaults.js";
import { decodeMessage } from "../../protocol/codec/codec.js";
import { FrameDecoder } from "../../protocol/codec/frame.js";
import { ReceiveLanes } from "../../protocol/codec/receive-lanes.js";
import { PeerSession } from "../../protocol/session/peer-session.js";
import type { End, Outcome } from "../../protocol/session/session-types.js";
import {
  KINDS,
  MESSAGE_KINDS,
  WINDOW_BYTES_MAX,
  type Message,
  type MessageOf,
} from "../../protocol/types/message.js";
import { breachText } from "../../protocol/violation.js";
import { limitless } from "../../sim/byzantine/session.js";
import { messageBytes } from "./frames.js";

export interface RudeSessionOptions {
  readonly localId: string;
  readonly nowMs: () => number;
  readonly write: (bytes: Uint8Array) => void;
  /** Which messages stay in `received`; default: all. */
  readonly keeps?: ((message: Message) => boolean) | undefined;
}

type Asker =
  | { readonly type: "ask"; readonly resolve: (outcome: Outcome) => void }
  | { readonly type: "ping"; readonly resolve: (elapsedMs: number | undefined) => void };

const WINDOW = { windowBytesInitial: WINDOW_BYTES_MAX, windowBytesMax: WINDOW_BYTES_MAX };

export class RudeSession {
  /** Every whole message that came and is kept, in order. */
  readonly received: Message[] = [];
  /** The request id of each of them. */
  readonly requestIds: number[] = [];
  readonly #options: RudeSessionOptions;
  readonly #decoder = new FrameDecoder(MESSAGE_KINDS);
  readonly #lanes = new ReceiveLanes(WINDOW);
  /** What came and the session was not told yet. */
  readonly #untold: Uint8Array[] = [];
  readonly #ready: Promise<void>;
  #isReady!: () => void;
  #session: PeerSession<Asker> | undefined;
  #nonce = 0n;
  /** It wrote past its session, which may be answered what the session cannot expect. */
  #isRude = false;
  /** Its session has ended the connection: that is withheld. */
  #isSilenced = false;

  constructor(options: RudeSessionOptions) {
    this.#options = options;
    this.#ready = new Promise((resolve) => (this.#isReady = resolve));
  }

  // ---- what is polite

  /** Its handshake begins it; then one-way messages, answers by their request's id, a Disconnect. */
  send(message: Message, requestId = 0): void {
    if (message.kind === "Handshake") this.#begin(message);
    else this.#say(this.#begun(), message, requestId);
    this.#carry();
  }

  /** Sent when both have shaken hands. */
  async ask(request: Message): Promise<Outcome> {
    await this.#ready;
    return new Promise((resolve) => {
      this.#begun().request(request, { type: "ask", resolve }, this.#nowMs);
      this.#carry();
    });
  }

  /** Undefined: no answer will come. */
  async ping(): Promise<number | undefined> {
    await this.#ready;
    return new Promise((resolve) => {
      this.#begun().ping({ type: "ping", resolve }, this.#nowMs);
      this.#carry();
    });
  }

  /** Its session hears all that came so far, and says what it has to say to that. */
  attend(): void {
    if (this.#session === undefined) return;
    for (const bytes of this.#untold.splice(0)) {
      this.#session.receive(bytes, this.#nowMs);
      this.#carry();
    }
  }

  /** Of what it sent: bytes that wait for credit. */
  get waitingBytes(): number {
    return this.#session?.queuedBytes ?? 0;
  }

  ended(): void {
    this.#session?.carrierEnded("", undefined, this.#nowMs);
    this.#carry();
    this.#isReady();
  }

  // ---- what is not

  /** A message in legal frames, past all accounts: due or not, within its credit or not. */
  write(message: Message, requestId = 0): void {
    this.writeBytes(messageBytes(message, requestId));
  }

  writeBytes(bytes: Uint8Array): void {
    this.#isRude = true;
    this.#options.write(bytes);
  }

  // ---- what comes

  /** Kept for its owner; the session hears it when it attends. */
  hear(bytes: Uint8Array): void {
    this.#untold.push(bytes);
    const broken = this.#decoder.push(bytes, (frame) =>
      this.#lanes.accept(frame, ({ kind, payload, requestId, lane, creditBytes }) => {
        this.#lanes.consumed(lane, creditBytes, 0);
        const decoded = decodeMessage(kind, payload);
        if (!decoded.ok) return decoded.violation;
        if (this.#options.keeps?.(decoded.message) === false) return undefined;
        this.received.push(decoded.message);
        this.requestIds.push(requestId);
        return undefined;
      }),
    );
    // A message may be larger than a window.
    this.#lanes.updates(0);
    if (broken !== undefined) throw new Error(`the node sent ${breachText(broken)}`);
  }

  #begin(info: MessageOf<"Handshake">): void {
    if (this.#session !== undefined) throw new Error("a session shakes hands once: write it");
    const { localId } = this.#options;
    this.#session = new PeerSession<Asker>(
      {
        settings: limitless(DEFAULTS.lanes.windowInitialBytes),
        info,
        localId,
        remoteId: "",
        openedAtMs: this.#nowMs,
        nonce: () => ++this.#nonce,
        unansweredMax: 2 ** 31,
      },
      this.#nowMs,
    );
  }

  #begun(): PeerSession<Asker> {
    if (this.#session === undefined) throw new Error("it has not shaken hands: write it");
    return this.#session;
  }

  #say(session: PeerSession<Asker>, message: Message, requestId: number): void {
    const { role, lane } = KINDS[message.kind];
    if (message.kind === "Disconnect") {
      session.close(message.reason, message.detail, this.#nowMs);
    } else if (role === "response") {
      const isDue = session.phase === "closing" || session.owes(requestId);
      if (!isDue) throw new Error(`no request ${requestId} is owed an answer: write it`);
      session.reply(requestId, message, this.#nowMs);
    } else if (role === "request" || lane === "control") {
      throw new Error(`a session sends a ${message.kind} of its own accord: ask, ping or write it`);
    } else session.send(message, this.#nowMs);
  }

  #carry(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#heed(session);
    while (!this.#isSilenced) {
      const bytes = session.transmit(this.#nowMs);
      if (bytes === undefined) break;
      this.#options.write(bytes);
    }
    this.#heed(session);
  }

  #heed(session: PeerSession<Asker>): void {
    for (let event = session.poll(); event !== undefined; event = session.poll()) {
      if (event.type === "ready") this.#isReady();
      else if (event.type === "message") session.consumed(event.lane, event.bytes, this.#nowMs);
      else if (event.type === "settled" && event.asker.type === "ask") {
        event.asker.resolve(event.outcome);
      } else if (event.type === "pinged" && event.asker?.type === "ping") {
        event.asker.resolve(event.elapsedMs);
      } else if (event.type === "closing") this.#closing(event.end);
    }
  }

  #closing({ by, rule, detail }: End): void {
    this.#isReady();
    this.#isSilenced = by === "session";
    if (by !== "session" || rule === undefined || this.#isRude) return;
    throw new Error(`the node broke a rule: ${breachText({ rule, detail })}`);
  }

  get #nowMs(): number {
    return this.#options.nowMs();
  }
}
