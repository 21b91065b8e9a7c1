// One reorganisation as a machine of bounded steps: the branch is walked down to where it left the
// chain, the old blocks are undone, the new ones go through the pool a few at a time and are applied,
// then what changes is staged and committed as one. It holds no blocks; what it has to hold for the
// commit is counted. Pure over the stores it reads; the consensus integration carries it out.

import { packOwned } from "../../bytes/packed.js";
import type { CheckedBlock, Fault, HashHex, HeaderSummary } from "../../types/chain.js";
import type {
  BlocksVerdict,
  BlockStore,
  ChainCommit,
  StagedCommit,
  StateWrite,
  ValidateBlocksJob,
} from "../../ports.js";
import type { ChainChanged, ConnectedBlock } from "./chain-events.js";
import type { GuardedConsensus } from "./guarded-consensus.js";
import { StateOverlay } from "./state-overlay.js";

export interface ReorganisationEnv {
  readonly store: BlockStore;
  readonly consensus: GuardedConsensus;
  /** The lowest block that a branch may leave the chain at. */
  readonly floor: number;
  /** What one reorganisation may hold in memory. */
  readonly bytesMax: number;
}

/** What is to be done before the next step. */
export type ReorganisationStep =
  /** Nothing: it goes on in the next turn. */
  | { readonly type: "again" }
  /** Have these blocks read, as `readBlocks` of a store does, and hand them in. */
  | { readonly type: "read"; readonly hashes: readonly HashHex[]; readonly bytesMax: number }
  /** Have these checked and hand in the verdict. */
  | { readonly type: "check"; readonly job: ValidateBlocksJob }
  /** Store undo data of blocks that are not canonical yet, which harms nobody if it ends here. */
  | { readonly type: "store"; readonly undo: ChainCommit["undo"] }
  /** Commit: the chain changes. */
  | { readonly type: "commit"; readonly staged: StagedCommit; readonly change: ChainChanged }
  | ReorganisationEnd;

export type ReorganisationEnd =
  | { readonly type: "fault"; readonly hash: HashHex; readonly fault: Fault }
  /** The consensus made nothing of stored undo data: it failed, or they are damaged. */
  | { readonly type: "not-undone"; readonly height: number; readonly hash: HashHex }
  /** `floor`: what is known now of how deep a branch may begin. */
  | { readonly type: "too-deep"; readonly floor: number; readonly why: string };

/** Each of these is some 3 ms of the event loop on a busy machine. */
const HEADERS_PER_STEP = 256;
const UNDO_BYTES_PER_STEP = 64 * 1024;
const BLOCK_BYTES_PER_JOB = 128 * 1024;
const WRITES_PER_STEP = 1_024;
/** What a block of either branch costs: its summary, and its place in the change that is told. */
const HEADER_BYTES = 1_024;

const AGAIN: ReorganisationStep = { type: "again" };

type Phase = "walking" | "undoing" | "applying" | "staging";

export class Reorganisation {
  readonly #env: ReorganisationEnv;
  readonly #overlay: StateOverlay;
  #phase: Phase = "walking";
  /** The new branch: downward while it is walked, then from the fork up. */
  #branch: HeaderSummary[] = [];
  /** Where the walk, then the undoing stands. */
  #at: HeaderSummary;
  #fork: HeaderSummary | undefined;
  readonly #disconnected: HeaderSummary[] = [];
  readonly #connected: ConnectedBlock[] = [];
  /** Of the branch, read and not checked yet. */
  #read: readonly Uint8Array[] | undefined;
  /** Blocks of the job that is under way, then its verdict. */
  #jobBlocks = 0;
  #verdict: BlocksVerdict | undefined;
  #staged: StagedCommit | undefined;
  #writes: Iterator<StateWrite> | undefined;
  #hashesStaged = 0;

  constructor(tip: HeaderSummary, env: ReorganisationEnv) {
    this.#env = env;
    this.#overlay = new StateOverlay(env.store);
    this.#at = tip;
  }

  /** Of the last block that both chains share, once it is found. */
  get forkHeight(): number | undefined {
    return this.#fork?.height;
  }

  /** Blocks of the branch that are not applied; of one that fails, all that cannot be. */
  get unapplied(): readonly HeaderSummary[] {
    return this.#branch.slice(this.#connected.length);
  }

  get heldBytes(): number {
    const headers = this.#branch.length + this.#disconnected.length;
    return this.#overlay.bytes + HEADER_BYTES * headers;
  }

