// Protocol handler: one protocol that a service brought. Calls its functions with what peers send,
// answers requests with what they answer, and carries what the service sends.
// Told by: message router, registry, the service's link. Tells: peer handlers, reputation.

import { errorText, unreachable } from "../../errors.js";
import {
  defineActor,
  replyToOf,
  type ActorRef,
  type Context,
  type PipeOutcome,
} from "../../runtime/actor.js";
import type { LinkedProtocol, PeerId, ProtocolReply, Severity } from "../../ports.js";
import {
  answerTo,
  isBody,
  ownRules,
  type OwnKind,
  type OwnMessage,
} from "../../protocol/kinds/own.js";
import type { Breach } from "../../types/breach.js";
import type { NodeEnv } from "../env.js";
import type { Incoming, PeerAnswer, PeerHandlerMessage } from "../peer/peer-handler-messages.js";
import type { Answer } from "../peer/dealt.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { PeerTableEvent, RegistryMessage } from "../peer/peer-table.js";
import { RESTART } from "../policies.js";
import type { MessageRouterMessage } from "../service/message-router.js";

export type ProtocolMessage =
  /** To one peer, or to all that have the protocol. */
  | { readonly type: "Send"; readonly peerId: PeerId | undefined; readonly message: OwnMessage }
  | {
      readonly type: "Ask";
      readonly peerId: PeerId;
      readonly message: OwnMessage;
      readonly replyTo: ActorRef<PeerAnswer | "NoPeer">;
    }
  | { readonly type: "GetProtocolPeers"; readonly replyTo: ActorRef<readonly PeerId[]> }
  /** The service says that this peer broke a rule of the protocol. */
  | ({ readonly type: "Blame"; readonly peerId: PeerId; readonly severity: Severity } & Breach);

type ProtocolHandlerMessage =
  | Incoming<OwnKind>
  | ProtocolMessage
  | PeerTableEvent
  /** From itself. */
  | { readonly type: "Served"; readonly id: number; readonly outcome: PipeOutcome<ProtocolReply> }
  | { readonly type: "ServeLate"; readonly id: number };

export interface ProtocolHandlerArgs {
  readonly protocol: LinkedProtocol;
  readonly router: ActorRef<MessageRouterMessage>;
  readonly registry: ActorRef<RegistryMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly mailboxMax: number;
}

interface State extends ProtocolHandlerArgs {
  /** Ready peers that have the protocol. */
  readonly peers: Map<PeerId, ActorRef<PeerHandlerMessage>>;
  /** Messages that the service takes its time with. */
  readonly open: Map<number, Incoming<OwnKind>>;
  /** How many of them each peer has. */
  readonly openOf: Map<PeerId, number>;
  nextId: number;
}

type Ctx = Context<ProtocolHandlerMessage, Pick<NodeEnv, "config" | "log">>;

export const protocolHandler = defineActor<
  ProtocolHandlerArgs,
  ProtocolHandlerMessage,
  State,
  Pick<NodeEnv, "config" | "log">
>({
  name: "protocol",
  mailbox: ({ mailboxMax }) => ({
    dataMax: mailboxMax,
    controlMax: 16_384,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: ({ type }) => type.startsWith("Peer") || type.startsWith("Serve"),
  }),
  onFault: RESTART,

  init(context, args) {
    const rules = ownRules([args.protocol]);
    const kinds = rules.flatMap(({ kind, role }) => (role === "response" ? [] : [kind]));
    const handler = context.self as ActorRef<Incoming>;
    args.router.tell({ type: "Register", kinds, handler });
    args.registry.tell({ type: "Subscribe", subscriber: context.self });
    return { ...args, peers: new Map(), open: new Map(), openOf: new Map(), nextId: 1 };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "Incoming":
        arrived(state, message, context);
        return;
      case "Served":
        served(state, message.id, message.outcome, context);
        return;
      case "ServeLate":
        served(state, message.id, { ok: false, error: "it took too long" }, context);
        return;
      case "Send":
        if (message.peerId !== undefined) send(state.peers.get(message.peerId), message.message);
        else for (const peer of state.peers.values()) send(peer, message.message);
        return;
      case "Ask":
        ask(state, message, context);
        return;
      case "GetProtocolPeers":
        message.replyTo.tell([...state.peers.keys()]);
        return;
      case "Blame": {
        const { peerId, rule, detail, severity } = message;
        const what = { peerId, rule: `${state.protocol.name}/${rule}`, detail };
        if (severity === "violation") state.reputation.tell({ type: "Broke", ...what });
        else state.reputation.tell({ type: "Report", event: "ServiceOffence", ...what });
        return;
      }
      case "PeerReady":
        if (!message.capabilities.has(state.protocol.name)) return;
        state.peers.set(message.peerId, message.handler);
        tellOf(state, message.peerId, "onPeer", context);
        return;
      case "PeerGone":
        if (!message.wasReady || !state.peers.delete(message.peerId)) return;
        tellOf(state, message.peerId, "onPeerGone", context);
        return;
      case "PeerMeasured":
      case "PeerClaimed":
        return;
      default:
        unreachable(message);
    }
  },
});

