// The wire protocol as a library of pure functions and state machines: bytes to messages and back,
// for tools and for implementations of other transports. See docs/protocol.md.

export { decodeMessage, encodeMessage } from "./codec/codec.js";
export type { Decoded } from "./codec/codec.js";
export { FRAGMENT_BYTES_MAX, FRAME_HEADER_BYTES, FrameDecoder } from "./codec/frame.js";
export type { Frame, FrameSink, FrameViolation } from "./codec/frame.js";
export { ReceiveLanes } from "./codec/receive-lanes.js";
export type { MessageSink, ReceivedMessage } from "./codec/receive-lanes.js";
export { SendLanes } from "./codec/send-lanes.js";
export type { WindowOptions } from "./codec/window-options.js";
export {
  KINDS_BEFORE_HANDSHAKE,
  PROTOCOL_VERSION,
  keepConnection,
  negotiate,
} from "./handshake.js";
export type { Negotiated } from "./handshake.js";
export {
  DISCONNECT_REASONS,
  ITEM_LIMITS,
  KINDS,
  LANES,
  MESSAGE_KINDS,
  REFUSAL_REASONS,
  TEXT_LIMITS,
  WINDOW_BYTES_MAX,
} from "./types/message.js";
export type {
  DisconnectReason,
  KindRule,
  Lane,
  Message,
  MessageKind,
  MessageOf,
  RefusalReason,
} from "./types/message.js";
export type { ChainHead, Claimed, HandshakeInfo, ServeQuota } from "./types/node-info.js";
export { breachText, VIOLATION_RULES } from "./violation.js";
export type { Breach } from "../types/breach.js";
export type { Violation, ViolationRule } from "./violation.js";
