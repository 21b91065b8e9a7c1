// Nodes that meet over IPv6 link-local addresses, in a network namespace with a bridge whose name is
// as Docker gives them.

import { spawnSync } from "node:child_process";
import test, { type ExecutionContext } from "ava";
import { startCli, type Cli } from "./child.js";

const BRIDGE = "br-1a2b3c";
/** Each process that it starts has a network of its own; it keeps its process id. */
const NAMESPACE = ["unshare", "--user", "--map-root-user", "--net", "/bin/sh", "-ec"];
const SETUP = [
  "ip link set lo up",
  `ip link add ${BRIDGE} type bridge`,
  `ip link set ${BRIDGE} up`,
  `ip address add fe80::1/64 dev ${BRIDGE} nodad`,
].join("\n");

/** The command that runs another one within a new network, or within that of a process. */
const newNetwork = [...NAMESPACE, `${SETUP}\nexec "$@"`, "sh"];
function networkOf({ pid }: Cli): string[] {
  return ["nsenter", `--target=${pid}`, "--user", "--preserve-credentials", "--net"];
}

function missing(): string | undefined {
  const { error, status, stderr } = spawnSync(newNetwork[0]!, [...newNetwork.slice(1), "true"]);
  return status === 0 ? undefined : (error?.message ?? stderr.toString().trim());
}

const start = (t: ExecutionContext, flags: readonly string[], network: readonly string[]): Cli =>
  startCli(t, ["run", ...flags], { prefix: network });

test("nodes connect over link-local addresses of an interface with any name", async (t) => {
  const why = missing();
  if (why !== undefined) {
    t.log(`this system makes no network with a bridge: ${why}`);
    t.pass();
    return;
  }
  const first = start(t, ["--listen", "tcp://[::]:8765"], newNetwork);
  await first.line("node is ready");
  const seed = ["--seed", `tcp://[fe80::1%${BRIDGE}]:8765`];
  const others = [1, 2].map(() => start(t, seed, networkOf(first)));
  for (const other of others) {
    t.is((await other.line("peer connected"))["address"], seed[1]);
  }
  t.regex(
    String((await first.line("peer connected"))["address"]),
    /^tcp:\/\/\[fe80::1%br-1a2b3c\]:/,
  );
  for (const node of [...others, first]) {
    node.kill("SIGINT");
    const { code, stdout } = await node.ended;
    t.is(code, 0);
    t.deepEqual(stdout.match(/^.*"level":[56]0.*$/gm), null, "no error and no crash");
  }
});
