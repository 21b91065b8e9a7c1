// A caller's own consensus may throw, or answer what no store can keep. That costs what it was asked
// about, a block for instance, with a fault that blames nobody, in place of the one writer of the chain.

import { atOnce, errorText } from "../../errors.js";
import { fault } from "../../chain/faults.js";
import type { ChainRules, Checked, CheckedBlock, HeaderSummary } from "../../types/chain.js";
import type { Consensus, Log, StateView, StateWrite } from "../../ports.js";

/** What a store takes as the key of a state: `KEY_BYTES_MAX` of the tables. */
const KEY_BYTES_MAX = 255;

export class GuardedConsensus {
  readonly #consensus: Consensus;
  readonly #log: Log;

  constructor(consensus: Consensus, log: Log) {
    this.#consensus = consensus;
    this.#log = log;
  }

  /** False also when it threw: then the head stays. */
  prefers(candidate: HeaderSummary, current: HeaderSummary): boolean {
    try {
      return atOnce(this.#consensus.prefers(candidate, current));
    } catch (error) {
      this.#log.write("error", "the consensus failed", failure("prefers", error));
      return false;
    }
  }

  connect(
    block: Pick<CheckedBlock, "header" | "effects">,
    view: StateView,
  ): ReturnType<Consensus["connect"]> {
    try {
      const connected = atOnce(this.#consensus.connect(block, view));
      checkConnected(connected);
      return connected;
    } catch (error) {
      return fault("consensus-failed", `connect threw: ${errorText(error)}`);
    }
  }

  /** Undefined: these undo data are of no use. */
  disconnect(undo: Uint8Array): readonly StateWrite[] | undefined {
    try {
      const writes = atOnce(this.#consensus.disconnect(undo));
      checkWrites(writes);
      return writes;
    } catch (error) {
      this.#log.write("error", "the consensus failed", failure("disconnect", error));
      return undefined;
    }
  }
}

function failure(call: string, error: unknown): { call: string; error: string } {
  return { call, error: errorText(error) };
}

function checkConnected(connected: ReturnType<Consensus["connect"]>): void {
  if (connected.ok) {
    checkWrites(connected.value.writes);
    checkBytes("the undo data", connected.value.undo);
    return;
  }
  const { rule, detail } = connected.fault;
  if (typeof rule === "string" && typeof detail === "string") return;
  throw new TypeError("a fault needs a rule and a detail");
}

function checkBytes(what: string, bytes: unknown): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`${what} must be bytes`);
}

function checkWrites(writes: readonly StateWrite[]): void {
  for (const { key, value } of writes) {
    checkBytes("a state key", key);
    if (value !== undefined) checkBytes("a state value", value);
    if (key.length >= 1 && key.length <= KEY_BYTES_MAX) continue;
    throw new RangeError(
      `a state key has ${key.length} bytes, and must have 1 to ${KEY_BYTES_MAX}`,
    );
  }
}

/**
 * For the actors that read and compare on the loop: where the consensus or its rules throw, its
 * answer is `consensus-failed`, which blames nobody, or that the head stays. Pool threads meet the
 * rules themselves, and lose the task; `connect`, `disconnect`, `template` and `assemble` are minded
 * by the one who calls them.
 */
export function guardConsensus(consensus: Consensus, log: Log): Consensus {
  const guarded = new GuardedConsensus(consensus, log);
  const { rulesModule, genesis, blockBytesMax, envelopeBytesMax } = consensus;
  return {
    rulesModule,
    rules: guardRules(consensus.rules),
    genesis,
    blockBytesMax,
    ...(envelopeBytesMax === undefined ? {} : { envelopeBytesMax }),
    prefers: (candidate, current) => guarded.prefers(candidate, current),
    connect: (block, view) => consensus.connect(block, view),
    disconnect: (undo) => consensus.disconnect(undo),
    template: (parent, transactions, nowMs) =>
      atOnce(consensus.template(parent, transactions, nowMs)),
    assemble: (parts) => atOnce(consensus.assemble(parts)),
  };
}

/** What throws says nothing. */
function binds(rules: ChainRules, header: Uint8Array, ids: readonly Uint8Array[]): boolean {
  try {
    return atOnce(rules.binds?.(header, ids)) === true;
  } catch {
    return false;
  }
}

function guardRules(rules: ChainRules): ChainRules {
  const tried = <T>(call: string, ask: () => Checked<T>): Checked<T> => {
    try {
      return atOnce(ask());
    } catch (error) {
      return fault("consensus-failed", `${call} threw: ${errorText(error)}`);
    }
  };
  return {
    splitBlock: (block) => tried("splitBlock", () => rules.splitBlock(block)),
    readHeader: (header) => tried("readHeader", () => rules.readHeader(header)),
    readTransaction: (bytes) => tried("readTransaction", () => rules.readTransaction(bytes)),
    checkHeader: (...header) => tried("checkHeader", () => rules.checkHeader(...header)),
    checkBody: (...body) => tried("checkBody", () => rules.checkBody(...body)),
    checkSignature: (...signed) => rules.checkSignature(...signed),
    sealHeader: (...search) => rules.sealHeader(...search),
    ...(rules.binds === undefined ? {} : { binds: (...body) => binds(rules, ...body) }),
  };
}
