// The chain auditor stands between every simulated node and its block store. It checks each commit
// against its own record of all blocks of the run: no invalid block is stored, the head moves only
// to what the consensus prefers, and the state is that of the chain. The world owns one.

import { equalBytes, toLatin1 } from "../bytes/compare.js";
import { packBytes } from "../bytes/packed.js";
import type { CheckedBlock, HashHex, HeaderSummary } from "../types/chain.js";
import { genesisOf } from "../compose.js";
import type {
  BlockStore,
  ChainCommit,
  Clock,
  Consensus,
  StagedCommit,
  StateView,
  StoredBlock,
} from "../ports.js";
import type { ChainReference } from "./chain.js";
import { createExecutor, type Executor, type ExecutorParts } from "../workers/executor.js";
import { BlockBookWriter, type BlockBook, type BookBlock } from "./block-book.js";

/** A block of the book with what the auditor needs to follow the state. */
interface AuditedBlock extends BookBlock {
  readonly parent: AuditedBlock | undefined;
  readonly effects: CheckedBlock["effects"];
  /** What it writes on the state of its parent; absent until a node connects it. */
  writes: ReadonlyMap<string, Uint8Array | undefined> | undefined;
}

export interface AuditedNode {
  readonly name: string;
  readonly clock: Pick<Clock, "wallMs">;
}

export interface AuditorOptions {
  /** Told of every block that a node stores. */
  readonly onStored?: (node: string, header: HeaderSummary) => void;
  /** Held against the rules that the nodes run. */
  readonly reference?: ChainReference | undefined;
}

export class ChainAuditor {
  readonly #consensus: Consensus;
  readonly #executor: Executor;
  readonly #report: (sentence: string) => void;
  readonly #book: BlockBookWriter<AuditedBlock>;
  readonly #watching: AuditorOptions;
  #lowerHeads = 0;

  /** `report` is told of every violation, in one sentence. */
  constructor(
    consensus: Consensus,
    verify: ExecutorParts["verify"],
    report: (sentence: string) => void,
    watching: AuditorOptions = {},
  ) {
    this.#consensus = consensus;
    this.#executor = createExecutor({ rules: consensus.rules, verify });
    this.#report = report;
    this.#watching = watching;
    const { header, bytes } = genesisOf(consensus);
    const none = { parent: undefined, effects: new Uint8Array(), writes: new Map() };
    const genesis = { header, bytes, headerBytes: this.#headerOf(bytes), ...none };
    this.#book = new BlockBookWriter(consensus, genesis);
  }

  /** Different blocks that any node stored, genesis included. */
  get blockCount(): number {
    return this.#book.size;
  }

  /** How often a node moved its head to a heavier block that is not as high. */
  get lowerHeads(): number {
    return this.#lowerHeads;
  }

  /** Its record, for other checks and for nodes that know more than they should. */
  get book(): BlockBook {
    return this.#book;
  }

  /** Encoded, of all of them. */
  get blockBytes(): number {
    return this.#book.bytes;
  }

  /** The store as its node sees it in one life, every commit audited. */
  watch(store: BlockStore, node: AuditedNode): BlockStore {
    let prunedHeight = 0;
    return {
      head: () => store.head(),
      has: (hash) => store.has(hash),
      summary: (hash) => store.summary(hash),
      block: (hash) => store.block(hash),
      headerBytes: (hash) => store.headerBytes(hash),
      hashAt: (height) => store.hashAt(height),
      undo: (hash) => {
        const { height = prunedHeight } = store.summary(hash) ?? {};
        if (height < prunedHeight) {
          const gone = `of which it keeps nothing below ${prunedHeight}`;
          this.#report(`${node.name} asked how to undo the block at ${height}, ${gone}`);
        }
        return store.undo(hash);
      },
      sideBlocks: () => store.sideBlocks?.() ?? [],
      state: (key) => store.state(key),
      prune: (height) => {
        prunedHeight = Math.max(prunedHeight, height);
        return store.prune(height);
      },
      close: () => store.close(),
      commit: (commit) => {
        for (const block of commit.blocks) {
          this.#audit(block, node);
          this.#watching.onStored?.(node.name, block.header);
        }
        return this.#moved(commit, () => store.commit(commit), store, node);
      },
      ...(store.stage && { stage: (fromHeight) => this.#staged(store, fromHeight, node) }),
    };
  }

  #staged(store: BlockStore, fromHeight: number, node: AuditedNode): StagedCommit {
    const staged = store.stage!(fromHeight);
    const hashes: HashHex[] = [];
    return {
      add: (part) => {
        hashes.push(...(part.hashes ?? []));
        staged.add(part);
      },
      commit: () => {
        const canonical = { fromHeight, hashes };
        return this.#moved({ canonical }, () => staged.commit(), store, node);
      },
    };
  }

  /** Carries out what may move the head, and looks at what it did. */
  #moved(
    commit: Pick<ChainCommit, "canonical">,
    write: () => Promise<void>,
    store: BlockStore,
    node: AuditedNode,
  ): Promise<void> {
    const before = store.head();
    const durable = write();
    const tip = commit.canonical?.hashes.at(-1);
    if (tip !== undefined && store.head().hash === tip) {
      this.#auditHead(before, commit, store, node);
    } else if (tip !== undefined) {
      // A store that failed refuses; one that works has to take it.
      const lost = `${node.name} did not move its head to ${tip}, which it said is durable`;
      durable.then(
        () => this.#report(lost),
        () => undefined,
      );
    }
    return durable;
  }

  #headerOf(bytes: Uint8Array): Uint8Array {
    const parts = this.#consensus.rules.splitBlock(bytes);
    return parts.ok ? parts.value.header : new Uint8Array();
  }

