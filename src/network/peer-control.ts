// What a host may do about single peers while its network runs. Each call is one question to the registry,
// which answers when it is done.

import type { NetworkConfig } from "../config.js";
import { CodedError } from "../errors.js";
import type {
  Done,
  OperatorMessage,
  SentAway,
  TrustedPeer,
} from "../actors/peer/operator-messages.js";
import type { NetworkMessage } from "../actors/service/network-messages.js";
import type { BanRecord, PeerId } from "../ports.js";
import { checkedId } from "../protocol/ids.js";
import type { ActorRef } from "../runtime/actor.js";

export interface CommandOptions {
  /** Who asks, for the log: at most 64 characters. Default: "the host". */
  readonly by?: string | undefined;
}

export interface BanOptions extends CommandOptions {
  /** Milliseconds; default `reputation.operatorBanMs`, at most `reputation.operatorBanMaxMs`. */
  readonly forMs?: number | undefined;
  /** For the log and for `bans`, not for the peer: at most 200 characters. */
  readonly reason?: string | undefined;
}

export interface DisconnectOptions extends CommandOptions {
  /** Milliseconds; default `control.awayMs`, at most `control.awayMaxMs`. */
  readonly awayMs?: number | undefined;
}

/**
 * A command throws ID_INVALID or ARGUMENT_INVALID at once; it resolves when it is done, and rejects with
 * REFUSED and a sentence where it cannot be. A rejection that is not heeded does no harm.
 */
export interface PeerControl {
  /** Those in force, and those that are over and make the next one longer. */
  bans(): Promise<readonly BanRecord[]>;
  /**
   * Ends the connections of a peer and keeps it out, for as long as said and over restarts. Refused for
   * one that is trusted.
   */
  banPeer(peerId: PeerId, options?: BanOptions): Promise<BanRecord>;
  /**
   * Lets a peer in again, with a score of 0, whatever others of its address group did. Answers whether
   * it was kept out.
   */
  unbanPeer(peerId: PeerId, options?: CommandOptions): Promise<boolean>;
  /**
   * Trusts a peer beside those of the configuration, over restarts: it has a slot of its own, is not
   * banned, and is let in again if it was. Refused beyond `trustedMax`. Answers whether that is new.
   */
  trustPeer(peerId: PeerId, options?: CommandOptions): Promise<boolean>;
  /**
   * Takes that back; a peer for which there is no slot has to leave. Refused for those of the
   * configuration. Answers whether it was trusted.
   */
  untrustPeer(peerId: PeerId, options?: CommandOptions): Promise<boolean>;
  /**
   * Ends the connections of a peer, which stays away for a while: it is neither let in nor dialed, unless
   * `connect` or `unbanPeer` is called for it. Answers how many connections there were, and for how long.
   */
  disconnectPeer(peerId: PeerId, options?: DisconnectOptions): Promise<SentAway>;
  trustedPeers(): Promise<readonly TrustedPeer[]>;
  /** Up to 16 peers that are known and whose ids begin with this: 1 to 64 lower-case hex characters. */
  findPeers(beginning: string): Promise<readonly PeerId[]>;
}

const BY_CHARS_MAX = 64;
const REASON_CHARS_MAX = 200;
const NAME_CHARS_MAX = 64;

export interface ControlParts {
  readonly config: Pick<NetworkConfig, "control" | "reputation">;
  /** Throws STOPPED when the network has ended. */
  readonly assertRunning: () => void;
  readonly ask: <R>(question: (replyTo: ActorRef<R>) => NetworkMessage) => Promise<R>;
}

export function peerControl({ config, assertRunning, ask }: ControlParts): PeerControl {
  const { control, reputation } = config;
  /** `names`: the options that this command has beside `by`. */
  const about = (
    peerId: PeerId,
    options: unknown,
    ...names: readonly string[]
  ): { peerId: PeerId; by: string } => {
    assertRunning();
    const id = checkedId("peer id", peerId);
    if (typeof options !== "object" || options === null)
      throw invalid("The options", "be an object");
    const known = ["by", ...names];
    const unknown = Object.keys(options).find((name) => !known.includes(name));
    if (unknown !== undefined) {
      const shown = JSON.stringify(unknown.slice(0, NAME_CHARS_MAX));
      const sentence = `There is no option ${shown} of this command: it has ${known.join(", ")}.`;
      throw new CodedError("ARGUMENT_INVALID", sentence);
    }
    const { by = "the host" } = options as CommandOptions;
    return { peerId: id, by: textOf("by", by, BY_CHARS_MAX) };
  };
  const done = <T>(question: (replyTo: ActorRef<Done<T>>) => OperatorMessage): Promise<T> => {
    const answer = ask<Done<T>>(question).then((outcome) => {
      if (outcome.ok) return outcome.value;
      throw new CodedError(outcome.code, outcome.why);
    });
    answer.catch(() => undefined);
    return answer;
  };
  return {
    bans: () => ask((replyTo) => ({ type: "GetBans", replyTo })),
    banPeer(id, options = {}) {
      const whom = about(id, options, "forMs", "reason");
      const { operatorBanMs, operatorBanMaxMs } = reputation;
      const lastsMs = timeOf("forMs", options.forMs ?? operatorBanMs, operatorBanMaxMs);
      const reason = textOf("reason", options.reason ?? "", REASON_CHARS_MAX);
      return done<BanRecord>((replyTo) => ({ type: "BanPeer", ...whom, lastsMs, reason, replyTo }));
    },
    unbanPeer(id, options = {}) {
      const whom = about(id, options);
      return done<boolean>((replyTo) => ({ type: "UnbanPeer", ...whom, replyTo }));
    },
    trustPeer(id, options = {}) {
      const whom = about(id, options);
      return done<boolean>((replyTo) => ({ type: "TrustPeer", ...whom, replyTo }));
    },
    untrustPeer(id, options = {}) {
      const whom = about(id, options);
      return done<boolean>((replyTo) => ({ type: "UntrustPeer", ...whom, replyTo }));
    },
    disconnectPeer(id, options = {}) {
      const whom = about(id, options, "awayMs");
      const awayMs = timeOf("awayMs", options.awayMs ?? control.awayMs, control.awayMaxMs);
      return done<SentAway>((replyTo) => ({ type: "DisconnectPeer", ...whom, awayMs, replyTo }));
    },
    trustedPeers: () => ask((replyTo) => ({ type: "GetTrusted", replyTo })),
    async findPeers(beginning) {
      assertRunning();
      if (typeof beginning !== "string" || !/^[0-9a-f]{1,64}$/.test(beginning)) {
        throw invalid("The beginning of a peer id", "have 1 to 64 lower-case hex characters");
      }
      return ask((replyTo) => ({ type: "FindPeers", beginning, replyTo }));
    },
  };
}

function timeOf(name: string, ms: unknown, maxMs: number): number {
  if (Number.isSafeInteger(ms) && (ms as number) >= 1 && (ms as number) <= maxMs)
    return ms as number;
  throw invalid(name, `be a whole number of milliseconds from 1 to ${maxMs}`);
}

function textOf(name: string, text: unknown, charsMax: number): string {
  if (typeof text === "string" && text.length <= charsMax && !/\p{Cc}/u.test(text)) return text;
  throw invalid(
    name,
    `be a text of at most ${charsMax} characters, none of them a control character`,
  );
}

function invalid(what: string, must: string): CodedError {
  return new CodedError("ARGUMENT_INVALID", `${what} must ${must}.`);
}
