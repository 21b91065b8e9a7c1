// An actor that used up its restarts is never missed in silence: the network ends and names it, or
// goes on without it and says so wherever an operator looks.

import test from "ava";
import { openHttpServer } from "../../src/api/server.js";
import { silentLog } from "../../src/log.js";
import type { BlockStore, Log, TxStore } from "../../src/ports.js";
import { isCoded } from "../../src/errors.js";
import { makeChain } from "../support/chain.js";
import { startTestNode, storeOf } from "./nodes.js";

/** More than an actor is started again for. */
const TRIES = 20;

test("a store whose answers throw whenever they are read ends the network, which names the actor", async (t) => {
  t.timeout(60_000);
  const txStore: TxStore = {
    locate: () => ({
      get blockHash(): string {
        throw new Error("the index is torn");
      },
      index: 0,
    }),
    indexedHeight: () => 0,
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  // Otherwise it would be left alone before it has to give up.
  const subsystems = { failuresMax: TRIES * TRIES };
  const node = await startTestNode(t, { txIndex: true, subsystems }, { txStore });
  const lost = { code: "STOPPED", message: /repeated faults of its storage: the index is torn/ };
  const asked = (async () => {
    // Each question waits for the actor's next start and is what it fails at.
    for (;;) {
      try {
        await node.locateTransaction("ab".repeat(32));
      } catch (error) {
        if (isCoded(error, "STOPPED")) return;
      }
    }
  })();
  await t.throwsAsync(node.stopped, lost);
  await t.throwsAsync(node.status(), lost);
  await asked;
});

test("what the network can do without shows as degraded in status, health and log", async (t) => {
  t.timeout(60_000);
  const [block] = makeChain(1);
  const store = await storeOf([]);
  const hash = block!.header.hash;
  const torn = Object.assign(Object.create(store) as BlockStore, {
    has(asked: string): boolean {
      if (asked === hash) throw new Error("a page is torn\u202e");
      return store.has(asked);
    },
  });
  let gaveUp = (_fields: unknown): void => undefined;
  const told = new Promise((resolve) => (gaveUp = resolve));
  const log: Log = {
    write(level, event, fields) {
      if (level === "error" && event.startsWith("an actor gave up")) gaveUp(fields);
    },
  };
  const node = await startTestNode(t, {}, { blockStore: torn, log });
  t.deepEqual((await node.status()).degraded, []);
  for (let i = 0; i < TRIES; i++) node.broadcastBlock(block!.bytes);

  const lost = { actor: "block-handler", reason: "a page is torn\\u{202e}" };
  t.deepEqual(await told, lost);
  t.deepEqual((await node.status()).degraded, [lost]);
  const http = await openHttpServer({ address: "127.0.0.1:0", network: node, log: silentLog });
  t.teardown(() => http.close());
  const health = await fetch(`${http.address}/health`);
  t.is(health.status, 200);
  t.like(await health.json(), { healthy: true, degraded: [lost] });
  const metrics = await (await fetch(`${http.address}/metrics`)).text();
  t.regex(metrics, /^vibecoin_actors_given_up\{actor="block-handler"\} 1$/m);
});
