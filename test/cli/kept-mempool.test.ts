// What `POST /tx` took waits again after the process was killed, as far as it was taken two seconds
// before; what became invalid meanwhile does not.

import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { encodeKeptPage } from "../../src/actors/integration/kept-page.js";
import { toHex } from "../../src/bytes/hex.js";
import { genesisOf, networkParams } from "../../src/compose.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { makeKey, makeTransaction } from "../support/chain.js";
import { startCli, temporaryDirectory, type Cli } from "./child.js";

const SENDERS = 25;
const PER_SENDER = 200;
const PROMISED_MS = 2_000;

interface Node {
  readonly cli: Cli;
  readonly url: string;
}

async function start(t: ExecutionContext, data: string): Promise<Node> {
  const places = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
  const cli = startCli(t, ["run", "--network", "vibecoin-dev", "--data", data, ...places]);
  const { http } = await cli.line("node is ready");
  return { cli, url: String(http) };
}

async function submit({ url }: Node, transaction: Uint8Array): Promise<void> {
  const response = await fetch(`${url}/tx`, { method: "POST", body: toHex(transaction) });
  const answer = (await response.json()) as { error?: string };
  if (!response.ok) throw new Error(answer.error);
}

async function waiting({ url }: Node): Promise<number> {
  const response = await fetch(`${url}/status`);
  return ((await response.json()) as { mempool: { count: number } }).mempool.count;
}

test("5,000 transactions wait again after kill -9, and none that is invalid", async (t) => {
  const data = await temporaryDirectory(t);
  const main = fileURLToPath(new URL("submit-child.js", import.meta.url));
  const killed = startCli(t, [data, String(SENDERS), String(PER_SENDER)], { main });
  t.is((await killed.line("all taken"))["accepted"], SENDERS * PER_SENDER);
  await delay(PROMISED_MS);
  killed.kill("SIGKILL");
  await killed.ended;

  // As if the disk held what was never valid.
  const genesis = genesisOf(createPowConsensus(networkParams("vibecoin-dev")));
  const stores = await openLmdbStores({ directory: data, genesis });
  const forged = makeTransaction(makeKey(SENDERS), 0);
  forged[forged.length - 1]! ^= 1;
  const page = encodeKeptPage([{ bytes: forged, own: true, sinceWallMs: Date.now() }]);
  await stores.mempool.write([{ name: "000000999999", bytes: page }]);
  await stores.close();

  const second = await start(t, data);
  const told = await second.cli.line("transactions of the last start wait again");
  t.is(told["count"], SENDERS * PER_SENDER);
  t.is(told["refused"], 1);
  t.is(await waiting(second), SENDERS * PER_SENDER);
  second.cli.kill("SIGTERM");
  t.is((await second.cli.ended).code, 0);
});

test("a node that is stopped as asked keeps what it took a moment before", async (t) => {
  const data = await temporaryDirectory(t);
  const first = await start(t, data);
  await submit(first, makeTransaction(makeKey(0), 0));
  first.cli.kill("SIGTERM");
  t.is((await first.cli.ended).code, 0);
  const second = await start(t, data);
  await second.cli.line("transactions of the last start wait again");
  t.is(await waiting(second), 1);
});
