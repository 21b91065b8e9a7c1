import test, { type ExecutionContext } from "ava";
import { createWorld, type ByzantineScript, type World } from "../../src/sim/index.js";
import { compactLiesOf, type CompactLie } from "../../src/sim/byzantine/compact-lies.js";
import { eclipse } from "../../src/sim/byzantine/eclipse.js";
import { edgeOfTime } from "../../src/sim/byzantine/edge-of-time.js";
import { equivocation } from "../../src/sim/byzantine/equivocation.js";
import { fakeHeightsOf } from "../../src/sim/byzantine/fake-heights.js";
import type { BreakName } from "../../src/sim/byzantine/forge.js";
import { invalidBlocksOf } from "../../src/sim/byzantine/invalid-blocks.js";
import { mute, slowLoris } from "../../src/sim/byzantine/slow-loris.js";
import { spamOf, type SpamName } from "../../src/sim/byzantine/spam.js";
import { withholdingOf } from "../../src/sim/byzantine/withholding.js";
import { replayOf, SEED_ASKED } from "./support.js";

/** Why a node let a peer go. */
interface Farewell {
  readonly reason: string;
  readonly rule?: string;
  readonly detail: string;
}

interface Attacked {
  readonly world: World;
  readonly farewells: readonly Farewell[];
  /** What honest nodes said of all byzantine ones. */
  readonly blame: readonly string[];
}

const WITHHELD_RUNS = 3;

/** Three honest nodes under attack for a while: they agree, and blame nobody honest. */
async function attacked(
  t: ExecutionContext,
  scripts: readonly ByzantineScript[],
  forMs = 25_000,
  run = "",
): Promise<Attacked> {
  const seed = SEED_ASKED ?? `${t.title}${run}`;
  const farewells: Farewell[] = [];
  const world = createWorld({
    seed,
    nodes: 3,
    byzantine: scripts,
    replay: replayOf("byzantine", seed),
    onLog({ event, fields }) {
      if (event === "peer disconnected") farewells.push(fields as Farewell);
    },
  });
  await world.runFor(forMs);
  const head = await world.converge(40_000);
  t.true(head.height >= 6, `only ${head.height} blocks`);
  t.true(world.relayedCount > 0);
  return { world, farewells, blame: world.byzantine.flatMap(({ blame }) => [...blame.keys()]) };
}

const RULES: { readonly [B in BreakName]: string | undefined } = {
  signature: "signature",
  nonce: "nonce",
  "state-nonce": "nonce",
  root: "root",
  body: "root",
  "proof-of-work": "proof-of-work",
  link: "link",
  height: "height",
  time: "time",
  difficulty: "difficulty",
  "total-difficulty": "total-difficulty",
  // Nobody is blamed for the difference of two clocks.
  future: undefined,
};
for (const [name, rule] of Object.entries(RULES)) {
  const fate = rule === undefined ? "blamed on nobody" : `its sender banned by ${rule}`;
  test(`a block that is invalid by ${name} is never taken, and ${fate}`, async (t) => {
    const { world, blame } = await attacked(t, [invalidBlocksOf([name as BreakName])]);
    if (rule === undefined) {
      t.deepEqual(blame, []);
      return;
    }
    t.true(blame.includes(`InvalidBlock: ${rule}`), blame.join());
    t.true(world.bans.length > 0);
    t.true(world.bans.every(({ script }) => script === "invalid-blocks"));
    t.true(world.bans.some(({ reason }) => reason.startsWith(`InvalidBlock: ${rule}:`)));
  });
}

/** What each lie is blamed for; undefined: nobody can know that it was one. */
const LIES: { readonly [L in CompactLie]: readonly string[] } = {
  swapped: ["ProtocolViolation: compact"],
  "made-up": ["ProtocolViolation: answer"],
  others: ["ProtocolViolation: answer"],
  refusal: ["UnprovenClaim: compact"],
  silence: ["Timeout: GetBlockTransactions was not answered"],
  invalid: [],
};
for (const [name, offences] of Object.entries(LIES)) {
  test(`a compact block with a lie, ${name}, keeps nobody back`, async (t) => {
    const { blame } = await attacked(t, [compactLiesOf([name as CompactLie])]);
    t.deepEqual(blame, offences);
  });
}

