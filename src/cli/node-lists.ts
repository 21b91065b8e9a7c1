// What an operator's lists of a running node look like: bans, who is trusted, and what connections may
// carry. Pure.

import type { TrustedPeer } from "../actors/peer/operator-messages.js";
import type { DirectionReport, LimitsReport } from "../actors/throttle/throttle.js";
import type { BanRecord } from "../ports.js";
import { shortBytes, shortTime } from "./peer-table.js";

export type ListedBan = BanRecord & { readonly inForce: boolean };

/** Those in force, the first to end first; `isAll`: those that are over and remembered follow. */
export function bansText(bans: readonly ListedBan[], nowMs: number, isAll: boolean): string[] {
  const shown = [...bans]
    .sort((one, other) => one.untilWallMs - other.untilWallMs)
    .filter(({ inForce }) => inForce);
  const past = bans.filter(({ inForce }) => !inForce);
  const lines =
    shown.length === 0 ? ["Nobody is banned."] : shown.map((ban) => banLine(ban, nowMs));
  if (isAll) return [...lines, ...past.map((ban) => banLine(ban, nowMs))];
  if (past.length === 0) return lines;
  return [...lines, `(and ${past.length} that are over and remembered: --all shows them)`];
}

function banLine(ban: ListedBan, nowMs: number): string {
  const { peerId, inForce, untilWallMs, count, by, reason, rule, detail } = ban;
  const leftMs = Math.abs(untilWallMs - nowMs);
  const when = inForce
    ? `for another ${shortTime(Math.max(1_000, leftMs))}`
    : `over for ${shortTime(leftMs)}`;
  const who = by === "operator" ? "by the operator" : `for ${reason}`;
  const times = count > 1 ? `, for the ${count}. time` : "";
  const why = [rule, detail].filter((part) => part !== undefined && part !== "").join(": ");
  return `${peerId}  ${when}, ${who}${times}${why === "" ? "" : `: ${why}`}`;
}

export function trustedText(trusted: readonly TrustedPeer[]): string[] {
  if (trusted.length === 0) return ["Nobody is trusted."];
  return trusted.map(({ peerId, by }) => `${peerId}  by the ${by}`);
}

export function limitsText({ upload, download, history }: LimitsReport): string[] {
  const { bytesPerDay, resetsInMs, usedBytes } = history;
  const most = bytesPerDay === 0 ? ", no limit" : ` of ${shortBytes(bytesPerDay)} a day`;
  const anew = resetsInMs === null ? "" : `, anew in ${shortTime(resetsInMs)}`;
  return [
    `upload    ${directionText(upload)}`,
    `download  ${directionText(download)}`,
    `history   ${shortBytes(usedBytes)} served${most}${anew}`,
  ];
}

function directionText(direction: DirectionReport): string {
  const { bytesPerSecond, heldPeers, peerBytesPerSecond, usedBytesPerSecond } = direction;
  const waits = heldPeers === 0 ? "" : `, ${heldPeers} of them wait`;
  return (
    `${shortBytes(usedBytesPerSecond)}/s of ${rateText(bytesPerSecond)}, ` +
    `each peer of ${rateText(peerBytesPerSecond)}${waits}`
  );
}

function rateText(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? "no limit" : `${shortBytes(bytesPerSecond)}/s`;
}
