// A caller's rules that throw on the loop at what a peer sends cost what was sent, not the actor
// that read it, and nobody is blamed.

import test, { type ExecutionContext } from "ava";
import type { ChainRules } from "../../src/types/chain.js";
import type { Consensus, Log } from "../../src/ports.js";
import { makeChain } from "../support/chain.js";
import { consensus, nextEvent, offer, reaches, startTestNode, storeOf } from "./nodes.js";

/** Rules of which one throws as often as it is armed to. */
function trapped(name: "splitBlock" | "readHeader"): {
  rules: ChainRules;
  arm: (times: number) => void;
} {
  let left = 0;
  const spring = (): void => {
    if (left-- > 0) throw new Error("rules of the caller's own");
  };
  const { rules } = consensus;
  return {
    arm: (times) => (left = times),
    rules: {
      ...rules,
      splitBlock(block) {
        if (name === "splitBlock") spring();
        return rules.splitBlock(block);
      },
      readHeader(header) {
        if (name === "readHeader") spring();
        return rules.readHeader(header);
      },
    },
  };
}

function faultLog(): { log: Log; faults: string[] } {
  const faults: string[] = [];
  const write: Log["write"] = (_level, event) => {
    if (event === "an actor failed") faults.push(event);
  };
  return { log: { write }, faults };
}

async function server(t: ExecutionContext, blocks: ReturnType<typeof makeChain>) {
  return startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" }, { blockStore: await storeOf(blocks) });
}

test("rules that throw at the headers of a sync cost that answer, and the chain is followed", async (t) => {
  t.timeout(60_000);
  const chain = makeChain(5);
  const peer = await server(t, chain);
  const { rules, arm } = trapped("readHeader");
  const { log, faults } = faultLog();
  const node = await startTestNode(t, {}, { consensus: { ...consensus, rules }, log });
  arm(2);
  void node.connect(peer.listenAddress!);
  await reaches(node, chain.at(-1)!.header.hash);
  t.deepEqual(faults, []);
  t.deepEqual(
    (await node.explainPeer(peer.peerId)).entries.filter(({ delta }) => delta < 0),
    [],
  );
});

test("rules that throw at a pushed block cost that block alone", async (t) => {
  t.timeout(60_000);
  const [block] = makeChain(1);
  const { rules, arm } = trapped("splitBlock");
  const { log, faults } = faultLog();
  const node = await startTestNode(t, {}, { consensus: { ...consensus, rules }, log });
  const rejected = nextEvent(node, "BlockRejected");
  arm(1);
  node.broadcastBlock(block!.bytes);
  t.is((await rejected).rule, "consensus-failed");
  node.broadcastBlock(block!.bytes);
  await reaches(node, block!.header.hash);
  t.deepEqual(faults, []);
});

test("a consensus that does not undo a block once follows the heavier chain all the same", async (t) => {
  t.timeout(60_000);
  const own = makeChain(2, { fields: { extra: Uint8Array.of(1) } });
  const heavier = makeChain(5);
  const peer = await server(t, heavier);
  let left = 1;
  const disconnect: Consensus["disconnect"] = (undo) => {
    if (left-- > 0) throw new Error("a consensus of the caller's own");
    return consensus.disconnect(undo);
  };
  const node = await startTestNode(t, {}, { consensus: { ...consensus, disconnect } });
  await offer(node, own);
  void node.connect(peer.listenAddress!);
  await reaches(node, heavier.at(-1)!.header.hash);
  t.true(left < 0);
  const { entries } = await node.explainPeer(peer.peerId);
  t.deepEqual(
    entries.filter(({ delta }) => delta < 0),
    [],
  );
});
