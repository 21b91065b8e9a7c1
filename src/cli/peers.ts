// Commands about the peers of a running node: `peers` shows them, now or until Ctrl-C, `explain` says why
// one stands where it stands, and the others do something about it. Results go to standard output.

import { setTimeout as delay } from "node:timers/promises";
import { printable, printableIn } from "../bytes/printable.js";
import type { PeerStatus } from "../actors/service/node-status.js";
import { findNode, type NodeClient, type Whereabouts } from "../api/client.js";
import { CodedError } from "../errors.js";
import type { BanRecord } from "../ports.js";
import { EXIT_FAULT, EXIT_OK } from "./exit.js";
import { explainText, type Explained } from "./peer-text.js";
import { peerTable, shortTime } from "./peer-table.js";

export interface NodeFlags extends Whereabouts {
  readonly json?: boolean;
}

export interface PeersFlags extends NodeFlags {
  readonly watch?: boolean;
}

export interface BanFlags extends NodeFlags {
  /** Milliseconds. */
  readonly for?: number;
  readonly reason?: string;
}

const WATCH_EVERY_MS = 1_000;

export async function peers({ watch = false, ...flags }: PeersFlags): Promise<void> {
  const node = await findNode(flags);
  if (!watch) return write(await peersText(node, flags));
  const screen = process.stdout.isTTY && flags.json !== true ? new Screen() : undefined;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      screen?.end();
      process.exit(signal === "SIGINT" ? EXIT_OK : EXIT_FAULT);
    });
  }
  try {
    for (;;) {
      const lines = await peersText(node, flags);
      if (screen === undefined) write(lines);
      else screen.draw([`${node.url}, ${new Date().toISOString()}, Ctrl-C ends`, ...lines]);
      await delay(WATCH_EVERY_MS);
    }
  } finally {
    screen?.end();
  }
}

async function peersText(
  node: NodeClient,
  { json = false }: NodeFlags,
): Promise<readonly string[]> {
  const { peers: known } = shaped<{ peers: readonly PeerStatus[] }>(
    node,
    await node.get("/peers"),
    "peers",
  );
  if (json) return [JSON.stringify(known)];
  return peerTable(known, process.stdout.isTTY ? process.stdout.columns : undefined);
}

/** A terminal that is written over, line by line: nothing is cleared before it is drawn again. */
class Screen {
  constructor() {
    process.stdout.write("\x1b[?25l\x1b[2J");
  }

  draw(lines: readonly string[]): void {
    const { rows } = process.stdout;
    const more = lines.length - (rows - 1);
    const shown = more > 0 ? [...lines.slice(0, rows - 2), `(and ${more + 1} lines more)`] : lines;
    process.stdout.write(`\x1b[H${shown.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`);
  }

  end(): void {
    process.stdout.write("\x1b[?25h");
  }
}

export async function explain(peer: string, flags: NodeFlags): Promise<void> {
  const node = await findNode(flags);
  const answer = await node.get(`/peers/${pathOf(peer)}`);
  const explained = shaped<Explained>(node, answer, "entries");
  write(flags.json === true ? [JSON.stringify(explained)] : explainText(explained, Date.now()));
}

/** Node's own digits are checked by the node; what is none would be another path. */
function pathOf(peer: string): string {
  if (/^[0-9a-f]{4,64}$/.test(peer)) return peer;
  const shown = JSON.stringify(peer.slice(0, 100));
  const sentence = `${shown} is no peer id: it has 64 lower-case hex digits, of which 4 or more may be said.`;
  throw new CodedError("REFUSED", sentence);
}

export async function ban(peer: string, flags: BanFlags): Promise<void> {
  const { for: forMs, reason } = flags;
  await command<{ peerId: string; ban: BanRecord }>(
    "ban",
    { peerId: pathOf(peer), forMs, reason },
    flags,
    ({ peerId, ban: { untilWallMs } }) =>
      `${peerId} is banned until ${new Date(untilWallMs).toISOString()}.`,
  );
}

export async function disconnect(peer: string, flags: BanFlags): Promise<void> {
  const { for: awayMs } = flags;
  await command<{ peerId: string; connections: number; awayMs: number }>(
    "disconnect",
    { peerId: pathOf(peer), awayMs },
    flags,
    (done) =>
      `${done.peerId} ${done.connections === 0 ? "was not connected" : "is disconnected"}, and stays ` +
      `away for ${shortTime(done.awayMs)}.`,
  );
}

const CHANGES = {
  unban: ["may come again", "was not kept out"],
  trust: ["is trusted", "was trusted before"],
  untrust: ["is trusted no longer", "was not trusted"],
} as const;

export async function change(
  name: keyof typeof CHANGES,
  peer: string,
  flags: NodeFlags,
): Promise<void> {
  const [done, before] = CHANGES[name];
  await command<{ peerId: string; changed: boolean }>(
    name,
    { peerId: pathOf(peer) },
    flags,
    ({ peerId, changed }) => `${peerId} ${changed ? done : before}.`,
  );
}

export async function connect(address: string, flags: NodeFlags): Promise<void> {
  await command<{ peerId: string }>(
    "connect",
    { address },
    flags,
    ({ peerId }) => `${peerId} is connected at ${address}.`,
  );
}

async function command<A extends { readonly peerId: string }>(
  name: string,
  body: object,
  flags: NodeFlags,
  sentence: (answer: A) => string,
): Promise<void> {
  const node = await findNode(flags);
  const answer = shaped<A>(node, await node.post(`/peers/${name}`, body), "peerId");
  write([flags.json === true ? JSON.stringify(answer) : sentence(answer)]);
}

/** Another program may answer in JSON, too. */
export function shaped<T>(node: NodeClient, answer: unknown, member: keyof T & string): T {
  if (typeof answer === "object" && answer !== null && member in answer) {
    return printableIn(answer) as T;
  }
  const sentence = `What answers at ${node.url} is no node of this network.`;
  throw new CodedError("NODE_UNREACHABLE", sentence);
}

export function write(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${printable(line)}\n`).join(""));
}
