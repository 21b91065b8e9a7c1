// The honest peers of a node under attack, in one process: one that the node dials, two that dial it
// from networks of their own, of which the first makes blocks and the other waits for them. A fourth
// peer pings the node's twin, which nobody attacks: what it notices is the machine's doing. Halfway
// through, a newcomer asks to be let in.

import { storeChain } from "../compose/chain-store.js";
import { genesisOf, startNode } from "../compose.js";
import { invariant } from "../errors.js";
import type { Network } from "../network.js";
import { openMemoryStores } from "../storage/memory-stores.js";
import { serveParent } from "./calls.js";
import { blockOn, consensus, drillChain } from "./drill-chain.js";
import { percentiles } from "./measure/percentiles.js";
import { Pinger, type PingLatency } from "./measure/pinger.js";
import { openRelay, type Relay } from "./relay.js";

/** Networks that no attacker uses: `attackers.ts` has its own. */
export const HONEST_ADDRESSES = ["127.201.0.1", "127.202.0.1", "127.203.0.1"] as const;
const [MAKER, WAITER, NEWCOMER] = HONEST_ADDRESSES;
const OUTBOUND = "127.204.0.1";
const CHAIN = drillChain();

export interface CrowdFigures {
  /** Of the two that dialed, together. */
  readonly pings: PingLatency;
  /** Of the one at the node's twin. */
  readonly control: PingLatency;
  readonly blocks: {
    readonly made: number;
    /** Never reached the other peer. */
    readonly missing: number;
    readonly p50Ms: number;
    readonly maxMs: number;
  };
  /** Why honest peers were left, each time. */
  readonly dropped: readonly string[];
  /** Until the newcomer was let in; null: it was not. */
  readonly newcomerMs: number | null;
}

export type CrowdMethods = {
  /** A peer for the node to dial. */
  open(): Promise<{ address: string; height: number }>;
  /** Resolves when all of them are connected to the node, to their ids. */
  join(node: { address: string; peerId: string }): Promise<{ peerIds: readonly string[] }>;
  joinTwin(node: { address: string; peerId: string }): Promise<void>;
  /** `newcomerAfterMs`: absent: there is none. */
  begin(task: { newcomerAfterMs?: number }): void;
  finish(): Promise<CrowdFigures>;
  /** Ends all that this node's drill needed. */
  leave(): Promise<void>;
};

const BLOCK_INTERVAL_MS = 250;
/** What was made and not seen is waited for, for so long. */
const SETTLE_MAX_MS = 5_000;

interface Here {
  readonly node: Network;
  readonly relay: Relay | undefined;
}

export function crowd(): void {
  let members: Here[] = [];
  let twin: { pinged: Here; peerId: string } | undefined;
  let watch: Watch | undefined;
  let target: { address: string; peerId: string } | undefined;
  const start = async (address: string, localAddress: string): Promise<Here> => {
    const relay = await openRelay(address, localAddress);
    const node = await honest({ seedPeers: [relay.address], maxOutbound: 1 });
    return { node, relay };
  };
  const methods: CrowdMethods = {
    async open() {
      const node = await honest({ bindAddr: [`tcp://${OUTBOUND}:0`] });
      members.push({ node, relay: undefined });
      return { address: node.listenAddress ?? "", height: CHAIN.length };
    },
    async join({ address, peerId }) {
      target = { address, peerId };
      members.push(await start(address, MAKER), await start(address, WAITER));
      await Promise.all(members.map(({ node }) => connected(node, peerId)));
      return { peerIds: members.map(({ node }) => node.peerId) };
    },
    async joinTwin({ address, peerId }) {
      const pinged = await start(address, MAKER);
      await connected(pinged.node, peerId);
      twin = { pinged, peerId };
    },
    begin({ newcomerAfterMs }) {
      invariant(target !== undefined && twin !== undefined, "it joined");
      watch = new Watch(members, target, twin);
      if (newcomerAfterMs !== undefined) watch.expectNewcomer(newcomerAfterMs, start);
    },
    async finish() {
      invariant(watch !== undefined, "it began");
      return watch.finish();
    },
    async leave() {
      const leaving = members;
      members = [];
      await Promise.all(leaving.map(stop));
    },
  };
  serveParent(methods, () => undefined);
}

/** What happens to the honest peers from its construction to `finish`. */
class Watch {
  readonly #target: { readonly address: string; readonly peerId: string };
  readonly #pingers: readonly Pinger[];
  readonly #control: Pinger;
  readonly #madeMs = new Map<string, number>();
  readonly #latenciesMs: number[] = [];
  readonly #dropped: string[] = [];
  readonly #ends: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #newcomer: Promise<void> | undefined;
  #newcomerHere: Here | undefined;
  #newcomerMs: number | null = null;
  #onSeen: () => void = () => undefined;

