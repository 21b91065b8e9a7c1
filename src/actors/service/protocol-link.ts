// What a service does with the peers of its protocol, as messages to the protocol's actor.

import { isCoded } from "../../errors.js";
import type { ActorSystem } from "../../runtime/actor-system.js";
import type { ActorRef } from "../../runtime/actor.js";
import type { NodeEnv } from "../env.js";
import type { ProtocolMessage } from "../handlers/protocol-handler.js";
import type { PeerAnswer } from "../peer/peer-handler-messages.js";
import type { NetworkMessage } from "./network-messages.js";
import type { PeerId, ProtocolAnswer, ProtocolLink } from "../../ports.js";
import { checkedId } from "../../protocol/ids.js";
import { isBody, type OwnMessage } from "../../protocol/kinds/own.js";
import type { OwnProtocol } from "../../types/own-protocol.js";

const SEVERITIES: ReadonlySet<unknown> = new Set(["violation", "offence"]);
const RULE = /^[a-z][a-z0-9-]{0,31}$/;
/** With protocol and rule it fits into a Disconnect. */
const DETAIL_CHARS_MAX = 200;

export interface Running {
  readonly system: ActorSystem<NodeEnv>;
  readonly service: ActorRef<NetworkMessage>;
}

/** `running`: called for each message. */
export function protocolLink(
  { name: protocol, kinds }: OwnProtocol,
  running: () => Running,
  timeoutMs: number,
): ProtocolLink {
  const tell = (message: ProtocolMessage): void =>
    void running().service.tell({ type: "ToProtocol", protocol, message });
  const ask = async <R>(question: (replyTo: ActorRef<R>) => ProtocolMessage): Promise<R> => {
    const { system, service } = running();
    return system.ask(
      service,
      (replyTo: ActorRef<R>): NetworkMessage => {
        return { type: "ToProtocol", protocol, message: question(replyTo) };
      },
      timeoutMs,
    );
  };
  const messageOf = (kind: string, body: Uint8Array, isRequest: boolean): OwnMessage => {
    const limits = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (limits === undefined || (limits.answerBytesMax !== undefined) !== isRequest) {
      const what = isRequest ? "request" : "one-way message";
      throw new TypeError(`${protocol} has no ${what} ${kind}`);
    }
    if (!isBody(body, limits.bytesMax)) {
      const sentence = `a body of ${protocol}/${kind} is a Uint8Array of 1 to ${limits.bytesMax} bytes`;
      throw new TypeError(sentence);
    }
    // A copy: it leaves in a later turn, and its owner may go on writing to it.
    return { kind: `${protocol}/${kind}`, body: body.slice() };
  };
  return {
    send(peerId, kind, body) {
      checkedId("peer id", peerId);
      tell({ type: "Send", peerId, message: messageOf(kind, body, false) });
    },
    broadcast(kind, body) {
      tell({ type: "Send", peerId: undefined, message: messageOf(kind, body, false) });
    },
    async ask(peerId, kind, body) {
      checkedId("peer id", peerId);
      const message = messageOf(kind, body, true);
      return answerOf(
        ask<PeerAnswer | "NoPeer">((replyTo) => ({ type: "Ask", peerId, message, replyTo })),
      );
    },
    report(peerId, { rule, detail }, severity = "violation") {
      checkedId("peer id", peerId);
      if (!RULE.test(rule)) throw new TypeError(`${JSON.stringify(rule)} is no name of a rule`);
      if (typeof detail !== "string") throw new TypeError(`the detail of ${rule} is no text`);
      if (!SEVERITIES.has(severity)) {
        throw new TypeError(`${JSON.stringify(severity)} is neither violation nor offence`);
      }
      const cut = detail.slice(0, DETAIL_CHARS_MAX);
      tell({ type: "Blame", peerId, severity, rule, detail: cut });
    },
    peers: async () => ask<readonly PeerId[]>((replyTo) => ({ type: "GetProtocolPeers", replyTo })),
  };
}

async function answerOf(asked: Promise<PeerAnswer | "NoPeer">): Promise<ProtocolAnswer> {
  try {
    const outcome = await asked;
    if (outcome === "NoPeer") return { ok: false, reason: "NoPeer" };
    if (!outcome.ok) return { ok: false, reason: outcome.reason };
    return { ok: true, body: (outcome.message as OwnMessage).body.slice() };
  } catch (error) {
    // The connection ended, or its actor is busier than it can tell.
    if (isCoded(error, "TIMEOUT")) return { ok: false, reason: "Timeout" };
    if (isCoded(error, "QUEUE_FULL")) return { ok: false, reason: "Busy" };
    if (isCoded(error, "CRASHED")) return { ok: false, reason: "Closed" };
    throw error;
  }
}
