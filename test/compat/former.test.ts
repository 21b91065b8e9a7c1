// The present build beside the former release, each as processes of its own: they sync from one
// another, gossip in both directions, and the present one opens what the former one wrote.

import path from "node:path";
import test, { type ExecutionContext } from "ava";
import { startNetwork } from "../../src/index.js";
import type { ServiceProtocol } from "../../src/ports.js";
import { toHex } from "../../src/bytes/hex.js";
import { makeKey, makeTransaction } from "../support/chain.js";
import { MAIN, runCli, startCli, temporaryDirectory, type Cli } from "../cli/child.js";
import { frameBytes } from "../support/frames.js";
import { identityOf, RawPeer } from "../support/raw-peer.js";
import { formerMain } from "./former.js";

const BLOCKS = 60;
const BUILDS = { former: formerMain(), present: MAIN };
type Build = keyof typeof BUILDS;

interface Node {
  readonly cli: Cli;
  readonly address: string;
  readonly url: string;
}

/** A node that is ready. */
async function start(
  t: ExecutionContext,
  build: Build,
  ...flags: readonly string[]
): Promise<Node> {
  const places = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
  const cli = startCli(t, ["run", ...places, ...flags], { main: BUILDS[build] });
  const ready = await cli.line("node is ready");
  return { cli, address: String(ready["listenAddress"]), url: String(ready["http"]) };
}

async function status({ url }: Node): Promise<Record<string, unknown>> {
  return (await (await fetch(`${url}/status`)).json()) as Record<string, unknown>;
}

/** Asks until it is so; the children's watchdog ends what never will be. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function stop(t: ExecutionContext, { cli }: Node): Promise<void> {
  cli.kill("SIGTERM");
  const { code, stderr } = await cli.ended;
  t.is(code, 0, stderr);
}

/** A data directory that the former release wrote: a chain, its index, an identity. */
async function formerData(t: ExecutionContext): Promise<string> {
  const data = path.join(await temporaryDirectory(t), "data");
  const sizes = ["--blocks", String(BLOCKS), "--txs", "4"];
  const args = ["chain", "generate", ...sizes, "--data", data];
  const { code, stderr } = await startCli(t, args, { main: BUILDS.former }).ended;
  t.is(code, 0, stderr);
  return data;
}

for (const [server, client] of [
  ["former", "present"],
  ["present", "former"],
] as const) {
  test.serial(`the ${client} build syncs from the ${server} one`, async (t) => {
    t.timeout(60_000);
    const serving = await start(t, server, "--data", await formerData(t));
    const syncing = await start(t, client, "--seed", serving.address);
    await until(async () => (await status(syncing))["height"] === BLOCKS);
    t.is((await status(syncing))["headHash"], (await status(serving))["headHash"]);
    await stop(t, syncing);
    await stop(t, serving);
  });

  test.serial(`what the ${client} build submits the ${server} one confirms`, async (t) => {
    t.timeout(60_000);
    const producing = await start(t, server, "--produce");
    const relaying = await start(t, client, "--seed", producing.address);
    await until(async () => (await status(relaying))["height"] !== 0);
    const key = makeKey(7);
    for (let nonce = 1; nonce <= 5; nonce++) {
      const tx = JSON.stringify({ tx: toHex(makeTransaction(key, nonce)) });
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${relaying.url}/tx`, { method: "POST", headers, body: tx });
      t.is(answer.status, 200, await answer.text());
    }
    const metric = "vibecoin_transactions_confirmed_total 5\n";
    // Confirmed there, and the blocks came back by gossip.
    await until(async () => {
      return (await (await fetch(`${relaying.url}/metrics`)).text()).includes(metric);
    });
    t.true((await (await fetch(`${producing.url}/metrics`)).text()).includes(metric));
    await stop(t, relaying);
    await stop(t, producing);
  });
}

test.serial("the former build ignores the protocols that a service brought", async (t) => {
  t.timeout(60_000);
  const serving = await start(t, "former", "--data", await formerData(t));
  const met: string[] = [];
  const chat: ServiceProtocol = {
    name: "chat/1",
    kinds: { Say: { bytesMax: 10, perSecond: 1 } },
    onMessage: () => undefined,
    onPeer: (peerId) => void met.push(peerId),
  };
  const network = await startNetwork({ seedPeers: [serving.address] }, { protocols: [chat] });
  t.teardown(() => network.stop());
  await until(() => Promise.resolve(network.head().height === BLOCKS));
  network.protocol("chat/1").broadcast("Say", Uint8Array.of(1));
  const [peer] = await network.peers();
  t.true((await network.pingPeer(peer!.peerId))! >= 0);
  t.deepEqual(met, []);
  await stop(t, serving);
});

test.serial(
  "whom the former release banned is refused by the present one on its data directory",
  async (t) => {
    t.timeout(60_000);
    const data = await formerData(t);
    const identity = identityOf(7);
    /** What its connection is ended with; `breaks`: it breaks the protocol as soon as it can. */
    const farewell = async ({ address }: Node, breaks: boolean): Promise<string | undefined> => {
      const peer = await RawPeer.connect({ address, identity });
      if (breaks) peer.writeBytes(frameBytes({ code: 0x7f, flags: 0 }));
      const said = await peer.farewell();
      peer.destroy();
      return said?.reason;
    };
    const former = await start(t, "former", "--data", data);
    let reason: string | undefined;
    for (let i = 0; i < 4 && reason !== "Banned"; i++) reason = await farewell(former, true);
    t.is(reason, "Banned");
    await stop(t, former);
    const present = await start(t, "present", "--data", data);
    t.is(await farewell(present, false), "Banned");
    await stop(t, present);
  },
);

test.serial("a data directory of the former release opens, goes on and verifies", async (t) => {
  t.timeout(60_000);
  const data = await formerData(t);
  const config = ["--data", data];
  const first = await start(t, "former", ...config);
  const { peerId } = await status(first);
  await stop(t, first);
  const node = await start(t, "present", ...config, "--produce");
  t.is((await status(node))["peerId"], peerId);
  await until(async () => Number((await status(node))["height"]) >= BLOCKS + 2);
  await stop(t, node);
  const verified = await runCli(t, "chain", "verify", "--data", data);
  t.is(verified.code, 0, verified.stdout);
});
