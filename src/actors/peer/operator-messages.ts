// What an operator asks of the registry while the node runs. Types only. Each command is answered once it
// is done, or with why it is not.

import type { ActorRef, AskOutcome } from "../../runtime/actor.js";
import type { BanRecord, PeerId } from "../../ports.js";

/** About one peer. */
interface About<T> {
  readonly peerId: PeerId;
  /** Who asks, for the log. */
  readonly by: string;
  readonly replyTo: ActorRef<Done<T>>;
}

/** Commands that reputation carries out too. */
export type JudgingCommand =
  | ({
      readonly type: "BanPeer";
      readonly lastsMs: number;
      readonly reason: string;
    } & About<BanRecord>)
  /** Answered with whether it was kept out before. */
  | ({ readonly type: "UnbanPeer" } & About<boolean>)
  /** Answered with whether that changed anything. */
  | ({ readonly type: "TrustPeer" } & About<boolean>)
  | ({ readonly type: "UntrustPeer" } & About<boolean>);

export type OperatorMessage =
  | JudgingCommand
  | ({ readonly type: "DisconnectPeer"; readonly awayMs: number } & About<SentAway>)
  | { readonly type: "GetTrusted"; readonly replyTo: ActorRef<readonly TrustedPeer[]> }
  /** Peers that are known, by how their ids begin. */
  | {
      readonly type: "FindPeers";
      readonly beginning: string;
      readonly replyTo: ActorRef<readonly PeerId[]>;
    };

/** From the registry to itself: what reputation made of a command. */
export interface CommandJudged {
  readonly type: "CommandJudged";
  readonly command: JudgingCommand;
  readonly outcome: AskOutcome<BanRecord | boolean | undefined>;
  /** The command's. */
  readonly replyTo: ActorRef<never>;
}

export type Done<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      /** REFUSED: it cannot be. The others: it may have happened all the same. */
      readonly code: "REFUSED" | "QUEUE_FULL" | "TIMEOUT";
      /** One plain sentence. */
      readonly why: string;
    };

export interface SentAway {
  /** That ended. */
  readonly connections: number;
  /** From now on. */
  readonly awayMs: number;
}

export interface TrustedPeer {
  readonly peerId: PeerId;
  readonly by: "configuration" | "operator";
}
