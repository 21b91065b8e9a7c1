// Peers that prove a heavier chain and keep something of it back, over simulated links: what others
// have of it comes, and soon.

import test from "ava";
import type { Message } from "../../src/protocol/types/message.js";
import { bestOf, extended, headOf, type Served } from "../../src/sim/byzantine/chain-view.js";
import { mineChain } from "../../src/sim/byzantine/forge.js";
import type { Session } from "../../src/sim/byzantine/session.js";
import {
  createWorld,
  type ByzantineScript,
  type SimNode,
  type WorldOptions,
} from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const CHAIN_MS = 90_000;
type Kept = "RequestHeaders" | "RequestBlockRange";

/** One node that makes blocks for a while, one that joins it late, and so many of `script`. */
async function joined(own: string, script: ByzantineScript, more: Partial<WorldOptions> = {}) {
  const seed = SEED_ASKED ?? own;
  const replay = replayOf("withholders", seed);
  const byzantine = more.byzantine ?? [script];
  const world = createWorld({
    seed,
    replay,
    nodes: 2,
    late: 1,
    knownPeers: 2,
    ...more,
    byzantine,
  });
  const [producer, joining] = world.nodes as [SimNode, SimNode];
  await world.runFor(CHAIN_MS);
  const { hash, height } = producer.head();
  joining.start();
  return { world, joining, height, isThere: () => joining.network.header(height)?.hash === hash };
}

/** As large as it can be, and nothing of it is right. */
const garbage = (): Message => ({
  kind: "ResponseBlockRange",
  blocks: [new Uint8Array(4 * 1_024 * 1_024 - 1_024)],
});

interface Keeping {
  readonly kind: Kept;
  /** Gives so many answers of this kind first. */
  readonly after: number;
  /** 0: silence. */
  readonly bytesPerSecond: number;
}

/** Offers a chain that is three blocks longer than any other when it meets somebody. */
function keeping({ kind: kept, after, bytesPerSecond }: Keeping): ByzantineScript {
  return {
    name: `keeping ${kept}`,
    behave(host) {
      let chain: Served = bestOf(host.book);
      const given = new Map<Session, number>();
      return {
        head() {
          chain = extended(host.book, mineChain(host, host.book.best, 3));
          return headOf(chain.head);
        },
        chain: () => chain,
        onMessage(session: Session, { kind }: Message, requestId: number) {
          if (kind === "RequestBlock") return true;
          if (kind !== kept) return false;
          const count = given.get(session) ?? 0;
          given.set(session, count + 1);
          if (count < after) return false;
          if (bytesPerSecond === 0) return true;
          session.slowDown(bytesPerSecond);
          if (kept === "RequestBlockRange") session.send(garbage(), requestId);
          return kept === "RequestBlockRange";
        },
      };
    },
  };
}

for (const bytesPerSecond of [0, 100, 10_000, 80_000]) {
  const how =
    bytesPerSecond === 0 ? "keeps them back" : `drips ${bytesPerSecond} bytes of them a second`;
  test(`who alone claims the last blocks, and ${how}, does not hold those before them`, async (t) => {
    const keeper = keeping({ kind: "RequestBlockRange", after: 0, bytesPerSecond });
    const { world, height, isThere, joining } = await joined(`last ${bytesPerSecond}`, keeper);
    t.true(height > 10, `${height} blocks`);
    // The range that stood in front was held for 35 s; two tries at a slow answer take about 5.
    t.true(await world.runUntil(isThere, 10_000), `height ${joining.head().height} of ${height}`);
  });
}

for (const bytesPerSecond of [100, 10_000]) {
  for (const after of [0, 1]) {
    test(`who drips ${bytesPerSecond} bytes of headers a second after ${after} answers holds nobody`, async (t) => {
      const keeper = keeping({ kind: "RequestHeaders", after, bytesPerSecond });
      const own = `headers ${after} ${bytesPerSecond}`;
      const { world, height, isThere, joining } = await joined(own, keeper, {
        config: { sync: { headersFirst: 4, headersPerRequest: 4, headersPerSecondMin: 4 } },
      });
      t.true(await world.runUntil(isThere, 10_000), `height ${joining.head().height} of ${height}`);
    });
  }
}

/** A branch of its own from the first block on, of less work than any other; its bodies come slowly. */
const slowBranch: ByzantineScript = {
  name: "slow-branch",
  behave(host) {
    let chain: Served | undefined;
    const own = (): Served => {
      return (chain ??= extended(host.book, mineChain(host, host.book.at(0)!, 15)));
    };
    return {
      head: () => headOf(own().head),
      chain: own,
      onMessage(session, { kind }) {
        if (kind === "RequestBlockRange") session.slowDown(200);
        return false;
      },
    };
  },
};

test("a light branch that comes block by block does not keep a node from a heavier one", async (t) => {
  const { world, joining, height, isThere } = await joined("slow branch", slowBranch, {
    config: { sync: { rangeBlocksMax: 1, rivalWaitMaxMs: 4_000 } },
  });
  t.true(height > 15, `${height} blocks`);
  let startedWith: string | undefined;
  joining.network.subscribe(["SyncStarted"], ({ peerId }) => (startedWith ??= peerId));
  const lift = world.obstruct((from) => from === "n0");
  t.true(await world.runUntil(() => joining.head().height > 0, 20_000));
  lift();
  t.true(await world.runUntil(isThere, 9_000), `height ${joining.head().height} of ${height}`);
});
