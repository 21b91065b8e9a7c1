// A tip block of 1,000 transactions of 300 bytes, pushed in compact form to a whole node that has them
// in a mempool of 1,000 or of 50,000, or has none of them. From the first byte until another peer has
// the block, and until a peer that reads no compact blocks is told of it, which is after it was
// validated and connected; and what it takes on the wire.

import { concatBytes } from "../src/bytes/compare.js";
import { sha256 } from "../src/bytes/sha256.js";
import { createPowConsensus, type PowConsensus } from "../src/chain/consensus.js";
import { genesisOf, networkParams } from "../src/compose.js";
import { DEFAULTS } from "../src/config.js";
import { handshakeInfo, identityOf, RawPeer } from "../src/drill/wire/raw-peer.js";
import { invariant } from "../src/errors.js";
import { encodeMessage } from "../src/protocol/codec/codec.js";
import { compactBlock } from "../src/protocol/kinds/compact-form.js";
import type { Message, MessageKind } from "../src/protocol/index.js";
import type { HeaderSummary } from "../src/types/chain.js";
import { startChild, type Child } from "./lib/child.js";
import type { NodeMethods } from "./lib/compact-roles.js";
import { runRounds } from "./lib/contenders.js";
import { Report, type BenchOptions } from "./lib/report.js";
import { signedTransactions } from "./lib/transactions.js";

const ROLES = new URL("./lib/compact-roles.js", import.meta.url);
const TRANSACTION_BYTES = 300;
/** Until the code that is hot here is compiled. */
const WARM_UP_BLOCKS = 6;
const BLOCKS = 9;

interface Load {
  readonly name: string;
  readonly perBlock: number;
  /** Transactions that wait at the node when a block comes; 0: none of the block's. */
  readonly waiting: number;
  readonly blocks: number;
}

export async function run(options: BenchOptions): Promise<void> {
  const { smoke } = options;
  const report = new Report("compact", options);
  const perBlock = smoke ? 100 : 1_000;
  const blocks = smoke ? 2 : WARM_UP_BLOCKS + BLOCKS;
  const loads = [
    { name: "of-1000", waiting: perBlock },
    { name: "of-50000", waiting: smoke ? 500 : 50_000 },
    { name: "cold", waiting: 0 },
  ].map((load): Load => ({ ...load, perBlock, blocks }));
  await runRounds(
    options,
    loads.map((load) => ({ name: load.name, run: () => measure(load, smoke, report) })),
  );
  report.print();
}

async function measure(load: Load, smoke: boolean, report: Report): Promise<void> {
  const child = await startChild<NodeMethods>(ROLES, "node");
  try {
    const { name: seed, waiting, perBlock, blocks } = load;
    const count = waiting + perBlock * blocks;
    const { address } = await child.listen({ seed, bytes: TRANSACTION_BYTES, count });
    const pushes = await Pushes.begin(address, child, load);
    for (let block = 0; block < load.blocks; block++) {
      const figures = await pushes.next();
      if (!smoke && block < WARM_UP_BLOCKS) continue;
      const sample = (metric: string, unit: string, value: number): void =>
        report.sample("vibecoin", `${load.name}/${metric}`, unit, value);
      sample("relayed", "ms", figures.relayedMs);
      sample("validated", "ms", figures.validatedMs);
      sample("bytes-of-block", "1", figures.bytesOfBlock);
    }
    pushes.end();
  } finally {
    await child.release();
  }
}

/** Blocks on each other, from one peer of the node. */
class Pushes {
  readonly #child: Child<NodeMethods>;
  readonly #load: Load;
  readonly #transactions: readonly Uint8Array[];
  readonly #consensus: PowConsensus;
  readonly #sender: RawPeer;
  readonly #reader: RawPeer;
  readonly #old: RawPeer;
  #head: HeaderSummary;
  #count = 0;
  #asked: Message | undefined;