/** Tells the service of a peer; what becomes of it is the service's own business. */
function tellOf(state: State, peerId: PeerId, name: "onPeer" | "onPeerGone", context: Ctx): void {
  const { env } = context;
  const called = guarded(state, peerId, context, ({ service, link }) =>
    service[name]?.(peerId, link),
  );
  if (!called.ok || !isPromise(called.value)) return;
  Promise.resolve(called.value).catch((error: unknown) =>
    logFault(state.protocol, peerId, error, env),
  );
}

/** Calls a function of the service; one that throws is logged. */
function guarded<R>(
  { protocol }: State,
  peerId: PeerId,
  { env }: Ctx,
  call: (protocol: LinkedProtocol) => R,
): PipeOutcome<R> {
  try {
    return { ok: true, value: call(protocol) };
  } catch (error) {
    logFault(protocol, peerId, error, env);
    return { ok: false, error };
  }
}

function logFault(
  { name: protocol }: LinkedProtocol,
  peerId: PeerId,
  error: unknown,
  { log }: Pick<NodeEnv, "log">,
): void {
  const shown = error instanceof Error ? (error.stack ?? error.message) : errorText(error);
  log.write("error", "the handler of a protocol failed", { protocol, peerId, error: shown });
}

function arrived(state: State, incoming: Incoming<OwnKind>, context: Ctx): void {
  const { message, peerId, replyTo } = incoming;
  const { requests, serve } = context.env.config;
  const openOfPeer = state.openOf.get(peerId) ?? 0;
  if (openOfPeer >= serve.ownOpenPerPeerMax) {
    const fields = { protocol: state.protocol.name, peerId, open: openOfPeer };
    context.env.log.write("warn", "a protocol's service is too slow for its peers", fields);
    replyTo.tell(lost(incoming));
    return;
  }
  const kind = nameOf(state, message.kind);
  const body = message.body.slice();
  const called = guarded(state, peerId, context, ({ service, link }) =>
    service.onMessage({ peerId, kind, body }, link),
  );
  if (!called.ok) {
    replyTo.tell(lost(incoming));
    return;
  }
  if (!isPromise(called.value)) {
    replyTo.tell(answerOf(state, incoming, called.value, context));
    return;
  }
  const id = state.nextId++;
  state.open.set(id, incoming);
  state.openOf.set(peerId, openOfPeer + 1);
  context.startTimer(`serve:${id}`, requests.timeoutMaxMs, { type: "ServeLate", id });
  context.pipe(called.value, (outcome) => ({ type: "Served", id, outcome }));
}

/** Open → answered: only the first end counts. */
function served(state: State, id: number, outcome: PipeOutcome<ProtocolReply>, context: Ctx): void {
  const incoming = state.open.get(id);
  if (incoming === undefined) return;
  state.open.delete(id);
  const left = state.openOf.get(incoming.peerId)! - 1;
  if (left > 0) state.openOf.set(incoming.peerId, left);
  else state.openOf.delete(incoming.peerId);
  context.cancelTimer(`serve:${id}`);
  if (!outcome.ok) logFault(state.protocol, incoming.peerId, outcome.error, context.env);
  const answer = outcome.ok ? answerOf(state, incoming, outcome.value, context) : lost(incoming);
  incoming.replyTo.tell(answer);
}

function answerOf(
  { protocol }: State,
  incoming: Incoming<OwnKind>,
  reply: ProtocolReply,
  { env }: Ctx,
): Answer {
  const { requestId, message, peerId } = incoming;
  if (requestId === 0) return "Done";
  if (reply === undefined) return { kind: "RequestRefused", reason: "NotFound" };
  const { answerBytesMax = 0 } = protocol.kinds[nameOf({ protocol }, message.kind)]!;
  if (isBody(reply, answerBytesMax)) return { kind: answerTo(message.kind), body: reply };
  logFault(protocol, peerId, `the answer to ${message.kind} is no body of its limits`, env);
  return lost(incoming);
}

/** What the service did not deal with. */
function lost({ requestId }: Incoming<OwnKind>): Answer {
  return requestId === 0 ? "Done" : { kind: "RequestRefused", reason: "Busy" };
}

function send(peer: ActorRef<PeerHandlerMessage> | undefined, message: OwnMessage): void {
  peer?.tell({ type: "Send", message });
}

function ask(
  { peers }: State,
  { peerId, message, replyTo }: Extract<ProtocolMessage, { type: "Ask" }>,
  context: Ctx,
): void {
  const handler = peers.get(peerId);
  if (handler === undefined) replyTo.tell("NoPeer");
  else context.forward(handler, { type: "Request", message, replyTo }, replyTo);
}

function nameOf({ protocol }: Pick<State, "protocol">, kind: OwnKind): string {
  return kind.slice(protocol.name.length + 1);
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Promise<T> | undefined)?.then === "function";
}
