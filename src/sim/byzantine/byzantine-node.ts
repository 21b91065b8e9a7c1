// A byzantine node: a host on the simulated links that listens, dials and speaks the real protocol,
// and follows a script. It has as many identities as it likes. The world owns it; what it does
// wrong is the business of the scripts.

import { toHex } from "../../bytes/hex.js";
import { AGENT } from "../../compose.js";
import type { Connection, PeerId } from "../../ports.js";
import { parseAddress } from "../../protocol/address.js";
import { breachText } from "../../protocol/violation.js";
import { PROTOCOL_VERSION } from "../../protocol/handshake.js";
import { LIMITS_CAPABILITY } from "../../protocol/kinds/base.js";
import { KINDS, MESSAGE_KINDS } from "../../protocol/types/message.js";
import type { DisconnectReason, Message } from "../../protocol/types/message.js";
import type { HandshakeInfo } from "../../protocol/types/node-info.js";
import type { SeededRandom } from "../../runtime/random.js";
import type { MemoryNetwork } from "../../transport/memory.js";
import type { BlameReport } from "../relay-auditor.js";
import { bestOf, headOf } from "./chain-view.js";
import type { Behaviour, ByzantineHost, ByzantineScript, Target } from "./script.js";
import { Session } from "./session.js";

export interface ByzantineNodeOptions {
  readonly name: string;
  readonly address: string;
  readonly script: ByzantineScript;
  readonly links: MemoryNetwork;
  /** The rest of what its script may use. */
  readonly around: Omit<ByzantineHost, "random" | "sessions">;
  readonly random: SeededRandom;
  /** What a lane may send before the first update: all nodes of a network agree on it. */
  readonly windowBytes: number;
  /** Told of each identity before it is used. */
  readonly onIdentity: (peerId: PeerId, node: ByzantineNode) => void;
  /** An honest node broke a rule of the wire: in one sentence. */
  readonly violated: (sentence: string) => void;
}

const DIALS_MAX = 4;
const DIAL_TIMEOUT_MS = 5_000;
/** Of its dials, once it was banned, this part is made under an identity that was. */
const FORMER_FRACTION = 0.25;
const FORMER_MAX = 16;

/** It is told no limits: its session would keep to them. */
const CAPABILITIES = [
  ...new Set(MESSAGE_KINDS.flatMap((kind) => KINDS[kind].capability ?? [])),
].filter((name) => name !== LIMITS_CAPABILITY);

export class ByzantineNode implements ByzantineHost {
  readonly name: string;
  readonly script: string;
  readonly address: string;
  /** What honest nodes said of it, by event and rule: how often. */
  readonly blame = new Map<string, number>();
  readonly book: ByzantineHost["book"];
  readonly chain: ByzantineHost["chain"];
  readonly signatures: ByzantineHost["signatures"];
  readonly clock: ByzantineHost["clock"];
  readonly targets: readonly Target[];
  readonly random: SeededRandom;
  readonly #options: ByzantineNodeOptions;
  readonly #behaviour: Behaviour;
  readonly #sessions = new Set<Session>();
  /** Dialed and not closed yet. */
  readonly #dialing = new Map<Target, number>();
  #identity: PeerId;
  /** Under these it was turned away: now and then it tries whether it still is. */
  readonly #banned: PeerId[] = [];

  constructor(options: ByzantineNodeOptions) {
    const { around, name, random, script } = options;
    this.name = name;
    this.script = script.name;
    this.address = options.address;
    this.book = around.book;
    this.chain = around.chain;
    this.signatures = around.signatures;
    this.clock = around.clock;
    this.targets = around.targets;
    this.random = random.fork("script");
    this.#options = options;
    this.#identity = this.#newIdentity();
    this.#behaviour = script.behave(this);
  }

