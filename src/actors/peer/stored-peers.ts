// What of a stored record of a peer can be believed. A store of a caller's, or one that was written by
// hand, may hold anything: what is none is left out. Pure.

import type { BanRecord, PeerId } from "../../ports.js";
import { readAddress, type Endpoint } from "../../protocol/address.js";
import { isBan } from "./ban-list.js";

/** Endpoints in the record of one peer. */
export const STORED_ENDPOINTS_MAX = 8;

const PEER_ID = /^[0-9a-f]{64}$/;

export interface FoundEndpoint {
  readonly endpoint: Endpoint;
  readonly readyWallMs: number;
}

export interface StoredPeer {
  readonly peerId: PeerId;
  readonly ban: BanRecord | undefined;
  /** By the operator. */
  readonly trusted: boolean;
  readonly endpoints: readonly FoundEndpoint[];
  /** All of the record was believed. */
  readonly isWhole: boolean;
}

/** Undefined: it is of nobody. */
export function readStoredPeer(record: unknown): StoredPeer | undefined {
  const { peerId, ban, endpoints, trusted } = fieldsOf(record);
  if (typeof peerId !== "string" || !PEER_ID.test(peerId)) return undefined;
  const told = banOf(peerId, fieldsOf(ban));
  const read = Array.isArray(endpoints) ? endpoints.slice(0, STORED_ENDPOINTS_MAX) : [];
  const known = read.flatMap(endpointOf);
  const isBanned = ban !== undefined && isBan(told);
  const listed = Array.isArray(endpoints) ? endpoints.length : 0;
  return {
    peerId,
    ban: isBanned ? told : undefined,
    trusted: trusted === true,
    endpoints: known,
    isWhole:
      isBanned === (ban !== undefined) &&
      known.length === listed &&
      (trusted === true || trusted === undefined),
  };
}

function banOf(peerId: PeerId, fields: Readonly<Record<string, unknown>>): BanRecord {
  const { untilWallMs, reason, rule, detail, count, by } = fields;
  const why = {
    reason,
    ...(rule !== undefined && { rule }),
    ...(detail !== undefined && { detail }),
  };
  return { peerId, untilWallMs, ...why, count, ...(by !== undefined && { by }) } as BanRecord;
}

function endpointOf(stored: unknown): readonly FoundEndpoint[] {
  const { address, readyWallMs } = fieldsOf(stored);
  if (typeof address !== "string" || !Number.isFinite(readyWallMs)) return [];
  const reading = readAddress(address);
  if (!reading.ok || reading.address.port === 0) return [];
  return [{ endpoint: reading.address, readyWallMs: readyWallMs as number }];
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
