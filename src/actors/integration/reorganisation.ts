// The plan of one reorganisation: which blocks leave, which come, and the single commit that does
// it. Pure over the stores it reads; owned by the consensus integration.

import { invariant } from "../../errors.js";
import { packBytes } from "../../bytes/packed.js";
import type { CheckedBlock, Fault, HashHex, HeaderSummary } from "../../chain/types.js";
import type { BlocksVerdict, ChainCommit, ValidateBlocksJob } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { ChainChanged, ConnectedBlock } from "./chain-events.js";
import { connectBlock } from "./connect-block.js";
import { StateOverlay } from "./state-overlay.js";

export type BranchEnv = Pick<NodeEnv, "blocks" | "consensus">;

export interface Branch {
  /** The last block that both chains share. */
  readonly fork: HeaderSummary;
  /** Ascending from the fork. */
  readonly blocks: readonly HeaderSummary[];
}

/** The branch from the canonical chain to `tip`; undefined when its fork is not stored any more. */
export function branchTo(tip: HeaderSummary, { blocks: store }: BranchEnv): Branch | undefined {
  const branch: HeaderSummary[] = [];
  let header: HeaderSummary | undefined = tip;
  while (header !== undefined && store.hashAt(header.height) !== header.hash) {
    branch.push(header);
    header = store.summary(header.previousHash);
  }
  return header === undefined ? undefined : { fork: header, blocks: branch.reverse() };
}

/** Blocks checked again in one pool job. */
const JOB_BLOCKS = 8;

export class Reorganisation {
  readonly #branch: Branch;
  readonly #env: BranchEnv;
  readonly #checked: CheckedBlock[] = [];

  constructor(branch: Branch, env: BranchEnv) {
    this.#branch = branch;
    this.#env = env;
  }

  get forkHeight(): number {
    return this.#branch.fork.height;
  }

  get complete(): boolean {
    return this.#checked.length === this.#branch.blocks.length;
  }

  nextJob(nowMs: number): ValidateBlocksJob {
    const done = this.#checked.length;
    const parent = done === 0 ? this.#branch.fork : this.#branch.blocks[done - 1]!;
    const bytes = this.#branch.blocks.slice(done, done + JOB_BLOCKS).map(({ hash }) => {
      const block = this.#env.blocks.block(hash);
      invariant(block !== undefined, `fork block ${hash} is not stored`);
      return block;
    });
    const parentHeader = this.#env.blocks.headerBytes(parent.hash);
    invariant(parentHeader !== undefined, `block ${parent.hash} is not stored`);
    return { blocks: packBytes(bytes), parentHeader, nowMs };
  }

  /** Takes a job's verdict; answers the block that failed, if one did. */
  checked(verdict: BlocksVerdict): { hash: HashHex; fault: Fault } | undefined {
    this.#checked.push(...verdict.accepted);
    if (verdict.fault === undefined) return undefined;
    return { hash: this.#branch.blocks[this.#checked.length]!.hash, fault: verdict.fault };
  }

  /** Undoes the old branch and applies the new one, all of it in one commit. */
  apply():
    | { readonly ok: true; readonly commit: ChainCommit; readonly change: ChainChanged }
    | { readonly ok: false; readonly hash: HashHex; readonly fault: Fault } {
    const { blocks: store, consensus } = this.#env;
    const overlay = new StateOverlay(store);
    const disconnected: HeaderSummary[] = [];
    for (let header = store.head(); header.hash !== this.#branch.fork.hash;) {
      const undo = store.undo(header.hash);
      const parent = store.summary(header.previousHash);
      invariant(undo !== undefined && parent !== undefined, `block ${header.hash} has no undo`);
      overlay.apply(consensus.disconnect(undo));
      disconnected.push(header);
      header = parent;
    }
    const undo: { hash: HashHex; bytes: Uint8Array }[] = [];
    for (const block of this.#checked) {
      const applied = connectBlock(consensus, block, overlay);
      if (!applied.ok) return { ok: false, hash: block.header.hash, fault: applied.fault };
      overlay.apply(applied.value.writes);
      undo.push({ hash: block.header.hash, bytes: applied.value.undo });
    }
    const hashes = this.#checked.map(({ header }) => header.hash);
    const canonical = { fromHeight: this.#branch.fork.height + 1, hashes };
    const head = this.#checked.at(-1)?.header ?? this.#branch.fork;
    return {
      ok: true,
      commit: { blocks: [], undo, canonical, state: overlay.writes() },
      change: { type: "ChainChanged", disconnected, connected: this.#connected(), head },
    };
  }

  /** Without ids: of a long branch they are too many to hold. */
  #connected(): ConnectedBlock[] {
    return this.#checked.map(({ header, transactionCount }) => ({ header, transactionCount }));
  }
}