  private constructor(parts: {
    readonly child: Child<NodeMethods>;
    readonly load: Load;
    readonly transactions: readonly Uint8Array[];
    readonly consensus: PowConsensus;
    readonly peers: readonly [RawPeer, RawPeer, RawPeer];
  }) {
    this.#child = parts.child;
    this.#load = parts.load;
    this.#transactions = parts.transactions;
    this.#consensus = parts.consensus;
    [this.#sender, this.#reader, this.#old] = parts.peers;
    this.#head = genesisOf(parts.consensus).header;
  }

  static async begin(address: string, child: Child<NodeMethods>, load: Load): Promise<Pushes> {
    const consensus = createPowConsensus(networkParams(DEFAULTS.network));
    const count = load.waiting + load.perBlock * load.blocks;
    const transactions = await signedTransactions(count, TRANSACTION_BYTES, load.name);
    const networkId = genesisOf(consensus).header.hash;
    const join = async (number: number, capabilities?: readonly string[]): Promise<RawPeer> => {
      const peer = await RawPeer.connect({ address, identity: identityOf(number) });
      peer.send(handshakeInfo(networkId, capabilities === undefined ? {} : { capabilities }));
      await peer.ping();
      return peer;
    };
    const compact = ["blocks/1", "compact/1"];
    const peers = [await join(1, compact), await join(2, compact), await join(3, ["blocks/1"])];
    const pushes = new Pushes({
      child,
      load,
      transactions,
      consensus,
      peers: peers as [RawPeer, RawPeer, RawPeer],
    });
    if (load.waiting > 0) await pushes.#fill(0, load.waiting);
    return pushes;
  }

  /** The next block, of transactions that the node has or has not. */
  async next(): Promise<{ relayedMs: number; validatedMs: number; bytesOfBlock: number }> {
    const { perBlock, waiting } = this.#load;
    const from = perBlock * this.#count++;
    const transactions = this.#transactions.slice(from, from + perBlock);
    const block = this.#blockOf(transactions);
    const { header } = block.parts;
    const ids = concatBytes(transactions.map((each) => sha256(each)));
    const message = compactBlock({ header, transactions }, ids, BigInt(this.#count));
    invariant(message !== undefined, "the block has a compact form");
    const [relayed, validated] = [this.#news(this.#reader), this.#news(this.#old)];
    const answered = waiting === 0 ? this.#answer(transactions) : undefined;
    const startMs = performance.now();
    this.#sender.send(message);
    const at = async (news: Promise<void>): Promise<number> => {
      await news;
      return performance.now() - startMs;
    };
    const [relayedMs, validatedMs] = await Promise.all([at(relayed), at(validated)]);
    const answerBytes = (await answered) ?? 0;
    this.#head = block.summary;
    if (waiting > 0) await this.#fill(waiting + from, waiting + from + perBlock);
    const bytes = encodeMessage(message).length + answerBytes;
    return { relayedMs, validatedMs, bytesOfBlock: bytes / block.bytes };
  }

  end(): void {
    for (const peer of [this.#sender, this.#reader, this.#old]) peer.destroy();
  }

  #fill(from: number, to: number): Promise<void> {
    return this.#child.fill({ from, to });
  }

  #blockOf(transactions: readonly Uint8Array[]) {
    const { rules } = this.#consensus;
    const parts = this.#consensus.template(this.#head, transactions, Date.now());
    for (let start = 2n ** 32n; ; start += 65_536n) {
      const header = rules.sealHeader(parts.header, start, 65_536);
      if (header === undefined) continue;
      const summary = rules.readHeader(header);
      invariant(summary.ok, "a sealed header reads back");
      const sealed = { header, transactions };
      const bytes = this.#consensus.assemble(sealed).length;
      return { parts: sealed, summary: summary.value, bytes };
    }
  }

  /** The next block that this peer hears of, in whatever form. */
  #news(peer: RawPeer): Promise<void> {
    const kinds: readonly MessageKind[] = ["CompactBlock", "NewBlock", "AnnounceBlock"];
    const count = () => peer.received.filter(({ kind }) => kinds.includes(kind)).length;
    const before = count();
    return peer.until(() => count() > before || peer.ended);
  }

  /** Gives what the node lacks, which is all of it; answers the bytes of both messages. */
  async #answer(transactions: readonly Uint8Array[]): Promise<number> {
    const { received, requestIds } = this.#sender;
    const asked = () => received.findLastIndex(({ kind }) => kind === "GetBlockTransactions");
    await this.#sender.until(() => asked() >= 0 && received[asked()] !== this.#asked);
    const request = received[asked()]!;
    this.#asked = request;
    const answer: Message = { kind: "BlockTransactions", transactions };
    this.#sender.send(answer, requestIds[asked()]);
    return encodeMessage(request).length + encodeMessage(answer).length;
  }
}
