// The protocols that services bring: what their kinds are, and the codes that both sides of a
// connection give them. Pure.

import { CodedError } from "../../errors.js";
import type { OwnKindLimits, OwnProtocol } from "../../types/own-protocol.js";
import { item, itemAt } from "./items.js";
import { LANES, type KindRule } from "./kind.js";
import { TEXT_LIMITS } from "./limits.js";

/** Codes from here on are for kinds of services' own; what each means is negotiated. */
export const OWN_CODE_MIN = 0x80;
const OWN_CODES = 0x100 - OWN_CODE_MIN;
/** What several answers in a queue may take; more is for several messages. */
export const OWN_BODY_BYTES_MAX = 256 * 1024;
/** The arrays' and the byte string's heads. */
const HEAD_BYTES = 1 + 5;
const RATE_MAX = 1_000_000;
const PROTOCOLS_MAX = 16;

/** `chat/1/Say`: the protocol, and the name of the kind in it. */
export type OwnKind = `${string}/${string}`;

export interface OwnMessage {
  readonly kind: OwnKind;
  /** A view of the payload that it came in. */
  readonly body: Uint8Array;
}

export interface OwnRate {
  readonly itemsPerSecond: number;
  readonly burstItems: number;
}

export interface OwnRule extends KindRule<OwnMessage> {
  readonly kind: OwnKind;
  /** Of one-way messages and requests; both sides know it, so none is stated. */
  readonly rate?: OwnRate;
}

/**
 * The kinds of these protocols with their codes: by the name of the protocol, then of the kind, the
 * answer after its request. Two sides with the same protocols give the same codes.
 */
export function ownRules(protocols: readonly OwnProtocol[]): readonly OwnRule[] {
  const rules: OwnRule[] = [];
  for (const { name: capability, kinds } of [...protocols].sort(byName)) {
    for (const name of Object.keys(kinds).sort()) {
      const { bytesMax, answerBytesMax, perSecond, burst, lane } = kinds[name]!;
      const kind: OwnKind = `${capability}/${name}`;
      const shared = { capability, lane: lane ?? "transaction", decode: "inline" } as const;
      const rate = { itemsPerSecond: perSecond, burstItems: burst ?? perSecond };
      const code = OWN_CODE_MIN + rules.length;
      if (answerBytesMax === undefined) {
        rules.push({ ...shared, ...carrying(kind, bytesMax), code, role: "oneWay", rate });
        continue;
      }
      const answeredBy = answerTo(kind);
      const asked = carrying(kind, bytesMax);
      rules.push({ ...shared, ...asked, code, role: "request", answeredBy, rate });
      const answer = carrying(answeredBy, answerBytesMax);
      rules.push({ ...shared, ...answer, code: code + 1, role: "response" });
    }
  }
  return rules;
}

/** The kind that answers this request. */
export function answerTo(request: OwnKind): OwnKind {
  return `${request}:answer`;
}

function byName(left: OwnProtocol, right: OwnProtocol): number {
  return left.name < right.name ? -1 : 1;
}

function carrying(
  kind: OwnKind,
  bytesMax: number,
): Pick<OwnRule, "kind" | "payloadBytesMax" | "body"> {
  const body = item<OwnMessage>({
    itemsIn: (message) => [message.body],
    messageOf: (payload, ranges) => ({ kind, body: itemAt(payload, ranges, 0) }),
  });
  return { kind, payloadBytesMax: bytesMax + HEAD_BYTES, body };
}

/** Bytes that a message of at most so many may hold. */
export function isBody(body: unknown, bytesMax: number): body is Uint8Array {
  return body instanceof Uint8Array && body.length >= 1 && body.length <= bytesMax;
}

/**
 * Throws CONFIG_INVALID, naming what is wrong. `taken`: capabilities that are not for services, and
 * which share the handshake's list with theirs.
 */
export function checkProtocols(protocols: readonly OwnProtocol[], taken: readonly string[]): void {
  const isList: boolean = Array.isArray(protocols);
  if (!isList) refuse("they are no list");
  const names = new Set(taken);
  const most = Math.min(PROTOCOLS_MAX, TEXT_LIMITS.capabilitiesMax - taken.length);
  if (protocols.length > most) refuse(`${protocols.length} are more than ${most}`);
  for (const protocol of protocols) {
    if (!isObject(protocol)) refuse("one of them is no object");
    const { name, kinds } = protocol;
    const isName = /^[a-z0-9.-]+\/[a-z0-9.-]+$/.test(name);
    if (!isName || name.length > TEXT_LIMITS.capabilityBytesMax) {
      refuse(`${JSON.stringify(name)} is no name and version, such as chat/1`);
    }
    if (names.has(name)) refuse(`${name} is there already`);
    names.add(name);
    if (!isObject(kinds)) refuse(`the kinds of ${name} are no object`);
    for (const [kind, limits] of Object.entries(kinds)) checkKind(`${name}/${kind}`, kind, limits);
  }
  const { length } = ownRules(protocols);
  if (length > OWN_CODES) refuse(`their ${length} kinds are more than ${OWN_CODES}`);
}

function checkKind(shown: string, name: string, limits: OwnKindLimits): void {
  if (!/^[A-Za-z][A-Za-z0-9]{0,31}$/.test(name)) refuse(`${shown} is no name of a kind`);
  if (!isObject(limits)) refuse(`the limits of ${shown} are no object`);
  const { bytesMax, answerBytesMax, perSecond, burst, lane } = limits;
  const numbers = [
    ["bytesMax", bytesMax, OWN_BODY_BYTES_MAX],
    ["answerBytesMax", answerBytesMax ?? 1, OWN_BODY_BYTES_MAX],
    ["perSecond", perSecond, RATE_MAX],
    ["burst", burst ?? 1, RATE_MAX],
  ] as const;
  for (const [what, value, max] of numbers) {
    if (Number.isSafeInteger(value) && value >= 1 && value <= max) continue;
    refuse(`${what} of ${shown} is ${value}: it must be a whole number from 1 to ${max}`);
  }
  const lanes: readonly string[] = LANES.slice(1);
  if (lane !== undefined && !lanes.includes(lane)) {
    refuse(`${shown} is on lane ${JSON.stringify(lane)}: it must be one of ${lanes.join(", ")}`);
  }
}

/** Types do not hold in JavaScript. */
function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(why: string): never {
  throw new CodedError("CONFIG_INVALID", `the protocols cannot be used: ${why}`);
}
