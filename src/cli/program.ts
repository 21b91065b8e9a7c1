// The command line as commander sees it: commands, flags and their help. Each command's code is
// loaded when it runs, so that `--version` and a mistyped flag answer at once.

import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { MINUTES_MAX, NODES_MAX, TRANSACTIONS_PER_SECOND_MAX } from "../sim/limits.js";
import type { BansFlags } from "./operator.js";
import type { BanFlags, NodeFlags, PeersFlags } from "./peers.js";
import type { RunFlags } from "./run-flags.js";

const DEFAULT_NETWORK = "vibecoin-dev";
const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

export function createProgram(): Command {
  const program = new Command("vibecoin-node")
    .description("A node of the VibeCoin network.")
    .version(version())
    .exitOverride()
    .showHelpAfterError("(--help shows what there is)");
  addRun(program);
  const chain = program.command("chain").description("Work on a data directory, offline.");
  addGenerate(chain);
  addVerify(chain);
  addKeygen(program);
  addSim(program);
  addDrill(program);
  addPeers(program);
  return program;
}

function version(): string {
  const file = new URL(import.meta.resolve("vibecoin-network/package.json"));
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, "utf8"))).version;
}

function addRun(program: Command): void {
  program
    .command("run")
    .description("Run a node until SIGINT, SIGTERM or SIGHUP. Flags win over the file.")
    .option("--listen <host:port>", "accept peers here; repeatable; default: accept none", collect)
    .option("--advertise <host:port>", "where others can dial it; repeatable", collect)
    .option("--seed <host:port>", "dial this node, [peerId@]host:port; repeatable", collect)
    .option("--data <dir>", "keys and chain; default: a new identity, all in memory", notEmpty)
    .option("--http <host:port>", "serve status, metrics, transactions and commands here")
    .option("--http-host <name>", "this node's name for HTTP clients; repeatable", collect)
    .option("--http-token-file <file>", "the token of commands; default: in --data", notEmpty)
    .option("--network <name>", `the chain; default: ${DEFAULT_NETWORK}`)
    .option("--produce", "produce blocks")
    .option("--no-produce", "do not, whatever the file says")
    .option("--alone", "call it synced while no peer's headers were checked: a network of one")
    .option("--no-alone", "do not, whatever the file says")
    .option("--config <file>", "JSON: any part of the library's NetworkConfig", notEmpty)
    .addOption(new Option("--log-level <level>", "least level").choices(LOG_LEVELS).default("info"))
    .option("--node-id <label>", "your name for this node; not an identity")
    .option("--trusted <peerId>", "keeps its slot, is never banned; repeatable", collect)
    .option("--max-inbound <n>", "peers that may dial this node", wholeNumber(0))
    .option("--max-outbound <n>", "peers that this node dials", wholeNumber(0))
    .option("--memory <MiB>", "what all limits together may hold; default: 1216", wholeNumber(1))
    .action(async (flags: RunFlags) => {
      const { run } = await import("./run.js");
      await run(flags);
    });
}

function addGenerate(chain: Command): void {
  chain
    .command("generate")
    .description("Fill a new data directory with a chain of signed transactions.")
    .requiredOption("--blocks <n>", "blocks after genesis", wholeNumber(1))
    .requiredOption("--txs <n>", "transactions in each block", wholeNumber(0))
    .requiredOption("--data <dir>", "a directory without blocks beyond genesis", notEmpty)
    .option("--seed <text>", "another text, another chain", "vibecoin")
    .option("--accounts <n>", "keys that take turns as senders", wholeNumber(1), 64)
    .option("--network <name>", "the chain it belongs to", DEFAULT_NETWORK)
    .action(async (flags: import("./chain-generate.js").GenerateFlags) => {
      const { generate } = await import("./chain-generate.js");
      await generate(flags);
    });
}

function addVerify(chain: Command): void {
  chain
    .command("verify")
    .description("Check every page and block of a data directory; exit 1 at a fault, 2 at damage.")
    .requiredOption("--data <dir>", "the data directory; no node may be running on it", notEmpty)
    .option("--network <name>", "the chain it belongs to", DEFAULT_NETWORK)
    .action(async (flags: import("./chain-verify.js").VerifyFlags) => {
      const { verify } = await import("./chain-verify.js");
      process.exitCode = await verify(flags);
    });
}

