// A new block as it is pushed: in compact form to peers that read it, whole to the others; each form is
// made and encoded once. Used by the broadcaster.

import { equalBytes } from "../../bytes/compare.js";
import { fromHex } from "../../bytes/hex.js";
import type { ActorRef } from "../../runtime/actor.js";
import { encodeMessage } from "../../protocol/codec/codec.js";
import { compactBlock } from "../../protocol/kinds/compact-form.js";
import { COMPACT_CAPABILITY } from "../../protocol/kinds/compact.js";
import { drawNonce } from "../../protocol/short-ids.js";
import type { MessageKind, MessageOf } from "../../protocol/types/message.js";
import type { HashHex } from "../../types/chain.js";
import type { NodeEnv } from "../env.js";
import type { PeerHandlerMessage } from "./peer-handler-messages.js";

export interface PushTarget {
  readonly handler: ActorRef<PeerHandlerMessage>;
  readonly capabilities: ReadonlySet<string>;
}

export interface PushedForms {
  readonly hash: HashHex;
  /** Absent: it is not validated yet, and goes to none that reads no compact form. */
  readonly whole?: Uint8Array;
  /** Made when it is first needed; undefined: the block has none. */
  readonly compact: () => MessageOf<"CompactBlock"> | undefined;
}

type Refused = Extract<PeerHandlerMessage, { type: "SendEncoded" }>["refused"] & object;

interface Encoded {
  readonly kind: MessageKind;
  readonly payload: Uint8Array;
  /** What the compact form does not name: its receiver may ask for more of this. */
  readonly about?: Uint8Array;
}

export function readsCompact({ capabilities }: Pick<PushTarget, "capabilities">): boolean {
  return capabilities.has(COMPACT_CAPABILITY);
}

export class BlockPush {
  readonly #forms: PushedForms;
  /** Null: there is none. */
  #compact: Encoded | null | undefined;
  #whole: Encoded | undefined;

  constructor(forms: PushedForms) {
    this.#forms = forms;
  }

  /** False: there is no form of it for this peer, or no room. */
  to({ capabilities, handler }: PushTarget, refused: Refused): boolean {
    const encoded = readsCompact({ capabilities }) ? (this.compact ?? this.whole) : this.whole;
    if (encoded === undefined) return false;
    return handler.tell({ type: "SendEncoded", ...encoded, refused });
  }

  private get compact(): Encoded | undefined {
    if (this.#compact === undefined) {
      const message = this.#forms.compact();
      const payload = message && encodeMessage(message);
      const about = fromHex(this.#forms.hash);
      this.#compact = payload === undefined ? null : { kind: "CompactBlock", payload, about };
    }
    return this.#compact ?? undefined;
  }

  private get whole(): Encoded | undefined {
    const { whole: block } = this.#forms;
    if (block === undefined) return undefined;
    const kind = "NewBlock";
    return (this.#whole ??= { kind, payload: encodeMessage({ kind, block }) });
  }
}

/**
 * The compact form of a validated block. `ids`: of its transactions. Undefined: it is not made of its
 * header and transactions alone.
 */
export function compactOf(
  block: Uint8Array,
  ids: Uint8Array,
  { consensus, random }: Pick<NodeEnv, "consensus" | "random">,
): MessageOf<"CompactBlock"> | undefined {
  const parts = consensus.rules.splitBlock(block);
  if (!parts.ok) return undefined;
  try {
    if (!equalBytes(consensus.assemble(parts.value), block)) return undefined;
  } catch {
    // A caller's own consensus threw: whoever it is about hears of it from its own calls.
    return undefined;
  }
  return compactBlock(parts.value, ids, drawNonce(random));
}
