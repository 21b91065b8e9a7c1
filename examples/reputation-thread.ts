// The same actor in a thread of its own. Actors here and there talk to each other as if they were
// in one thread: only the placement differs.
import { peerReputation } from "vibecoin-network/actors";
import type { PeerExplanation, ReputationEnv } from "vibecoin-network/actors";
import type { ReputationMessage, ReputationVerdict } from "vibecoin-network/actors";
import * as runtime from "vibecoin-network/runtime";
import { createReputationEnv, type EnvOptions } from "./reputation-env.js";

type OnVerdict = (verdict: ReputationVerdict) => void;
const gate = runtime.defineActor<OnVerdict, ReputationVerdict, OnVerdict, unknown>({
  name: "gate",
  mailbox: { dataMax: 64, controlMax: 64, overflow: "reject" },
  onFault: { kind: "stop" },
  init: (_context, onVerdict) => onVerdict,
  receive: (onVerdict, verdict) => void (verdict.type === "PeerBanned" && onVerdict(verdict)),
});

const clock = runtime.systemClock;
const random = runtime.createSystemRandom();
const options: EnvOptions = { trustedPeers: ["client-2"] };
const moduleUrl = new URL("./reputation-env.js", import.meta.url).href;
const system = runtime.createActorSystem<ReputationEnv>({
  env: await createReputationEnv(options, { clock, random }),
  clock,
  random,
  scheduler: runtime.createScheduler(clock),
  threads: runtime.workerThreads({
    envModule: { moduleUrl, exportName: "createReputationEnv", options },
  }),
});
const args = { mailboxMax: 1_024 };
const reputation = system.spawn(peerReputation, args, { name: "reputation", at: "thread" });
const verdict = new Promise<ReputationVerdict>((onVerdict) => {
  const subscriber = system.spawn(gate, onVerdict, { name: "gate" });
  reputation.tell({ type: "Subscribe", subscriber });
});
for (const peerId of ["client-2", "client-1"]) {
  reputation.tell({ type: "Report", peerId, event: "InvalidBlock", detail: "a wrong root" });
}
console.log("the thread says", await verdict);
const trusted = await system.ask<ReputationMessage, PeerExplanation>(
  reputation,
  (replyTo) => ({ type: "Explain", peerId: "client-2", replyTo }),
  10_000,
);
console.log(`client-2 is ${trusted.class} with a score of ${trusted.score.toFixed(0)}`);
await system.stop();