function addKeygen(program: Command): void {
  program
    .command("keygen")
    .description("Print the peer id of a data directory, whose key is made when there is none.")
    .option("--data <dir>", "the data directory; default: print a new key, keep nothing", notEmpty)
    .action(async (flags: { data?: string }) => {
      const { keygen } = await import("./keygen.js");
      await keygen(flags.data);
    });
}

/** Options of `sim` that a seed decides. */
const DRAWN = ["nodes", "producers", "minutes", "faults", "byzantine", "traffic", "crashes"];

function addSim(program: Command): void {
  program
    .command("sim")
    .description("Simulate networks of whole nodes from a seed; exit 1 when a check fails.")
    .option("--nodes <n>", "how many, named n0, n1, …", wholeNumber(1, NODES_MAX), 20)
    .option("--producers <n>", "how many of them produce blocks (3)", wholeNumber(1, NODES_MAX))
    .option("--minutes <n>", "virtual time under faults (2; crashes: 10)", minutes)
    .option("--seed <text>", "one seed and one version are one run", "1")
    .addOption(
      new Option("--faults <preset>", "what happens to them")
        .choices(["none", "mild", "wild"])
        .default("mild"),
    )
    .option("--byzantine <percent>", "this part of the nodes attacks the rest", percent, 0)
    .option("--traffic <n>", "transactions a second in all", perSecond, 4)
    .addOption(new Option("--swarm", "draw all of the above from the seed").conflicts(DRAWN))
    .option("--large", "of swarms: 5 to 50 nodes and byzantine ones, in each")
    .addOption(
      new Option("--crashes", "each type of actor of each node crashes once a minute").conflicts(
        DRAWN.filter((name) => name !== "nodes" && name !== "minutes"),
      ),
    )
    .option("--runs <n>", "run the seeds SEED/0, SEED/1, …", wholeNumber(1), 1)
    .option("--for <minutes>", "the same, for so long in real time", positive)
    .option("--trace <about>", "print the timeline of a node (n3), a message (#hash), a hash or id")
    .option("--json", "a line of JSON for each run")
    .action(async (flags: import("./sim.js").SimFlags) => {
      const { sim } = await import("./sim.js");
      process.exitCode = await sim(flags);
    });
}

function addDrill(program: Command): void {
  program
    .command("drill")
    .description("Attack your own configuration on loopback; exit 1 when the node took harm.")
    .argument("[names...]", "drills by name, or all", ["all"])
    .option("--config <file>", "the configuration, as `run` takes it", notEmpty)
    .option("--list", "print what there is")
    .option("--short", "2 s each in place of 10")
    .addOption(
      new Option("--seconds <n>", "so long each").argParser(wholeNumber(1, 600)).conflicts("short"),
    )
    .option("--together", "all of them at once, on one node")
    .addOption(
      new Option("--cpu <percent>", "of one core, for the attackers")
        .argParser(corePercent)
        .default(0.5, "50%"),
    )
    .option("--json", "a line of JSON for each drill")
    .action(async (names: readonly string[], flags: import("./drill.js").DrillFlags) => {
      const { drill } = await import("./drill.js");
      process.exitCode = await drill(names, flags);
    });
}

