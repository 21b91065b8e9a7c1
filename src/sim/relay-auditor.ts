// The relay auditor sees every message on its way to an actor. Blocks, headers and announcements
// that a node has its peer handlers send must be valid ones of the book; what a node says of its
// peers it passes on to the world, which shows it each delivery.

import { equalBytes } from "../bytes/compare.js";
import type { PeerHandlerMessage } from "../actors/peer/peer-handler-messages.js";
import type { ReputationMessage } from "../actors/peer/peer-reputation.js";
import type { ChainRules, HashHex } from "../types/chain.js";
import { decodeMessage } from "../protocol/codec/codec.js";
import { isOfChain, type Message, type MessageOf } from "../protocol/types/message.js";
import type { BlockBook, BookBlock } from "./block-book.js";

export interface RelayAuditorParts {
  readonly book: BlockBook;
  readonly rules: Pick<ChainRules, "checkHeader" | "readHeader" | "splitBlock">;
  /** Told of every wrong relay, in one sentence. */
  readonly report: (sentence: string) => void;
  /** Told of all that nodes say of their peers. */
  readonly onBlame: (node: string, report: BlameReport) => void;
}

const PEER_HANDLER = /^\/([^/]+)\/network\/registry\/peer-\d+$/;
const REPUTATION = /^\/([^/]+)\/network\/reputation$/;

export class RelayAuditor {
  readonly #parts: RelayAuditorParts;
  #relayedCount = 0;

  constructor(parts: RelayAuditorParts) {
    this.#parts = parts;
  }

  /** Blocks, headers and announcements that nodes sent and that were held against the book. */
  get relayedCount(): number {
    return this.#relayedCount;
  }

  /** `path` and `message` are those of a delivery. */
  see(path: string, message: unknown): void {
    switch ((message as { readonly type?: unknown }).type) {
      case "Send":
      case "SendEncoded":
      case "Dealt": {
        const node = PEER_HANDLER.exec(path)?.[1];
        if (node !== undefined) this.#sent(node, sentMessage(message as Sent));
        return;
      }
      case "Report":
      case "Broke": {
        const node = REPUTATION.exec(path)?.[1];
        if (node !== undefined) this.#parts.onBlame(node, blameOf(message as Blame));
        return;
      }
    }
  }

  #sent(node: string, message: Message | undefined): void {
    switch (message?.kind) {
      case "NewBlock":
        this.#checkBlock(node, message.block, message.kind, true);
        return;
      case "AnnounceBlock": {
        const { height, totalDifficulty } = message;
        const block = this.#known(node, message.hash, message.kind, true);
        if (block === undefined) return;
        const same =
          block.header.height === Number(height) &&
          block.header.totalDifficulty === totalDifficulty;
        if (!same) this.#wrong(node, message.hash, message.kind, "its height is another");
        return;
      }
      case "CompactBlock":
        this.#checkPassedOn(node, message);
        return;
      case "ResponseBlock":
        // Whoever knows the hash of a fork block may have it: it was checked, but not connected.
        this.#checkBlock(node, message.block, message.kind, false);
        return;
      case "ResponseBlockRange":
        for (const block of message.blocks) this.#checkBlock(node, block, message.kind, true);
        return;
      case "ResponseHeaders":
        for (const header of message.headers) this.#checkHeader(node, header, message.kind, true);
        return;
      default:
        return;
    }
  }

  /** It may be passed on before any node stored it, on a block that one connected. */
  #checkPassedOn(node: string, { header: bytes, kind }: MessageOf<"CompactBlock">): void {
    this.#relayedCount++;
    const { book, rules } = this.#parts;
    const header = rules.readHeader(bytes);
    if (!header.ok) return this.#wrong(node, "", kind, header.fault.detail);
    const { hash, previousHash } = header.value;
    const parent = book.get(previousHash);
    if (parent === undefined || !book.isConnected(previousHash)) {
      return this.#wrong(node, hash, kind, "no node connected its parent");
    }
    const checked = rules.checkHeader(bytes, parent.header, Number.MAX_SAFE_INTEGER);
    if (!checked.ok) this.#wrong(node, hash, kind, checked.fault.detail);
  }

  #checkBlock(node: string, bytes: Uint8Array, kind: string, connected: boolean): void {
    const parts = this.#parts.rules.splitBlock(bytes);
    if (!parts.ok) return this.#wrong(node, "", kind, parts.fault.detail);
    const block = this.#checkHeader(node, parts.value.header, kind, connected);
    if (block === undefined || equalBytes(block.bytes, bytes)) return;
    this.#wrong(node, block.header.hash, kind, "its bytes are not those of this hash");
  }

  #checkHeader(
    node: string,
    bytes: Uint8Array,
    kind: string,
    connected: boolean,
  ): BookBlock | undefined {
    const header = this.#parts.rules.readHeader(bytes);
    if (header.ok) return this.#known(node, header.value.hash, kind, connected);
    this.#wrong(node, "", kind, header.fault.detail);
    return undefined;
  }

  #known(node: string, hash: HashHex, kind: string, connected: boolean): BookBlock | undefined {
    this.#relayedCount++;
    const { book } = this.#parts;
    const block = book.get(hash);
    if (block === undefined) this.#wrong(node, hash, kind, "no node stored it");
    else if (connected && !book.isConnected(hash)) {
      this.#wrong(node, hash, kind, "no node connected it");
    }
    return block;
  }

  #wrong(node: string, hash: HashHex, kind: string, what: string): void {
    this.#parts.report(`${node} sent block ${hash} as ${kind}: ${what}`);
  }
}

type Sent = Extract<PeerHandlerMessage, { type: "Send" | "SendEncoded" | "Dealt" }>;
/** What one actor of a node tells its reputation actor. */
type Blame = Extract<ReputationMessage, { type: "Report" | "Broke" }>;

/** What a node says of another to its blame or praise. */
export type BlameReport = Extract<ReputationMessage, { type: "Report" }>;

function blameOf(message: Blame): BlameReport {
  if (message.type === "Report") return message;
  const { peerId, rule, detail } = message;
  return { type: "Report", peerId, event: "ProtocolViolation", rule, detail };
}

function sentMessage(sent: Sent): Message | undefined {
  if (sent.type !== "SendEncoded") {
    const message = sent.type === "Send" ? sent.message : sent.answer;
    return message !== undefined && isOfChain(message) ? message : undefined;
  }
  const decoded = decodeMessage(sent.kind, sent.payload);
  return decoded.ok ? decoded.message : undefined;
}
