// The address book as its store keeps it: a page of text for each bucket, by name. What a store
// answers may be anything: what is no address is left out, and has its place by what this node knows now,
// not by the page that it stood on. Pure.

import type { AddressPage } from "../../ports.js";
import { readAddress, type Endpoint } from "../../protocol/address.js";
import type { KnownAddress } from "./known-address.js";

/** What of an address is stored; times in wall-clock milliseconds. */
export type StoredAddress = Pick<
  KnownAddress,
  "peerId" | "heardWallMs" | "ownWallMs" | "dialedWallMs" | "foundWallMs" | "failures"
> & {
  readonly endpoint: Endpoint;
  /** The group whose word gives it this place. */
  readonly source: string;
};

/** More is no page of ours. */
const PAGE_CHARS_MAX = 1_048_576;
const SOURCE = /^[0-9a-z.:/-]{1,253}$/;
const PEER_ID = /^[0-9a-f]{64}$/;

/** Of an address of IPv4 about 80 characters, and 64 more where its peer is known. */
export function pageText(known: readonly (readonly [KnownAddress, source: string])[]): string {
  if (known.length === 0) return "";
  const rows = known.map(([one, source]) => [
    one.address,
    source,
    one.heardWallMs,
    one.ownWallMs,
    one.dialedWallMs,
    one.foundWallMs,
    one.failures,
    ...(one.peerId === undefined ? [] : [one.peerId]),
  ]);
  return JSON.stringify(rows);
}

/** At most `max`. */
export function readPage(text: string, max: number): readonly StoredAddress[] {
  const rows = parsed(text);
  if (!Array.isArray(rows)) return [];
  return rows.slice(0, max).flatMap((row) => readRow(row) ?? []);
}

function readRow(row: unknown): StoredAddress | undefined {
  if (!Array.isArray(row)) return undefined;
  const [address, source, ...rest] = row as readonly unknown[];
  const [heardWallMs, ownWallMs, dialedWallMs, foundWallMs, failures, peerId] = rest;
  const numbers = [heardWallMs, ownWallMs, dialedWallMs, foundWallMs, failures];
  if (!numbers.every((one) => Number.isSafeInteger(one) && (one as number) >= 0)) return undefined;
  if (typeof address !== "string" || typeof source !== "string" || !SOURCE.test(source)) return;
  const reading = readAddress(address);
  if (!reading.ok || reading.address.port === 0 || reading.address.peerId !== undefined) return;
  const isPeer = typeof peerId === "string" && PEER_ID.test(peerId);
  return {
    endpoint: reading.address,
    source,
    heardWallMs: heardWallMs as number,
    ownWallMs: ownWallMs as number,
    dialedWallMs: dialedWallMs as number,
    foundWallMs: foundWallMs as number,
    failures: failures as number,
    peerId: isPeer ? peerId : undefined,
  };
}

/** What a store answered, as far as it is pages at all. */
export function readPages(pages: readonly unknown[]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const page of pages) {
    if (typeof page !== "object" || page === null) continue;
    const { name, text } = page as Partial<Record<keyof AddressPage, unknown>>;
    if (typeof name !== "string" || typeof text !== "string") continue;
    if (text.length <= PAGE_CHARS_MAX) texts.set(name, text);
  }
  return texts;
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
