// Messages made of numbers, hashes and texts: small and rare, so cbor-x reads and writes them after
// the structural scan and before an exact check of every member. The check runs on what is sent,
// too: a message that this node could not read never leaves it.

import { decodeCbor, encodeCbor } from "../../bytes/cbor.js";
import type { CborLimits, CborValue } from "../../bytes/cbor.js";
import { fromHex, toHex } from "../../bytes/hex.js";
import { invariant } from "../../errors.js";
import {
  DISCONNECT_REASONS,
  ITEM_LIMITS,
  LANES,
  REFUSAL_REASONS,
  TEXT_LIMITS,
  WINDOW_BYTES_MAX,
  laneIndex,
} from "../types/message.js";
import type { Message, MessageKind, MessageOf } from "../types/message.js";
import type { ChainHead, ServeQuota } from "../types/node-info.js";
import type { ItemKind } from "./items.js";

export type FieldKind = Exclude<MessageKind, ItemKind>;

/** The deepest is Handshake: message, list of quotas, quota. */
const LIMITS: CborLimits = { depthMax: 3, itemsMax: 160 };

const UINT8_MAX = 2 ** 8 - 1;
const UINT16_MAX = 2 ** 16 - 1;
const UINT32_MAX = 2 ** 32 - 1;
const HASH_BYTES = 32;

type Members = readonly unknown[];

/** The payload of a message made of fields. */
export function encodeFields(message: MessageOf<FieldKind>): Uint8Array<ArrayBuffer> {
  const members = membersOf(message);
  const readable = messageOf(message.kind, members) !== undefined;
  invariant(readable, `a ${message.kind} within its limits`);
  return encodeCbor(members);
}

/** The message, or a phrase that says what is wrong. */
export function decodeFields(kind: FieldKind, payload: Uint8Array): Message | string {
  const decoded = decodeCbor(payload, LIMITS);
  if (!decoded.ok) return decoded.detail;
  const members = decoded.value;
  const message = Array.isArray(members) ? messageOf(kind, members as Members) : undefined;
  return message ?? "not the members it should hold";
}

function membersOf(message: MessageOf<FieldKind>): readonly CborValue[] {
  switch (message.kind) {
    case "Handshake":
      return handshakeMembers(message);
    case "Disconnect":
      return [DISCONNECT_REASONS.indexOf(message.reason), message.detail];
    case "Ping":
    case "Pong":
      return [message.nonce];
    case "WindowUpdate":
      return [laneIndex(message.lane), message.bytes];
    case "RequestRefused":
      return [REFUSAL_REASONS.indexOf(message.reason)];
    case "AnnounceBlock":
      return headMembers(message);
    case "RequestHeaders":
      return [message.locator.map(fromHex), message.countMax];
    case "RequestBlockRange":
      return [message.fromHeight, message.count, fromHex(message.lastHash)];
  }
}

/** Undefined when a member is missing, spare, of another type or beyond its limit. */
function messageOf(kind: FieldKind, members: Members): MessageOf<FieldKind> | undefined {
  const [first, second, third] = members;
  const has = (count: number): boolean => members.length === count;
  switch (kind) {
    case "Handshake":
      return readHandshake(members);
    case "Disconnect": {
      const detailMax = TEXT_LIMITS.disconnectDetailBytesMax;
      if (!has(2) || !isIndex(first, DISCONNECT_REASONS) || !isText(second, detailMax)) break;
      return { kind, reason: DISCONNECT_REASONS[first]!, detail: second };
    }
    case "Ping":
    case "Pong":
      return has(1) && isUint64(first) ? { kind, nonce: BigInt(first) } : undefined;
    case "WindowUpdate":
      if (!has(2) || !isIndex(first, LANES) || first === 0) break;
      if (!isUint(second, 1, WINDOW_BYTES_MAX)) break;
      return { kind, lane: LANES[first]!, bytes: second };
    case "RequestRefused":
      if (!has(1) || !isIndex(first, REFUSAL_REASONS)) break;
      return { kind, reason: REFUSAL_REASONS[first]! };
    case "AnnounceBlock": {
      const head = readHead(members);
      return head && { kind, ...head };
    }
    case "RequestHeaders": {
      if (!has(2) || !isList(first, ITEM_LIMITS.locatorHashesMax) || first.length === 0) break;
      if (!first.every(isHash) || !isUint(second, 1, ITEM_LIMITS.headersMax)) break;
      return { kind, locator: first.map(toHex), countMax: second };
    }
    case "RequestBlockRange":
      if (!has(3) || !isUint(first, 0, Number.MAX_SAFE_INTEGER)) break;
      if (!isUint(second, 1, ITEM_LIMITS.rangeBlocksMax) || !isHash(third)) break;
      return { kind, fromHeight: first, count: second, lastHash: toHex(third) };
  }
  return undefined;
}

