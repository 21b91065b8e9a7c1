// The table of `peers`: one line a peer. Where a terminal is too narrow whole columns are left out, the
// least telling first, and a line says which; nothing is cut. Pure.

import { printable } from "../bytes/printable.js";
import type { PeerStatus } from "../actors/service/node-status.js";

interface Column {
  readonly name: string;
  readonly right?: true;
  readonly text: (peer: PeerStatus) => string;
}

const COLUMNS: readonly Column[] = [
  { name: "peer", text: ({ id }) => id.slice(0, 8) },
  { name: "way", text: ({ direction }) => (direction === "inbound" ? "in" : "out") },
  { name: "kind", text: ({ trusted, purpose }) => (trusted ? "trusted" : purpose) },
  { name: "address", text: ({ address }) => address.replace(/^tcp:\/\//, "") },
  { name: "age", right: true, text: ({ readyForMs }) => shortTime(readyForMs) },
  { name: "ping", right: true, text: ({ pingMs }) => pingText(pingMs) },
  { name: "score", right: true, text: ({ score }) => score.toFixed(2) },
  { name: "class", text: (peer) => peer.class },
  { name: "claims", right: true, text: ({ claimedHeight }) => claimedHeight },
  { name: "in", right: true, text: ({ bytesIn }) => shortBytes(bytesIn) },
  { name: "out", right: true, text: ({ bytesOut }) => shortBytes(bytesOut) },
  { name: "agent", text: ({ agent }) => agent },
];

/** Left out in this order. */
const LEAST_TELLING = ["agent", "kind", "out", "in", "score", "claims", "age", "class", "ping"];

/** Its lines. `width`: of the terminal; absent: any. */
export function peerTable(peers: readonly PeerStatus[], width = Infinity): readonly string[] {
  if (peers.length === 0) return ["no peers"];
  const left = [...LEAST_TELLING];
  const hidden: string[] = [];
  let rows = rowsOf(peers, COLUMNS);
  while (widest(rows) > width && left.length > 0) {
    hidden.push(left.shift()!);
    rows = rowsOf(
      peers,
      COLUMNS.filter(({ name }) => !hidden.includes(name)),
    );
  }
  if (hidden.length === 0) return rows;
  const count = hidden.length === 1 ? "1 column does" : `${hidden.length} columns do`;
  return [...rows, `(${count} not fit: ${hidden.toReversed().join(", ")})`];
}

function rowsOf(peers: readonly PeerStatus[], columns: readonly Column[]): readonly string[] {
  const cells = [
    columns.map(({ name }) => name.toUpperCase()),
    ...peers.map((peer) => columns.map(({ text }) => printable(text(peer)))),
  ];
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at]!.length)));
  return cells.map((row) =>
    row
      .map((cell, at) =>
        columns[at]?.right === true ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!),
      )
      .join("  ")
      .trimEnd(),
  );
}

function widest(rows: readonly string[]): number {
  return Math.max(...rows.map(({ length }) => length));
}

function pingText(pingMs: number | null): string {
  if (pingMs === null) return "-";
  return `${pingMs < 10 ? pingMs.toFixed(1) : Math.round(pingMs)} ms`;
}

/** `75000` → `1m15s`: two units at most. */
export function shortTime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
    ["s", 1],
  ] as const;
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first === -1) return "0s";
  let left = seconds;
  return units
    .slice(first, first + 2)
    .map(([unit, size]) => {
      const count = Math.floor(left / size);
      left -= count * size;
      return count === 0 ? "" : `${count}${unit}`;
    })
    .join("");
}

/** `1536` → `1.5 KiB`. */
export function shortBytes(bytes: number): string {
  let value = bytes;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1_024) return `${unit === "B" ? value : value.toFixed(1)} ${unit}`;
    value /= 1_024;
  }
  return `${value.toFixed(1)} TiB`;
}
