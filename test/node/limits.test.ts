import test from "ava";
import type { HeaderSummary } from "../../src/types/chain.js";
import { makeBlock, makeKey, makeTransaction, type MadeBlock } from "../support/chain.js";
import { nextEvent, startTestNode, storeOf } from "./nodes.js";

const BLOCKS = 16;
const TRANSACTIONS = 4;
const DATA_BYTES = 60_000;
const KIB = 1_024;

/** 4 MB, which the least limit lets through in a minute. */
function heavyChain(): readonly MadeBlock[] {
  const key = makeKey(1);
  const chain: MadeBlock[] = [];
  let parent: HeaderSummary | undefined;
  for (let height = 1; height <= BLOCKS; height++) {
    const transactions = Array.from({ length: TRANSACTIONS }, (_, index) =>
      makeTransaction(key, (height - 1) * TRANSACTIONS + index, {
        data: new Uint8Array(DATA_BYTES),
      }),
    );
    const block = makeBlock({ transactions, ...(parent === undefined ? {} : { parent }) });
    chain.push(block);
    parent = block.header;
  }
  return chain;
}

for (const [side, held, free] of [
  ["upload", { uploadBytesPerSec: 64 * KIB }, { uploadBytesPerSec: 0 }],
  ["download", { downloadBytesPerSec: 64 * KIB }, { downloadBytesPerSec: 0 }],
] as const) {
  test(`a limit of the ${side} holds a sync up over TCP until it is taken away, and pings pass`, async (t) => {
    const bindAddr = "127.0.0.1:0";
    const blockStore = await storeOf(heavyChain());
    const server = await startTestNode(
      t,
      { bindAddr, ...(side === "upload" ? { limits: held } : {}) },
      { blockStore },
    );
    const seedPeers = [server.listenAddress!];
    const syncing = await startTestNode(t, {
      seedPeers,
      ...(side === "download" ? { limits: held } : {}),
    });
    const limited = side === "upload" ? server : syncing;
    await nextEvent(syncing, "PeerConnected");
    const isHeld = async (): Promise<boolean> =>
      (await limited.status()).limits[side].heldPeers === 1;
    while (!(await isHeld())) await new Promise((resolve) => setTimeout(resolve, 5));
    if (side === "upload") t.is(typeof (await server.pingPeer(syncing.peerId)), "number");
    t.true(syncing.head().height < BLOCKS);
    const done = nextEvent(syncing, "BlockConnected", ({ height }) => height === BLOCKS);
    limited.setLimits(free);
    await done;
    t.is((await limited.status()).limits[side].heldPeers, 0);
    t.is((await limited.peers())[0]?.performance.timeouts, 0);
  });
}