  step(nowMs: number): ReorganisationStep {
    if (this.heldBytes > this.#env.bytesMax) {
      return this.#tooDeep(this.#env.floor, `it would hold more than ${this.#env.bytesMax} bytes`);
    }
    switch (this.#phase) {
      case "walking":
        return this.#walk();
      case "undoing":
        return this.#undo();
      case "applying":
        if (this.#verdict !== undefined) return this.#apply(this.#verdict);
        return this.#read === undefined ? this.#next() : this.#check(this.#read, nowMs);
      case "staging":
        return this.#stage();
    }
  }

  /** Takes the blocks that were to be read. */
  read(blocks: readonly Uint8Array[]): void {
    this.#read = blocks;
  }

  /** Takes the verdict of the job that was to be checked. */
  checked(verdict: BlocksVerdict): void {
    this.#verdict = verdict;
  }

  /** Walking → Undoing. */
  #walk(): ReorganisationStep {
    const { store, floor } = this.#env;
    for (let steps = 0; steps < HEADERS_PER_STEP; steps++) {
      const at = this.#at;
      if (at.height < floor) return this.#tooDeep(floor, "it begins below what can be undone");
      if (store.hashAt(at.height) === at.hash) {
        // A foreign consensus may prefer what the chain holds already.
        if (this.#branch.length === 0) return failed(at, "it prefers a block that is canonical");
        this.#fork = at;
        this.#branch.reverse();
        this.#at = store.head();
        this.#phase = "undoing";
        return AGAIN;
      }
      this.#branch.push(at);
      const parent = store.summary(at.previousHash);
      if (parent === undefined) return this.#tooDeep(floor, "where it begins is not stored");
      this.#at = parent;
    }
    return AGAIN;
  }

  /** Undoing → Applying. */
  #undo(): ReorganisationStep {
    const { store, consensus } = this.#env;
    for (let bytes = 0; bytes < UNDO_BYTES_PER_STEP; bytes += HEADER_BYTES) {
      const at = this.#at;
      if (at.hash === this.#fork!.hash) {
        this.#phase = "applying";
        return AGAIN;
      }
      const undo = store.undo(at.hash);
      const parent = store.summary(at.previousHash);
      if (undo === undefined || parent === undefined) {
        return this.#tooDeep(at.height, `the undo data of block ${at.height} are not stored`);
      }
      const writes = consensus.disconnect(undo);
      if (writes === undefined) return { type: "not-undone", height: at.height, hash: at.hash };
      this.#overlay.apply(writes);
      this.#disconnected.push(at);
      this.#at = parent;
      bytes += undo.length;
    }
    return AGAIN;
  }

  /** Applying → Staging, when every block is applied. */
  #next(): ReorganisationStep {
    const done = this.#connected.length;
    if (done === this.#branch.length) {
      this.#phase = "staging";
      return AGAIN;
    }
    const next = this.#branch.slice(done, done + BLOCK_BYTES_PER_JOB / HEADER_BYTES);
    const hashes = next.map(({ hash }) => hash);
    return { type: "read", hashes, bytesMax: BLOCK_BYTES_PER_JOB };
  }

  #check(read: readonly Uint8Array[], nowMs: number): ReorganisationStep {
    this.#read = undefined;
    const done = this.#connected.length;
    const parent = done === 0 ? this.#fork! : this.#branch[done - 1]!;
    const parentHeader = this.#env.store.headerBytes(parent.hash);
    if (read.length === 0 || parentHeader === undefined) {
      return this.#tooDeep(this.#env.floor, `block ${parent.height + 1} of it is not stored`);
    }
    this.#jobBlocks = read.length;
    return { type: "check", job: { blocks: packOwned(read), parentHeader, nowMs } };
  }

  /** The blocks of the verdict are let go with it. */
  #apply({ accepted, fault }: BlocksVerdict): ReorganisationStep {
    this.#verdict = undefined;
    if (!this.#isPromised(accepted, fault)) {
      const next = this.#branch[this.#connected.length]!;
      return failed(next, "its rules answer other blocks than they were given");
    }
    const undo: { hash: HashHex; bytes: Uint8Array }[] = [];
    for (const block of accepted) {
      const { header, transactionCount } = block;
      const applied = this.#env.consensus.connect(block, this.#overlay);
      if (!applied.ok) return { type: "fault", hash: header.hash, fault: applied.fault };
      this.#overlay.apply(applied.value.writes);
      undo.push({ hash: header.hash, bytes: applied.value.undo });
      this.#connected.push({ header, transactionCount });
    }
    if (fault === undefined) return { type: "store", undo };
    return { type: "fault", hash: this.#branch[this.#connected.length]!.hash, fault };
  }

  /** Foreign rules could answer with other blocks than the branch has, or with none at all. */
  #isPromised(accepted: readonly CheckedBlock[], fault: Fault | undefined): boolean {
    const done = this.#connected.length;
    const promised = accepted.every(
      ({ header }, i) => header.hash === this.#branch[done + i]?.hash,
    );
    const whole =
      fault === undefined ? this.#jobBlocks : Math.min(accepted.length, this.#jobBlocks - 1);
    return promised && accepted.length === whole;
  }

  #stage(): ReorganisationStep {
    this.#staged ??= stagedOn(this.#env.store, this.#fork!.height + 1);
    this.#writes ??= this.#overlay.entries();
    const state: StateWrite[] = [];
    while (state.length < WRITES_PER_STEP) {
      const next = this.#writes.next();
      if (next.done === true) break;
      state.push(next.value);
    }
    if (state.length > 0) {
      this.#staged.add({ state });
      return AGAIN;
    }
    const from = this.#hashesStaged;
    const hashes = this.#branch.slice(from, from + HEADERS_PER_STEP).map(({ hash }) => hash);
    if (hashes.length > 0) {
      this.#staged.add({ hashes });
      this.#hashesStaged += hashes.length;
      return AGAIN;
    }
    const change: ChainChanged = {
      type: "ChainChanged",
      disconnected: this.#disconnected,
      connected: this.#connected,
      head: this.#branch.at(-1) ?? this.#fork!,
    };
    return { type: "commit", staged: this.#staged, change };
  }

  #tooDeep(floor: number, why: string): ReorganisationStep {
    return { type: "too-deep", floor, why };
  }
}

function failed({ hash }: HeaderSummary, detail: string): ReorganisationStep {
  return { type: "fault", hash, fault: { rule: "consensus-failed", detail } };
}

/** For a store that takes a commit in one piece only. */
function stagedOn(store: BlockStore, fromHeight: number): StagedCommit {
  if (store.stage !== undefined) return store.stage(fromHeight);
  const state: StateWrite[] = [];
  const hashes: HashHex[] = [];
  return {
    add(part) {
      for (const write of part.state ?? []) state.push(write);
      for (const hash of part.hashes ?? []) hashes.push(hash);
    },
    commit: () => store.commit({ blocks: [], undo: [], state, canonical: { fromHeight, hashes } }),
  };
}
