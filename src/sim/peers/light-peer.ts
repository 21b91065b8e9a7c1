// A host that is no whole node: it listens, dials and speaks the real protocol, has no block but
// genesis, and tells of whom it is given to tell. So cheap that a world has a thousand of them beside
// the node that the run is about.

import { toHex } from "../../bytes/hex.js";
import { AGENT, genesisOf } from "../../compose.js";
import type { Connection, PeerId, TransportListener } from "../../ports.js";
import { parseAddress } from "../../protocol/address.js";
import { PROTOCOL_VERSION } from "../../protocol/handshake.js";
import type { PeerEndpoint } from "../../protocol/kinds/peers.js";
import { KINDS, MESSAGE_KINDS, type Message } from "../../protocol/types/message.js";
import type { HandshakeInfo } from "../../protocol/types/node-info.js";
import { breachText } from "../../protocol/violation.js";
import { Session } from "../byzantine/session.js";
import { addressOf } from "../node-config.js";
import type { World } from "../world.js";

export interface LightPeerOptions {
  readonly world: World;
  /** An IP address. */
  readonly host: string;
  /** What it answers whoever asks. */
  readonly tells: () => readonly PeerEndpoint[];
  /** What it says in handshakes of where it can be dialed; default: where it listens. */
  readonly says?: () => readonly string[];
}

const CAPABILITIES = [...new Set(MESSAGE_KINDS.flatMap((kind) => KINDS[kind].capability ?? []))];
const DIAL_TIMEOUT_MS = 5_000;
const WINDOW_BYTES = 256 * 1024;

export class LightPeer {
  readonly host: string;
  readonly address: string;
  readonly peerId: PeerId;
  readonly #options: LightPeerOptions;
  readonly #sessions = new Set<Session>();
  #listener: TransportListener | undefined;

  constructor(options: LightPeerOptions) {
    this.#options = options;
    this.host = options.host;
    this.address = addressOf(options.host);
    this.peerId = this.newIdentity();
  }

  /** Its connections. */
  get size(): number {
    return this.#sessions.size;
  }

  newIdentity(): PeerId {
    return toHex(this.#options.world.random.bytes(32));
  }

  async listen(): Promise<void> {
    const transport = this.#options.world.links.transport(this.peerId, { host: this.host });
    this.#listener = await transport.listen(parseAddress(this.address), {
      onConnection: (connection) => this.#open(connection, this.peerId),
      onRefused: () => undefined,
    });
  }

  /** It is gone from the network. */
  leave(): void {
    void this.#listener?.close();
    for (const session of this.#sessions) session.close();
  }

  dial(address: string, as = this.peerId): void {
    const transport = this.#options.world.links.transport(as, { host: this.host });
    transport.dial(parseAddress(address), { timeoutMs: DIAL_TIMEOUT_MS }).then(
      (connection) => this.#open(connection, as),
      () => undefined,
    );
  }

  #open(connection: Connection, own: PeerId): void {
    const { world } = this.#options;
    const session = new Session({
      connection,
      clock: world.clock,
      windowBytes: WINDOW_BYTES,
      own,
      info: this.#info(),
      isMute: false,
      onReady: () => undefined,
      onMessage: (from, message, requestId) => {
        const answer = this.#answerTo(message);
        if (answer !== undefined) from.send(answer, requestId);
      },
      onBreach: ({ peerId }, breach) =>
        world.report(`${peerId} broke a rule towards ${this.host}: ${breachText(breach)}`),
      onClosed: (closed) => void this.#sessions.delete(closed),
    });
    this.#sessions.add(session);
  }

  #info(): HandshakeInfo {
    const { world, says } = this.#options;
    const { hash, totalDifficulty } = genesisOf(world.chain.consensus).header;
    return {
      protocolVersion: PROTOCOL_VERSION,
      networkId: hash,
      agent: AGENT,
      nodeId: "",
      listenAddresses: says?.() ?? [this.address],
      head: { height: 0n, hash, totalDifficulty },
      capabilities: CAPABILITIES,
      quotas: [],
    };
  }

  /** As a node does that has nothing. */
  #answerTo({ kind }: Message): Message | undefined {
    if (kind === "GetPeers") return { kind: "Peers", endpoints: this.#options.tells() };
    if (kind === "RequestHeaders") return { kind: "ResponseHeaders", headers: [] };
    return KINDS[kind].role === "request" ? NOT_FOUND : undefined;
  }
}

const NOT_FOUND = { kind: "RequestRefused", reason: "NotFound" } as const;
