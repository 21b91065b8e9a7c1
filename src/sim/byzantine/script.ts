// What a byzantine node does, as a script: a name and a function that makes the node's behaviour,
// a handful of optional reactions. Whatever a behaviour leaves out the node does as an honest one.

import type { SimChain } from "../chain.js";
import type { BlockBook } from "../block-book.js";
import type { Clock } from "../../ports.js";
import type { SeededRandom } from "../../runtime/random.js";
import type { Message } from "../../protocol/types/message.js";
import type { ChainHead } from "../../protocol/types/node-info.js";
import type { SimSignatures } from "../signatures.js";
import type { Served } from "./chain-view.js";
import type { Session } from "./session.js";

export interface ByzantineScript {
  readonly name: string;
  behave(host: ByzantineHost): Behaviour;
}

export interface Behaviour {
  /** Connections that it dials and keeps, over all its identities. Default 4. */
  readonly dialsMax?: number;
  /** Each connection has an identity of its own. Default: one for all, renewed by each ban. */
  readonly manyIdentities?: true;
  /** Whom it dials, of `host.targets`. Default: anybody. */
  readonly victims?: readonly Target[];
  /** Neither reads nor grants credit once a session is ready. */
  readonly readsNothing?: true;
  /** Never says its part of the handshake. */
  readonly mute?: true;
  /** What it says in handshakes; default: the best head of the run. */
  head?(): ChainHead;
  /** The chain that it serves; default: the best one of the run. */
  chain?(session: Session): Served;
  /** After both handshakes. */
  onReady?(session: Session): void;
  /** True: dealt with; otherwise requests are answered as an honest node would. */
  onMessage?(session: Session, message: Message, requestId: number): boolean;
  /** Once a second of virtual time. */
  tick?(): void;
}

export interface Target {
  /** Of the honest node. */
  readonly name: string;
  readonly address: string;
}

/** What a script may use: all blocks of the run, and its own node. */
export interface ByzantineHost {
  readonly book: BlockBook;
  readonly chain: SimChain;
  readonly signatures: SimSignatures;
  readonly clock: Clock;
  readonly random: SeededRandom;
  /** The honest nodes of the world, in their order. */
  readonly targets: readonly Target[];
  /** Those past their handshakes. */
  readonly sessions: readonly Session[];
}