  get sessions(): readonly Session[] {
    return [...this.#sessions].filter((session) => session.ready);
  }

  /** Begins to listen; the world calls `tick` from then on. */
  start(): void {
    const { address, links, name } = this.#options;
    const own = this.#identity;
    const transport = links.transport(own, { host: name });
    const onConnection = (connection: Connection): void => this.#open(connection, own, undefined);
    void transport.listen(parseAddress(address), { onConnection, onRefused: () => undefined });
  }

  /** Once a second of virtual time. */
  tick(): void {
    this.#dial();
    this.#behaviour.tick?.();
  }

  blamed({ event, rule, detail }: BlameReport): void {
    const key = `${event}: ${rule ?? detail}`;
    this.blame.set(key, (this.blame.get(key) ?? 0) + 1);
  }

  #newIdentity(): PeerId {
    const peerId = toHex(this.random.bytes(32));
    this.#options.onIdentity(peerId, this);
    return peerId;
  }

  /** Opens connections until there are as many as the script wants. */
  #dial(): void {
    const { dialsMax = DIALS_MAX, victims = this.targets } = this.#behaviour;
    const many = this.#behaviour.manyIdentities === true;
    let open = 0;
    for (const count of this.#dialing.values()) open += count;
    for (; open < dialsMax; open++) {
      const free = victims.filter((target) => many || !this.#dialing.get(target));
      const target = free[this.random.uint32() % free.length];
      if (target === undefined) return;
      this.#dialOne(
        target,
        this.#formerIdentity() ?? (many ? this.#newIdentity() : this.#identity),
      );
    }
  }

  #formerIdentity(): PeerId | undefined {
    if (this.#banned.length === 0 || this.random.float() >= FORMER_FRACTION) return undefined;
    return this.#banned[this.random.uint32() % this.#banned.length];
  }

  #dialOne(target: Target, peerId: PeerId): void {
    const transport = this.#options.links.transport(peerId, { host: this.name });
    this.#count(target, 1);
    transport.dial(parseAddress(target.address), { timeoutMs: DIAL_TIMEOUT_MS }).then(
      (connection) => this.#open(connection, peerId, target),
      () => this.#count(target, -1),
    );
  }

  #count(target: Target, change: 1 | -1): void {
    this.#dialing.set(target, (this.#dialing.get(target) ?? 0) + change);
  }

  #open(connection: Connection, own: PeerId, dialed: Target | undefined): void {
    const session = new Session({
      connection,
      clock: this.clock,
      windowBytes: this.#options.windowBytes,
      own,
      info: this.#info(),
      isMute: this.#behaviour.mute === true,
      onReady: (ready) => {
        if (this.#behaviour.readsNothing === true) ready.readNothing();
        this.#behaviour.onReady?.(ready);
      },
      onMessage: (from, message, requestId) => this.#receive(from, message, requestId),
      onBreach: ({ peerId }, breach) =>
        this.#options.violated(
          `${peerId} broke a rule towards ${this.name}: ${breachText(breach)}`,
        ),
      onClosed: (closed, reason) => this.#closed(closed, own, dialed, reason),
    });
    this.#sessions.add(session);
  }

  #info(): HandshakeInfo {
    const { book } = this;
    return {
      protocolVersion: PROTOCOL_VERSION,
      networkId: book.at(0)!.header.hash,
      agent: AGENT,
      nodeId: this.name,
      listenAddresses: [this.address],
      head: this.#behaviour.head?.() ?? headOf(book.best),
      capabilities: CAPABILITIES,
      quotas: [],
    };
  }

  #receive(session: Session, message: Message, requestId: number): void {
    if (this.#behaviour.onMessage?.(session, message, requestId) === true) return;
    session.answer(message, requestId, this.#behaviour.chain?.(session) ?? bestOf(this.book));
  }

  #closed(
    session: Session,
    own: PeerId,
    dialed: Target | undefined,
    reason: DisconnectReason | undefined,
  ): void {
    this.#sessions.delete(session);
    if (dialed !== undefined) this.#count(dialed, -1);
    // A key costs nothing: whoever is banned comes back as somebody else.
    if (reason !== "Banned") return;
    if (!this.#banned.includes(own) && this.#banned.push(own) > FORMER_MAX) this.#banned.shift();
    if (own === this.#identity) this.#identity = this.#newIdentity();
  }
}
