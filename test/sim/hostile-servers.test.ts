// A node that joins beside peers who break off, cut, mix up or delay what a sync asks of them: it has
// the honest chain within seconds.

import test from "ava";
import type { Message } from "../../src/protocol/types/message.js";
import {
  answerTo,
  bestOf,
  extended,
  headOf,
  type Served,
} from "../../src/sim/byzantine/chain-view.js";
import { mineChain } from "../../src/sim/byzantine/forge.js";
import type { ByzantineHost } from "../../src/sim/byzantine/script.js";
import type { Session } from "../../src/sim/byzantine/session.js";
import { createWorld, type ByzantineScript, type SimNode } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const CHAIN_MS = 60_000;
/** Each of ever new keys that proves a chain of its own may hold the front for some 2 s. */
const WITHIN_MS = 15_000;
/** Beside the honest node. */
const HOSTILE = 3;

/** In place of what it would answer; undefined: nothing. */
type Reaction = (
  honest: Message,
  about: { readonly host: ByzantineHost; readonly session: Session; readonly asked: number },
) => Message | undefined;

/** Offers a chain of three more blocks than anybody's, and reacts to what is asked of it. */
function scriptOf(name: string, react: Reaction, many: boolean): ByzantineScript {
  return {
    name,
    behave(host) {
      let chain: Served = bestOf(host.book);
      let asked = 0;
      return {
        ...(many && { manyIdentities: true as const, dialsMax: 12 }),
        head() {
          chain = extended(host.book, mineChain(host, host.book.best, 3));
          return headOf(chain.head);
        },
        chain: () => chain,
        onMessage(session, message, requestId) {
          if (message.kind === "RequestBlock") return true;
          const honest = answerTo(message, chain);
          if (honest === undefined) return false;
          const answer = react(honest, { host, session, asked: asked++ });
          if (answer !== undefined) session.send(answer, requestId);
          return true;
        },
      };
    },
  };
}

const isBlocks = (message: Message) => message.kind === "ResponseBlockRange";
const NOT_FOUND = { kind: "RequestRefused", reason: "NotFound" } as const;

const REACTIONS: Readonly<Record<string, Reaction>> = {
  "leave when they are asked for blocks": (honest, { session }) => {
    if (!isBlocks(honest)) return honest;
    session.close();
    return undefined;
  },
  "leave when they are asked for headers": (_honest, { session }) => {
    session.close();
    return undefined;
  },
  "leave in the middle of it": (honest, { session, asked }) => {
    if (asked % 3 !== 2) return honest;
    session.close();
    return undefined;
  },
  "do not have every other range": (honest, { asked }) =>
    isBlocks(honest) && asked % 2 === 0 ? NOT_FOUND : honest,
  "give one block at a time": (honest) =>
    honest.kind === "ResponseBlockRange"
      ? { ...honest, blocks: honest.blocks.slice(0, 1) }
      : honest,
  "give blocks in the wrong order": (honest) =>
    honest.kind === "ResponseBlockRange"
      ? { ...honest, blocks: honest.blocks.toReversed() }
      : honest,
  "give headers in the wrong order": (honest) =>
    honest.kind === "ResponseHeaders"
      ? { ...honest, headers: honest.headers.toReversed() }
      : honest,
  "give one header at a time": (honest) =>
    honest.kind === "ResponseHeaders" ? { ...honest, headers: honest.headers.slice(0, 1) } : honest,
  "prove and then are silent, under ever new keys": (honest) =>
    isBlocks(honest) ? undefined : honest,
  "answer after the deadline": (honest, { host, session }) => {
    if (!isBlocks(honest)) return honest;
    host.clock.setTimer(2_500, () => session.close());
    return undefined;
  },
  "are busy": (honest) => (isBlocks(honest) ? { kind: "RequestRefused", reason: "Busy" } : honest),
};

for (const [what, react] of Object.entries(REACTIONS)) {
  test(`a node that joins syncs beside peers that ${what}`, async (t) => {
    const seed = SEED_ASKED ?? what;
    const world = createWorld({
      seed,
      replay: replayOf("hostile-servers", seed),
      nodes: 2,
      late: 1,
      knownPeers: 2,
      byzantine: Array.from({ length: HOSTILE }, (_, i) => scriptOf(what, react, i > 0)),
      config: { sync: { rangeBlocksMax: 4, headersFirst: 8 } },
    });
    const [producer, joining] = world.nodes as [SimNode, SimNode];
    await world.runFor(CHAIN_MS);
    const { hash, height } = producer.head();
    t.true(height > 10, `${height} blocks in a minute`);
    joining.start();
    const isThere = (): boolean => joining.network.header(height)?.hash === hash;
    const there = await world.runUntil(isThere, 60_000);
    t.log(`${height} blocks, ${Math.round(world.nowMs - CHAIN_MS)} ms`);
    t.true(
      there && world.nowMs - CHAIN_MS < WITHIN_MS,
      `height ${joining.head().height} of ${height}`,
    );
  });
}
