// How far this node's clock is from those of its peers: what they told of theirs, and the judgement.
// Pure. One liar among three is outvoted; only peers that this node chose to dial have a vote.

import { hostGroup, isLocalHost } from "../../protocol/address.js";
import type { Clock } from "../../ports.js";
import type { PeerReport } from "./peer-table.js";

export interface ClockStatus {
  /** The median by which peers' clocks are ahead of ours; null: nobody told. */
  readonly offsetMs: number | null;
  /** How many address groups of outbound peers it is the median of. */
  readonly told: number;
  /** One sentence when the offset is over the limit. */
  readonly wrong: string | null;
}

/** By how much a clock is ahead of ours now, of which this was the time at our monotonic zero. */
export function clockOffset(
  epochMs: number | undefined,
  clock: Pick<Clock, "monotonicMs" | "wallMs">,
): number | null {
  return epochMs === undefined ? null : Math.round(epochMs + clock.monotonicMs() - clock.wallMs());
}

export function clockStatus(peers: readonly PeerReport[], offsetMaxMs: number): ClockStatus {
  const groups = new Map<string, number[]>();
  for (const { direction, address, remote, clockOffsetMs } of peers) {
    if (direction !== "outbound" || clockOffsetMs === null) continue;
    // Peers of this machine or a private network are as many as they are.
    const group = isLocalHost(remote.host) ? address : hostGroup(remote.host);
    groups.set(group, [...(groups.get(group) ?? []), clockOffsetMs]);
  }
  const told = groups.size;
  if (told === 0) return { offsetMs: null, told, wrong: null };
  const offsetMs = Math.round(median([...groups.values()].map(median)));
  if (Math.abs(offsetMs) <= offsetMaxMs) return { offsetMs, told, wrong: null };
  const seconds = Math.round(Math.abs(offsetMs) / 1_000);
  const by = `${seconds} s ${offsetMs > 0 ? "behind" : "ahead of"}`;
  const whom =
    told === 1 ? "that of its only outbound peer" : `most of ${told} outbound peers' clocks`;
  return { offsetMs, told, wrong: `this node's clock is ${by} ${whom}: set the time (NTP)` };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
