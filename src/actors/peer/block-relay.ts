// To whom a new block goes, and how: pushed before it is validated to those that know what that means,
// then, once it is the head, to some of the others, and announced to the rest. Part of the broadcaster.

import type { HashHex, HeaderSummary } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";
import type { MessageOf } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import type { IdCache } from "../id-cache.js";
import type { ChainChanged, ConnectedBlock } from "../integration/chain-events.js";
import { BlockPush, compactOf, readsCompact, type PushTarget } from "./block-push.js";
import { drawPushes } from "./draw-pushes.js";

export type BlockRelayEnv = Pick<NodeEnv, "blocks" | "config" | "consensus" | "random">;

/** Its header is checked and binds its transactions; its validation goes on. */
export interface ForwardedBlock {
  readonly header: HeaderSummary;
  readonly compact: MessageOf<"CompactBlock">;
  /** Who sent it. */
  readonly from: PeerId;
}

interface Receiver extends PushTarget {
  readonly peerId: PeerId;
  /** The heaviest head that it claimed: a heavier peer needs no news of ours. */
  readonly claimedDifficulty: bigint;
  readonly known: IdCache;
}

export class BlockRelay<P extends Receiver> {
  readonly #peers: ReadonlyMap<PeerId, P>;
  readonly #delayMsOf: (peerId: PeerId) => number | undefined;
  readonly #env: BlockRelayEnv;
  /** The block that was pushed last before it was validated, and to how many. */
  #forwarded: { readonly hash: HashHex; readonly count: number } | undefined;

  /** `delayMsOf`: how long after the first a peer usually tells of blocks. */
  constructor(
    peers: ReadonlyMap<PeerId, P>,
    delayMsOf: (peerId: PeerId) => number | undefined,
    env: BlockRelayEnv,
  ) {
    this.#peers = peers;
    this.#delayMsOf = delayMsOf;
    this.#env = env;
  }

  /** A single new block is pushed to some and announced to others; a longer step only announced. */
  head({ head, connected }: ChainChanged): void {
    const receivers = this.#lacking(head);
    if (receivers.length === 0) return;
    const forwarded = this.#forwarded?.hash === head.hash ? this.#forwarded.count : 0;
    const pushesMax = this.#env.config.gossip.blockPushes - forwarded;
    const isPushed = connected.length === 1 && pushesMax > 0;
    const push = isPushed ? this.#pushOf(connected[0]!) : undefined;
    const pushes = push === undefined ? 0 : pushesMax;
    this.#draw(receivers, pushes);
    const { height, hash, totalDifficulty } = head;
    const announced = { height: BigInt(height), hash, totalDifficulty };
    const announcement = { kind: "AnnounceBlock", ...announced } as const;
    for (const [index, peer] of receivers.entries()) {
      peer.known.add(hash);
      if (push === undefined || index >= pushes || !push.to(peer)) {
        peer.handler.tell({ type: "Send", message: announcement });
      }
    }
  }

  forward({ header, compact, from }: ForwardedBlock): void {
    // That who sent it has it is told too, and may come later.
    const receivers = this.#lacking(header).filter(
      (peer) => readsCompact(peer) && peer.peerId !== from,
    );
    const pushes = Math.min(this.#env.config.gossip.blockPushes, receivers.length);
    if (pushes === 0) return;
    this.#draw(receivers, pushes);
    const push = new BlockPush({ hash: header.hash, compact: () => compact });
    for (const peer of receivers.slice(0, pushes)) {
      peer.known.add(header.hash);
      push.to(peer);
    }
    this.#forwarded = { hash: header.hash, count: pushes };
  }

  /** Peers that are not known to have this block, or a heavier one. */
  #lacking({ hash, totalDifficulty }: HeaderSummary): P[] {
    return [...this.#peers.values()].filter(
      ({ capabilities, claimedDifficulty, known }) =>
        capabilities.has("blocks/1") && !known.has(hash) && claimedDifficulty < totalDifficulty,
    );
  }

  /** In place, those to push to first. */
  #draw(receivers: P[], pushes: number): void {
    const { random } = this.#env;
    drawPushes(
      receivers,
      pushes,
      ({ peerId }) => this.#delayMsOf(peerId),
      () => random.float(),
    );
  }

  #pushOf({ header, transactionIds }: ConnectedBlock): BlockPush | undefined {
    const whole = this.#env.blocks.block(header.hash);
    if (whole === undefined) return undefined;
    const compact = () => transactionIds && compactOf(whole, transactionIds, this.#env);
    return new BlockPush({ hash: header.hash, whole, compact });
  }
}