  /** Validates a block when the first node of the run stores it. */
  #audit({ header, headerBytes, bytes }: StoredBlock, { name, clock }: AuditedNode): void {
    const wrong = (what: string): void =>
      this.#report(`${name} stored block ${header.hash} at ${header.height}: ${what}`);
    const known = this.#book.get(header.hash);
    if (known !== undefined) {
      const same = equalBytes(known.bytes, bytes) && equalBytes(known.headerBytes, headerBytes);
      if (!same) wrong("its bytes are not those of this hash");
      return;
    }
    const parent = this.#book.get(header.previousHash);
    if (parent === undefined) return wrong("its parent is not known");
    const differs = this.#watching.reference?.audit(bytes, clock.wallMs());
    if (differs !== undefined) return wrong(`against the reference, ${differs}`);
    const verdict = this.#executor.validateBlocks({
      blocks: packBytes([bytes]),
      parentHeader: parent.headerBytes,
      nowMs: clock.wallMs(),
    });
    const block = verdict.accepted[0];
    if (block === undefined) return wrong(`${verdict.fault?.rule}: ${verdict.fault?.detail}`);
    if (block.header.hash !== header.hash) return wrong(`its hash is ${block.header.hash}`);
    if (!equalBytes(headerBytes, this.#headerOf(bytes))) return wrong("under another's header");
    const { effects } = block;
    const audited = { header: block.header, headerBytes, bytes, parent, effects };
    this.#book.put({ ...audited, writes: undefined });
  }

  #auditHead(
    before: HeaderSummary,
    commit: Pick<ChainCommit, "canonical">,
    store: BlockStore,
    node: AuditedNode,
  ): void {
    const wrong = (what: string): void => this.#report(`${node.name} moved its head: ${what}`);
    const after = store.head();
    const { reference } = this.#watching;
    const moved = after.hash !== before.hash;
    const differs = moved ? reference?.auditHead(before.hash, after.hash) : undefined;
    if (differs !== undefined) {
      wrong(`from ${before.hash} to ${after.hash}; against the reference, ${differs}`);
    }
    if (after.height < before.height) this.#lowerHeads++;
    if (moved && !this.#consensus.prefers(after, before)) {
      wrong(`from ${before.hash} to ${after.hash}, which the consensus does not prefer`);
    }
    const touched = new Map<string, Uint8Array | undefined>();
    for (const hash of commit.canonical?.hashes ?? []) {
      const block = this.#book.get(hash);
      if (block === undefined) return wrong(`to block ${hash}, which was never stored`);
      const writes = this.#writesOf(block, wrong);
      if (writes === undefined) return;
      for (const [key, value] of writes) touched.set(key, value);
    }
    const head = this.#book.get(after.hash);
    let left = this.#book.get(before.hash);
    while (left !== undefined && store.hashAt(left.header.height) !== left.header.hash) {
      for (const key of left.writes?.keys() ?? []) {
        if (!touched.has(key)) touched.set(key, stateAt(head, key));
      }
      left = left.parent;
    }
    for (const [key, value] of touched) {
      const stored = store.state(Buffer.from(key, "latin1"));
      const same =
        stored === undefined || value === undefined ? stored === value : equalBytes(stored, value);
      if (!same) return wrong(`to ${after.hash}, but its state is not that of this chain`);
    }
  }

  #writesOf(block: AuditedBlock, wrong: (what: string) => void): AuditedBlock["writes"] {
    if (block.writes !== undefined) return block.writes;
    const view: StateView = { state: (key) => stateAt(block.parent, toLatin1(key)) };
    const connected = this.#consensus.connect(block, view);
    if (!connected.ok) {
      const { rule, detail } = connected.fault;
      wrong(`over block ${block.header.hash}: ${rule}: ${detail}`);
      return undefined;
    }
    const { writes } = connected.value;
    block.writes = new Map(writes.map(({ key, value }) => [toLatin1(key), value]));
    this.#book.connected(block);
    return block.writes;
  }
}

/** The newest write of a key at or below a block. */
function stateAt(block: AuditedBlock | undefined, key: string): Uint8Array | undefined {
  for (let at = block; at !== undefined; at = at.parent) {
    if (at.writes?.has(key) === true) return at.writes.get(key);
  }
  return undefined;
}
