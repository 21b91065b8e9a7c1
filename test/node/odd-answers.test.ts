// A caller's consensus or mempool that answers what its types forbid, as plain JavaScript may: each
// call gets an answer, the actor that asked lives on, and so does the network.

import test, { type ExecutionContext } from "ava";
import { createMempool } from "../../src/chain/mempool.js";
import { readTransaction } from "../../src/chain/transaction.js";
import { DEFAULTS } from "../../src/config.js";
import type { OwnPorts } from "../../src/compose.js";
import type { Consensus, Log, Mempool } from "../../src/ports.js";
import { makeKey, makeTransaction, testParams } from "../support/chain.js";
import { consensus, startTestNode, until } from "./nodes.js";

type Odd<Port> = { readonly [Name in keyof Port]?: unknown };

function withMempool(odd: Odd<Mempool>): OwnPorts {
  const inner = createMempool(DEFAULTS.mempool, (bytes) => readTransaction(bytes, testParams));
  const mempool = new Proxy<Mempool>(inner, {
    get(_, name: keyof Mempool) {
      if (name in odd) return odd[name];
      const value: unknown = Reflect.get(inner, name);
      return typeof value === "function" ? (value.bind(inner) as unknown) : value;
    },
  });
  return { mempool };
}

function withConnect(connect: () => unknown): OwnPorts {
  return { consensus: { ...consensus, connect: connect as Consensus["connect"] } };
}

/** A producing node, and what failed in it. */
async function start(t: ExecutionContext, own: OwnPorts) {
  const faults: string[] = [];
  const failures: unknown[] = [];
  const log: Log = {
    write(_level, event, fields) {
      if (event === "an actor failed") faults.push(JSON.stringify(fields));
      if (event === "the mempool failed") failures.push(fields?.["call"]);
      if (event === "own block refused") failures.push(fields?.["rule"]);
    },
  };
  const config = { produce: true, producer: { intervalMs: 20 } };
  const node = await startTestNode(t, config, { ...own, log });
  const submit = () => node.broadcastTransaction(makeTransaction(makeKey(1), 0));
  return { node, faults, failures, submit };
}

for (const [name, add] of [
  ["nothing", () => undefined],
  ["a promise", () => Promise.resolve({ ok: true })],
  ["no reason", () => ({ ok: false })],
] as const) {
  test(`a mempool that answers ${name} to add fails that transaction`, async (t) => {
    const { faults, submit } = await start(t, withMempool({ add }));
    t.like(await submit(), { ok: false, rule: "failed" });
    t.deepEqual(faults, []);
  });
}

for (const [call, odd] of [
  ["select", { select: () => undefined }],
  ["select", { select: () => [{ id: "without bytes" }] }],
  ["takeDropped", { takeDropped: () => [null] }],
  ["count", { count: Number.NaN }],
] as const) {
  test(`blocks go on beside a mempool with ${String(Object.values(odd)[0])} as ${call}`, async (t) => {
    const { node, faults, failures, submit } = await start(t, withMempool(odd));
    t.like(await submit(), { ok: true });
    await until(() => node.head().height >= 3 && failures.includes(call));
    t.deepEqual(faults, []);
  });
}

for (const [name, answer] of [
  ["nothing", undefined],
  ["no fault", { ok: false }],
  ["a fault without a rule", { ok: false, fault: {} }],
  ["no undo data", { ok: true, value: { writes: [] } }],
  ["text for bytes", { ok: true, value: { writes: [{ key: "a", value: "b" }], undo: "" } }],
] as const) {
  test(`a consensus that connects with ${name} costs the block, not the network`, async (t) => {
    const { node, faults, failures } = await start(
      t,
      withConnect(() => answer),
    );
    await until(() => failures.length >= 2);
    t.deepEqual([...new Set(failures)], ["consensus-failed"]);
    t.is(node.head().height, 0);
    t.deepEqual(faults, []);
  });
}