const SPAM: { readonly [S in SpamName]: string | undefined } = {
  signature: "InvalidTransaction: signature",
  unsolicited: "ProtocolViolation: request-id",
  pings: "ProtocolViolation: flood",
  requests: "ProtocolViolation: flood",
  window: "ProtocolViolation: window-overflow",
  payload: "ProtocolViolation: payload",
  "unknown-kind": "ProtocolViolation: unknown-kind",
  // Within credit and limits: it costs its sender more than it costs us.
  transactions: undefined,
  announcements: undefined,
};
for (const [name, offence] of Object.entries(SPAM)) {
  test(`a flood of ${name} changes nothing, and is blamed where it breaks a rule`, async (t) => {
    const { world, blame } = await attacked(t, [spamOf([name as SpamName])]);
    if (offence === undefined) t.is(world.bans.length, 0);
    else t.deepEqual(blame, [offence]);
    t.is(world.bans.length > 0, offence !== undefined);
  });
}

for (const way of ["silence", "refusal", "delay"] as const) {
  test(`a heavier chain that is withheld by ${way} stops nobody`, async (t) => {
    // The producer waits for what it syncs, and finds blocks by luck: of several runs the mean counts.
    let blocks = 0;
    for (let run = 0; run < WITHHELD_RUNS; run++) {
      const { world, blame } = await attacked(t, [withholdingOf([way])], 60_000, `${run}`);
      blocks += world.nodes[0]!.head().height;
      if (way === "silence") t.true(blame.some((said) => /^Timeout: RequestBlock/.test(said)));
      if (way === "refusal") t.deepEqual(blame, []);
    }
    t.true(blocks >= 12 * WITHHELD_RUNS, `${blocks} blocks`);
  });
}

for (const way of ["none", "known", "silence", "refusal"] as const) {
  test(`a height out of nothing, backed by ${way}, holds up nobody`, async (t) => {
    const { blame } = await attacked(t, [fakeHeightsOf([way])]);
    if (way === "none") {
      t.deepEqual(blame, ["UnprovenClaim: claimed a chain that it does not have"]);
    }
    if (way === "silence") t.deepEqual(blame, ["Timeout: RequestHeaders was not answered"]);
  });
}

test("two blocks of one height split nobody for long, and nobody is to blame", async (t) => {
  const { world, blame } = await attacked(t, [equivocation]);
  t.deepEqual(blame, []);
  t.true(world.blockCount > world.nodes[0]!.head().height + 2, "both sides' blocks were stored");
});

test("blocks from the edge of the future set no honest nodes against each other", async (t) => {
  const { blame } = await attacked(t, [edgeOfTime]);
  t.deepEqual(blame, []);
});

test("hosts that want all slots of a victim get their share and no more", async (t) => {
  const { world } = await attacked(t, [eclipse, eclipse, eclipse]);
  const victim = world.nodes.at(-1)!;
  const peers = await world.settled(victim.network.peers());
  const groups = new Map<string, number>();
  for (const { address, direction } of peers) {
    if (direction !== "inbound" || !address.startsWith("memory://b")) continue;
    const host = address.split(":")[1]!;
    groups.set(host, (groups.get(host) ?? 0) + 1);
  }
  const { perGroupMax } = victim.config.inbound;
  t.deepEqual([...groups.values()], [perGroupMax, perGroupMax, perGroupMax]);
  const honest = new Set(world.nodes.map(({ peerId }) => peerId));
  t.true(peers.some(({ peerId }) => honest.has(peerId)));
});

test("whoever asks for much and reads nothing is dropped for it", async (t) => {
  const { farewells } = await attacked(t, [slowLoris], 80_000);
  // By the answers that it leaves unread, long before they fill what its link holds.
  t.true(farewells.some(({ rule, detail }) => rule === "flood" && /^more than 64/.test(detail)));
});

test("whoever never finishes a handshake loses its slot", async (t) => {
  const { farewells } = await attacked(t, [mute]);
  t.true(farewells.some(({ detail }) => detail === "no handshake in time"));
});

test("one seed is one run, with byzantine nodes too", async (t) => {
  const run = async (seed: string): Promise<string> => {
    const byzantine = [invalidBlocksOf(["signature"]), equivocation, eclipse];
    const world = createWorld({ seed, nodes: 3, byzantine });
    await world.runFor(15_000);
    return world.traceHash;
  };
  const first = await run("one");
  t.is(await run("one"), first);
  t.not(await run("another"), first);
});