  constructor(
    members: readonly Here[],
    target: { readonly address: string; readonly peerId: string },
    twin: { readonly pinged: Here; readonly peerId: string },
  ) {
    const [, maker, waiter] = members;
    invariant(maker !== undefined && waiter !== undefined, "two of them dialed");
    this.#target = target;
    this.#pingers = [maker, waiter].map(({ node }) => new Pinger(node, target.peerId));
    this.#control = new Pinger(twin.pinged.node, twin.peerId);
    for (const { node } of members) {
      const end = node.subscribe(["PeerDisconnected"], ({ peerId, reason, rule, detail }) => {
        if (peerId !== target.peerId) return;
        this.#dropped.push([rule ?? reason, detail].filter((text) => text !== "").join(": "));
      });
      this.#ends.push(end);
    }
    this.#followBlocks(maker.node, waiter.node);
  }

  /** A block every so often, each on the one before, once its maker has connected that. */
  #followBlocks(maker: Network, waiter: Network): void {
    let making = "";
    const mine = maker.subscribe(["BlockConnected"], ({ hash }) => {
      if (this.#isOver) return;
      // An attacker may have brought a whole branch.
      if (hash === making) this.#madeMs.set(hash, performance.now());
      clearTimeout(this.#timer);
      this.#timer = setTimeout(make, BLOCK_INTERVAL_MS);
    });
    const theirs = waiter.subscribe(["BlockConnected"], ({ hash }) => {
      const madeMs = this.#madeMs.get(hash);
      if (madeMs === undefined) return;
      this.#latenciesMs.push(performance.now() - madeMs);
      this.#onSeen();
    });
    const make = (): void => {
      const { bytes, header } = blockOn(maker.head());
      making = header.hash;
      maker.broadcastBlock(bytes);
    };
    this.#timer = setTimeout(make, BLOCK_INTERVAL_MS);
    this.#ends.push(mine, theirs);
  }

  expectNewcomer(
    afterMs: number,
    start: (address: string, localAddress: string) => Promise<Here>,
  ): void {
    this.#newcomer = new Promise<void>((resolve) => setTimeout(resolve, afterMs)).then(async () => {
      const startMs = performance.now();
      const here = await start(this.#target.address, NEWCOMER);
      this.#newcomerHere = here;
      await connected(here.node, this.#target.peerId);
      this.#newcomerMs = performance.now() - startMs;
    });
    this.#newcomer.catch(() => undefined);
  }

  async finish(): Promise<CrowdFigures> {
    const [left, right] = await Promise.all(this.#pingers.map((pinger) => pinger.stop()));
    const control = await this.#control.stop();
    this.#isOver = true;
    clearTimeout(this.#timer);
    await this.#allSeen();
    await Promise.race([this.#newcomer, pause(SETTLE_MAX_MS)]);
    if (this.#newcomerHere !== undefined) await stop(this.#newcomerHere);
    for (const end of this.#ends) end();
    const [p50Ms, maxMs] = percentiles(this.#latenciesMs, [0.5, 1]);
    const made = this.#madeMs.size;
    return {
      pings: together(left!, right!),
      control,
      blocks: {
        made,
        missing: made - this.#latenciesMs.length,
        p50Ms: p50Ms ?? NaN,
        maxMs: maxMs ?? NaN,
      },
      dropped: this.#dropped,
      newcomerMs: this.#newcomerMs,
    };
  }

  /** The blocks that are on their way have a while to come. */
  async #allSeen(): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      this.#onSeen = () => {
        if (this.#latenciesMs.length >= this.#madeMs.size) resolve();
      };
      this.#onSeen();
    });
    await Promise.race([seen, pause(SETTLE_MAX_MS)]);
  }
}

/** The worse of two. */
function together(one: PingLatency, other: PingLatency): PingLatency {
  return {
    answered: one.answered + other.answered,
    p50Ms: Math.max(one.p50Ms, other.p50Ms),
    p99Ms: Math.max(one.p99Ms, other.p99Ms),
    maxMs: Math.max(one.maxMs, other.maxMs),
    lost: one.lost + other.lost,
  };
}

async function honest(config: Parameters<typeof startNode>[0]): Promise<Network> {
  const { blocks: blockStore } = openMemoryStores({ genesis: genesisOf(consensus) });
  await storeChain(CHAIN, blockStore, consensus);
  // They know the node alone: what reaches one of them came through it.
  const alone = { pool: { inline: true }, dial: { onlyConfigured: true } };
  return startNode({ ...alone, ...config }, { consensus, blockStore });
}

async function connected(node: Network, peerId: string): Promise<void> {
  const joined = new Promise<void>((resolve) => {
    const end = node.subscribe(["PeerConnected"], (event) => {
      if (event.peerId !== peerId) return;
      end();
      resolve();
    });
  });
  const peers = await node.peers();
  if (!peers.some((peer) => peer.peerId === peerId)) await joined;
}

async function stop({ node, relay }: Here): Promise<void> {
  await node.stop();
  relay?.close();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
