// The base protocol: what every connection speaks, whatever it negotiated.

import type { ChainHead, HandshakeInfo, ServeQuota, ToldQuota } from "../types/node-info.js";
import {
  fields,
  hash,
  list,
  oneOf,
  text,
  tuple,
  uint,
  UINT16_MAX,
  UINT32_MAX,
  uint64,
  UINT8_MAX,
  type Field,
} from "./fields.js";
import { LANES, type Body, type KindRule, type KindsOf, type Lane } from "./kind.js";
import type { AnyMessage } from "./any-message.js";
import { LIMITS_QUOTAS_MAX, TEXT_LIMITS, WINDOW_BYTES_MAX } from "./limits.js";

export const DISCONNECT_REASONS = [
  "Shutdown",
  "ProtocolViolation",
  "IncompatibleVersion",
  "WrongNetwork",
  "TooManyConnections",
  "DuplicateConnection",
  "SelfConnection",
  "Timeout",
  "Banned",
  "InternalError",
] as const;
export type DisconnectReason = (typeof DISCONNECT_REASONS)[number];

export const REFUSAL_REASONS = ["NotFound", "Busy", "RateLimited"] as const;
/** Why a request is answered without what it asked for. None of them is a breach. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export type BaseMessage =
  | ({ readonly kind: "Handshake" } & HandshakeInfo)
  /** The last frame of its sender; `detail` is for the other side's log. */
  | { readonly kind: "Disconnect"; readonly reason: DisconnectReason; readonly detail: string }
  | { readonly kind: "Ping"; readonly nonce: bigint }
  | { readonly kind: "Pong"; readonly nonce: bigint }
  /** Adds `bytes` to what the receiver of this message may send on `lane`. */
  | { readonly kind: "WindowUpdate"; readonly lane: Lane; readonly bytes: number }
  | { readonly kind: "RequestRefused"; readonly reason: RefusalReason }
  /** What its sender takes from now on; kinds that are not in it have what they had. */
  | { readonly kind: "Limits"; readonly quotas: readonly ToldQuota[] };

type Of<K extends BaseMessage["kind"]> = Extract<BaseMessage, { kind: K }>;

const limits = TEXT_LIMITS;

export const HEAD: { readonly [K in keyof ChainHead]: Field<ChainHead[K]> } = {
  height: uint64,
  hash,
  totalDifficulty: uint64,
};

const QUOTA = tuple<ServeQuota>({
  kind: uint(0, UINT8_MAX),
  itemsPerSecond: uint(0, UINT32_MAX),
  burstItems: uint(0, UINT32_MAX),
});

const TOLD_QUOTA = tuple<ToldQuota>({
  kind: uint(0, UINT8_MAX),
  itemsPerSecond: uint(0, UINT32_MAX),
  burstItems: uint(0, UINT32_MAX),
  bytesPerSecond: uint(0, UINT32_MAX),
  burstBytes: uint(0, UINT32_MAX),
});

export const LIMITS_CAPABILITY = "limits/1";

export const BASE_KINDS: KindsOf<BaseMessage> = {
  Handshake: {
    ...control(
      0x01,
      2_048,
      fields<Of<"Handshake">>("Handshake", {
        protocolVersion: uint(0, UINT16_MAX),
        networkId: hash,
        agent: text(limits.agentBytesMax),
        nodeId: text(limits.nodeIdBytesMax),
        listenAddresses: list(text(limits.addressBytesMax), { max: limits.listenAddressesMax }),
        head: tuple<ChainHead>(HEAD),
        capabilities: list(text(limits.capabilityBytesMax), { max: limits.capabilitiesMax }),
        quotas: list(QUOTA, { max: limits.quotasMax }),
      }),
    ),
    phase: "handshake",
  },
  Disconnect: {
    ...control(
      0x02,
      512,
      fields<Of<"Disconnect">>("Disconnect", {
        reason: oneOf(DISCONNECT_REASONS),
        detail: text(limits.disconnectDetailBytesMax),
      }),
    ),
    phase: "any",
  },
  Ping: control(0x03, 16, fields<Of<"Ping">>("Ping", { nonce: uint64 })),
  Pong: control(0x04, 16, fields<Of<"Pong">>("Pong", { nonce: uint64 })),
  WindowUpdate: control(
    0x05,
    16,
    // The control lane has no window.
    fields<Of<"WindowUpdate">>("WindowUpdate", {
      lane: oneOf(LANES, 1),
      bytes: uint(1, WINDOW_BYTES_MAX),
    }),
  ),
  RequestRefused: {
    ...control(
      0x06,
      16,
      fields<Of<"RequestRefused">>("RequestRefused", { reason: oneOf(REFUSAL_REASONS) }),
    ),
    role: "response",
    standsIn: true,
  },
  Limits: {
    ...control(
      0x07,
      1_024,
      fields<Of<"Limits">>("Limits", { quotas: list(TOLD_QUOTA, { max: LIMITS_QUOTAS_MAX }) }),
    ),
    capability: LIMITS_CAPABILITY,
  },
};

function control<M extends AnyMessage>(
  code: number,
  payloadBytesMax: number,
  body: Body<M>,
): KindRule<M> & { readonly counts?: never } {
  return { code, lane: "control", payloadBytesMax, role: "oneWay", decode: "inline", body };
}
