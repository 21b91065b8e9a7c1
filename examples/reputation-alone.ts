// The reputation actor alone, in a gateway that keeps scores of its own clients.
import { banText, DEFAULTS, peerReputation } from "vibecoin-network/actors";
import type { BanRecord, ReputationEnv } from "vibecoin-network/actors";
import * as runtime from "vibecoin-network/runtime";

let onBan: (ban: BanRecord) => void;
const banned = new Promise<BanRecord>((resolve) => (onBan = resolve));
const clock = runtime.systemClock;
const env: ReputationEnv = {
  clock,
  config: DEFAULTS,
  health: { loopDelayMs: () => 0 },
  log: { write: () => {} },
  peers: {
    bans: () => [],
    putBan: async (ban) => onBan(ban),
    deleteBan: async () => {},
    close: async () => {},
  },
};
const [scheduler, random] = [runtime.createScheduler(clock), runtime.createSystemRandom()];
const system = runtime.createActorSystem({ env, clock, random, scheduler });
const reputation = system.spawn(peerReputation, { mailboxMax: 1_024 }, { name: "reputation" });
for (const event of ["UsefulData", "InvalidBlock"] as const) {
  reputation.tell({ type: "Report", peerId: "client-1", event, detail: "seen by the gateway" });
}
const ban = await banned;
console.log(`${ban.peerId} is banned for ${banText(ban)}`);
await system.stop();
