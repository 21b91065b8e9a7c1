// Commands about what a running node holds against peers and lets them carry: bans, who is trusted,
// limits. Results go to standard output.

import type { LimitsReport } from "../actors/throttle/throttle.js";
import type { TrustedPeer } from "../actors/peer/operator-messages.js";
import { findNode } from "../api/client.js";
import { shaped, write, type NodeFlags } from "./peers.js";
import { bansText, limitsText, trustedText, type ListedBan } from "./node-lists.js";

export interface BansFlags extends NodeFlags {
  /** Those that are over too. */
  readonly all?: boolean;
}

export async function bans({ all = false, ...flags }: BansFlags): Promise<void> {
  const node = await findNode(flags);
  const answer = await node.get("/bans");
  const known = shaped<{ bans: readonly ListedBan[] }>(node, answer, "bans").bans;
  if (flags.json !== true) return write(bansText(known, Date.now(), all));
  write([JSON.stringify(all ? known : known.filter(({ inForce }) => inForce))]);
}

export async function trusted(flags: NodeFlags): Promise<void> {
  const node = await findNode(flags);
  const answer = await node.get("/trusted");
  const known = shaped<{ trusted: readonly TrustedPeer[] }>(node, answer, "trusted").trusted;
  write(flags.json === true ? [JSON.stringify(known)] : trustedText(known));
}

/** Without changes it shows them; else they hold until the node ends. */
export async function limits(
  changes: Readonly<Record<string, number>>,
  flags: NodeFlags,
): Promise<void> {
  const node = await findNode(flags);
  if (Object.keys(changes).length > 0) await node.post("/limits", changes);
  const answer = await node.get("/status");
  const { limits: now } = shaped<{ limits: LimitsReport }>(node, answer, "limits");
  write(flags.json === true ? [JSON.stringify(now)] : limitsText(now));
}
