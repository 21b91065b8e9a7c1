// The reputation actor alone, in a gateway that keeps scores of its own clients.
import { banText, DEFAULTS, peerReputation } from "vibecoin-network/actors";
import type { BanRecord, ReputationEnv, ReputationVerdict } from "vibecoin-network/actors";
import * as runtime from "vibecoin-network/runtime";

let onBan: (ban: BanRecord) => void;
const banned = new Promise<BanRecord>((resolve) => (onBan = resolve));
const clock = runtime.systemClock;
const [health, log] = [{ loopDelayMs: () => 0 }, { write: () => {} }];
const env: ReputationEnv = { clock, config: DEFAULTS, health, log };
// Whoever keeps bans stores what it is told, and tells them at the next start by RestoreBans.
const keeper = runtime.defineActor<null, ReputationVerdict, null, unknown>({
  name: "keeper",
  mailbox: { dataMax: 64, controlMax: 64, overflow: "reject" },
  onFault: { kind: "stop" },
  init: () => null,
  receive: (_state, verdict) => void (verdict.type === "PeerBanned" && onBan(verdict.ban)),
});
const [scheduler, random] = [runtime.createScheduler(clock), runtime.createSystemRandom()];
const system = runtime.createActorSystem({ env, clock, random, scheduler });
const reputation = system.spawn(peerReputation, { mailboxMax: 1_024 }, { name: "reputation" });
const subscriber = system.spawn(keeper, null, { name: "keeper" });
reputation.tell({ type: "Subscribe", subscriber });
for (const event of ["UsefulData", "InvalidBlock"] as const) {
  reputation.tell({ type: "Report", peerId: "client-1", event, detail: "seen by the gateway" });
}
const ban = await banned;
console.log(`${ban.peerId} is banned for ${banText(ban)}`);
await system.stop();
