// `explain` in plain words: what is known of a peer, and why it stands where it stands. Pure.

import type { PeerHistory } from "../actors/peer/peer-history.js";
import type { PeerStatus } from "../actors/service/node-status.js";
import { shortTime } from "./peer-table.js";

export type Explained = PeerHistory & { readonly connected: PeerStatus | null };

/** Its lines; `nowMs` since 1970. */
export function explainText(peer: Explained, nowMs: number): readonly string[] {
  return [
    `Peer ${peer.peerId}`,
    ...standing(peer, nowMs),
    ...connections(peer),
    ...addresses(peer, nowMs),
    ...reasons(peer, nowMs),
  ];
}

function standing(peer: Explained, nowMs: number): string[] {
  const { ban, trusted, score, class: named, awayMs } = peer;
  const lines = [];
  if (trusted) lines.push("It is trusted: it has a slot of its own and is not banned.");
  if (ban !== undefined) {
    const { untilWallMs, reason, rule, detail, count, by } = ban;
    const why = [rule, detail].filter((part) => part !== undefined && part !== "").join(": ");
    const who = by === "operator" ? "by the operator" : `for ${reason}`;
    const times = count === 1 ? "" : `, for the ${count}. time`;
    const left = shortTime(Math.max(0, untilWallMs - nowMs));
    lines.push(`It is banned ${who}${times}, for another ${left}${why === "" ? "" : `: ${why}`}.`);
  }
  if (awayMs > 0) {
    const left = shortTime(Math.max(1_000, awayMs));
    lines.push(`The operator sent it away: it is neither let in nor dialed for another ${left}.`);
  }
  const called = ban === undefined ? `, which is called ${named}` : "";
  lines.push(`Its reputation is ${score.toFixed(1)}${called}.`);
  return lines;
}

function connections({ connections: open, connected, readyWallMs }: Explained): string[] {
  if (open.length === 0) {
    const since = readyWallMs === null ? "" : ` It was last connected at ${timeText(readyWallMs)}.`;
    return [`It is not connected.${since}`];
  }
  const lines = open.map(({ direction, address, phase, forMs }) => {
    const way = direction === "inbound" ? "It came from" : "This node dialed";
    return `${way} ${address}; the connection is ${phase} for ${shortTime(forMs)}.`;
  });
  if (connected === null) return lines;
  const { agent, nodeId, claimedHeight, pingMs } = connected;
  const label = nodeId === "" ? "" : ` and the label ${JSON.stringify(nodeId)}`;
  const ping = pingMs === null ? "" : ` A ping takes ${pingMs.toFixed(1)} ms.`;
  lines.push(`It says that it runs ${agent}${label}, and claims height ${claimedHeight}.${ping}`);
  return lines;
}

function addresses({ endpoints, addresses: book, told }: Explained, nowMs: number): string[] {
  const lines = endpoints.map(({ address, source, state, failures, end, waitMs, readyWallMs }) => {
    const seen =
      readyWallMs === null ? "never found there" : `found there ${ago(readyWallMs, nowMs)}`;
    const failed = failedText(failures);
    const next = waitMs >= 1_000 ? `, not dialed for another ${shortTime(waitMs)}` : "";
    const last = end === null ? "" : `; last: ${end}`;
    return `  ${address} (${source}): ${state}, ${seen}${failed}${next}${last}`;
  });
  for (const { address, heardWallMs, foundWallMs, failures } of book) {
    const found = foundWallMs === null ? "" : `, found there ${ago(foundWallMs, nowMs)}`;
    const failed = failedText(failures);
    const heard = `heard of ${ago(heardWallMs, nowMs)}`;
    lines.push(`  ${address} (in the address book): ${heard}${found}${failed}`);
  }
  if (lines.length > 0) lines.unshift("Where it is known at:");
  if (told.length > 0) lines.push(`It says that it can be dialed at ${told.join(", ")}.`);
  return lines;
}

function failedText(failures: number): string {
  if (failures === 0) return "";
  return `, failed ${failures === 1 ? "once" : `${failures} times`} since`;
}

function reasons({ entries }: Explained, nowMs: number): string[] {
  if (entries.length === 0) return ["Nothing is noted for or against it."];
  return [
    "What it did, the latest last:",
    ...entries.map(({ wallMs, event, delta, rule, detail }) => {
      const points = `${delta >= 0 ? "+" : ""}${delta.toFixed(1)}`;
      const why = [rule, detail].filter((part) => part !== undefined && part !== "").join(": ");
      return `  ${ago(wallMs, nowMs)}: ${event} ${points}${why === "" ? "" : ` (${why})`}`;
    }),
  ];
}

function ago(wallMs: number, nowMs: number): string {
  return `${shortTime(Math.max(0, nowMs - wallMs))} ago`;
}

function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