/** Of a running node. */
function addPeers(program: Command): void {
  const load = () => import("./peers.js");
  const add = (usage: string, description: string): Command =>
    program
      .command(usage)
      .description(description)
      .option("--data <dir>", "of the node: it says where it serves, and has its token", notEmpty)
      .option("--http <host:port>", "where the node serves HTTP", notEmpty)
      .option("--token-file <file>", "its token; default: in --data", notEmpty)
      .option("--json", "the node's answer as a line of JSON");
  add("peers", "Show the peers of a running node.")
    .option("--watch", "show them again each second, until Ctrl-C")
    .action(async (flags: PeersFlags) => (await load()).peers(flags));
  add("explain <peer>", "Say what is known of a peer, and why it stands where it stands.").action(
    async (peer: string, flags: NodeFlags) => (await load()).explain(peer, flags),
  );
  add("ban <peer>", "End a peer's connections and keep it out, over restarts.")
    .option("--for <time>", "so long, as 90s, 15m, 2h or 7d; default: a day", duration)
    .option("--reason <text>", "for the log and the list of bans")
    .action(async (peer: string, flags: BanFlags) => (await load()).ban(peer, flags));
  add("unban <peer>", "Let a peer in again, with a new score.").action(
    async (peer: string, flags: NodeFlags) => (await load()).change("unban", peer, flags),
  );
  add("trust <peer>", "Give a peer a slot of its own, and no bans, over restarts.").action(
    async (peer: string, flags: NodeFlags) => (await load()).change("trust", peer, flags),
  );
  const lists = () => import("./operator.js");
  add("bans", "Show who is banned, for how long, and why.")
    .option("--all", "those too whose ban is over and makes the next one longer")
    .action(async (flags: BansFlags) => (await lists()).bans(flags));
  add("trusted", "Show who is trusted, and by whom.").action(async (flags: NodeFlags) =>
    (await lists()).trusted(flags),
  );
  add("limits", "Show what connections may carry; with changes, set it until the node ends.")
    .argument("[changes...]", "NAME=BYTES, as uploadBytesPerSec=2MiB; 0: no limit", limitChange)
    .action(async (changes: LimitChanges | [], flags: NodeFlags) =>
      (await lists()).limits(Array.isArray(changes) ? {} : changes, flags),
    );
  add("untrust <peer>", "Take that back.").action(async (peer: string, flags: NodeFlags) =>
    (await load()).change("untrust", peer, flags),
  );
  add("connect <address>", "Dial [peerId@]host:port, now and until the node ends.").action(
    async (address: string, flags: NodeFlags) => (await load()).connect(address, flags),
  );
  add("disconnect <peer>", "End a peer's connections, and keep it away for a while.")
    .option("--for <time>", "so long, as 90s, 15m, 2h or 7d; default: 10m", duration)
    .action(async (peer: string, flags: BanFlags) => (await load()).disconnect(peer, flags));
}

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** In milliseconds. */
function duration(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit] ?? 0);
  if (ms > 0 && Number.isSafeInteger(ms)) return ms;
  throw new InvalidArgumentError("It must be a time as 90s, 15m, 2h or 7d.");
}

type LimitChanges = Readonly<Record<string, number>>;

const UNITS_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 1_024,
  MiB: 1_024 ** 2,
  GiB: 1_024 ** 3,
};

/** Which limits there are, and in which bounds, the node knows. */
function limitChange(text: string, earlier: LimitChanges = {}): LimitChanges {
  const [, name = "", count = "", unit = ""] = /^(\w{1,64})=(\d{1,15})([KMG]iB|)$/.exec(text) ?? [];
  const bytes = Number(count) * (UNITS_BYTES[unit] ?? 1);
  if (name === "" || !Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError("It must be as uploadBytesPerSec=2MiB.");
  }
  return { ...earlier, [name]: bytes };
}

function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

/** An empty path would be the current directory: a variable of a script that was not set. */
function notEmpty(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("It must not be empty.");
  return text;
}

function wholeNumber(min: number, max?: number): (text: string) => number {
  const number = z.int().min(min);
  const within = max === undefined ? number : number.max(max);
  const schema = z.string().regex(/^\d+$/).transform(Number).pipe(within);
  const range = max === undefined ? `from ${min} up` : `from ${min} to ${max}`;
  return (text) => {
    const read = schema.safeParse(text);
    if (!read.success) throw new InvalidArgumentError(`It must be a whole number ${range}.`);
    return read.data;
  };
}

const perSecond = wholeNumber(0, TRANSACTIONS_PER_SECOND_MAX);

/** Of virtual time. */
function minutes(text: string): number {
  const read = z.coerce.number().positive().max(MINUTES_MAX).safeParse(text);
  if (read.success) return read.data;
  throw new InvalidArgumentError(`It must be a number above 0, at most ${MINUTES_MAX}.`);
}

function positive(text: string): number {
  const read = z.coerce.number().positive().safeParse(text);
  if (!read.success) throw new InvalidArgumentError("It must be a number above 0.");
  return read.data;
}

/** As a fraction. */
function corePercent(text: string): number {
  const digits = /^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1];
  const read = z.coerce.number().min(1).max(100).safeParse(digits);
  if (!read.success) throw new InvalidArgumentError("It must be a percentage from 1% to 100%.");
  return read.data / 100;
}

/** As a fraction; at least one node in two is honest. */
function percent(text: string): number {
  const digits = /^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1];
  const read = z.coerce.number().max(50).safeParse(digits);
  if (!read.success) throw new InvalidArgumentError("It must be a percentage from 0% to 50%.");
  return read.data / 100;
}