function handshakeMembers(message: MessageOf<"Handshake">): readonly CborValue[] {
  return [
    message.protocolVersion,
    fromHex(message.networkId),
    message.agent,
    message.nodeId,
    message.listenAddresses,
    headMembers(message.head),
    message.capabilities,
    message.quotas.map((quota) => [quota.kind, quota.itemsPerSecond, quota.burstItems]),
  ];
}

function readHandshake(members: Members): MessageOf<"Handshake"> | undefined {
  const [version, networkId, agent, nodeId, addresses, headList, capabilities, quotaList] = members;
  const limits = TEXT_LIMITS;
  if (members.length !== 8 || !isUint(version, 0, UINT16_MAX) || !isHash(networkId)) {
    return undefined;
  }
  if (!isText(agent, limits.agentBytesMax) || !isText(nodeId, limits.nodeIdBytesMax)) {
    return undefined;
  }
  if (!isTexts(addresses, limits.listenAddressesMax, limits.addressBytesMax)) return undefined;
  if (!isTexts(capabilities, limits.capabilitiesMax, limits.capabilityBytesMax)) return undefined;
  const head = Array.isArray(headList) ? readHead(headList) : undefined;
  const quotas = isList(quotaList, limits.quotasMax) ? quotaList.map(readQuota) : undefined;
  if (head === undefined || quotas === undefined || !allDefined(quotas)) return undefined;
  return {
    kind: "Handshake",
    protocolVersion: version,
    networkId: toHex(networkId),
    agent,
    nodeId,
    listenAddresses: addresses,
    head,
    capabilities,
    quotas,
  };
}

function headMembers(head: ChainHead): readonly CborValue[] {
  return [head.height, fromHex(head.hash), head.totalDifficulty];
}

function readHead(members: Members): ChainHead | undefined {
  const [height, hash, totalDifficulty] = members;
  if (members.length !== 3 || !isUint64(height) || !isHash(hash) || !isUint64(totalDifficulty)) {
    return undefined;
  }
  return {
    height: BigInt(height),
    hash: toHex(hash),
    totalDifficulty: BigInt(totalDifficulty),
  };
}

function readQuota(members: unknown): ServeQuota | undefined {
  if (!isList(members, 3) || members.length !== 3) return undefined;
  const [kind, itemsPerSecond, burstItems] = members;
  if (!isUint(kind, 0, UINT8_MAX) || !isUint(itemsPerSecond, 0, UINT32_MAX)) return undefined;
  return isUint(burstItems, 0, UINT32_MAX) ? { kind, itemsPerSecond, burstItems } : undefined;
}

function allDefined<T>(items: readonly (T | undefined)[]): items is readonly T[] {
  return !items.includes(undefined);
}

function isUint(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

/** Integers from 2^53 upward come as bigints; the codec refuses those from 2^64 upward. */
function isUint64(value: unknown): value is number | bigint {
  if (typeof value === "bigint") return value >= 0n && value < 2n ** 64n;
  return isUint(value, 0, Number.MAX_SAFE_INTEGER);
}

function isIndex(value: unknown, names: readonly string[]): value is number {
  return isUint(value, 0, names.length - 1);
}

function isHash(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === HASH_BYTES;
}

function isList(value: unknown, itemsMax: number): value is Members {
  return Array.isArray(value) && value.length <= itemsMax;
}

/** Control characters are refused: these texts end in logs and on terminals. */
function isText(value: unknown, bytesMax: number): value is string {
  if (typeof value !== "string" || value.length > bytesMax) return false;
  return Buffer.byteLength(value) <= bytesMax && !/\p{Cc}/u.test(value);
}

function isTexts(value: unknown, itemsMax: number, bytesMax: number): value is readonly string[] {
  return isList(value, itemsMax) && value.every((text) => isText(text, bytesMax));
}
