// Whole nodes for tests: real TCP on loopback, memory stores, the pool's work in line.

import type { ExecutionContext } from "ava";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { genesisOf, startNode, type OwnPorts } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import type { BlockStore } from "../../src/ports.js";
import type { NetworkEventOf, NetworkEventType } from "../../src/actors/events/event-types.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { testParams, type MadeBlock } from "../support/chain.js";

export const consensus = createPowConsensus(testParams);

/** Starts a node on the test chain; it is stopped when the test ends. */
export async function startTestNode(
  t: ExecutionContext,
  config: NetworkConfigInput = {},
  own: OwnPorts = {},
): Promise<Network> {
  // Who is connected to whom is the test's to say: what peers tell of is not dialed, unless it asks.
  const dial = { onlyConfigured: true, ...config.dial };
  const quiet = { pool: { inline: true }, ...config, dial };
  const node = await startNode(quiet, { consensus, ...own });
  t.teardown(() => node.stop());
  return node;
}

/** A store whose canonical chain is these blocks, whether they are valid or not. */
export async function storeOf(blocks: readonly MadeBlock[]): Promise<BlockStore> {
  const { blocks: store } = openMemoryStores({ genesis: genesisOf(consensus) });
  await store.commit({
    blocks: blocks.map(({ header, headerBytes, bytes }, index) => ({
      // Stored by its place in the chain, even where the block states another one.
      header: {
        ...header,
        height: index + 1,
        previousHash: blocks[index - 1]?.header.hash ?? genesisOf(consensus).header.hash,
      },
      headerBytes,
      bytes,
    })),
    undo: [],
    canonical: { fromHeight: 1, hashes: blocks.map(({ header }) => header.hash) },
    state: [],
  });
  return store;
}

/** The next event of this type that satisfies `is`. */
export function nextEvent<T extends NetworkEventType>(
  node: Network,
  type: T,
  is: (event: NetworkEventOf<T>) => boolean = () => true,
): Promise<NetworkEventOf<T>> {
  return new Promise((resolve) => {
    const end = node.subscribe([type], (event) => {
      if (!is(event)) return;
      end();
      resolve(event);
    });
  });
}

/** Resolves when the node's head is this block. */
export async function reaches(node: Network, hash: string): Promise<void> {
  const connected = nextEvent(node, "BlockConnected", (event) => event.hash === hash);
  if (node.head().hash !== hash) await connected;
}

/** Hands in blocks, each once the one before is stored, on the best chain or beside it. */
export async function offer(node: Network, blocks: readonly MadeBlock[]): Promise<void> {
  for (const { bytes, header } of blocks) {
    node.broadcastBlock(bytes);
    await until(() => node.header(header.hash) !== undefined);
  }
}

/** Resolves when it holds; gives up after 20 s, far beyond what anything here takes. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 4_000; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("what was waited for never came");
}
