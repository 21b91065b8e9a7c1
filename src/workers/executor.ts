// Does the work of a task, synchronously and purely: the same code in pool threads, inline and in
// the simulator, so that their verdicts cannot differ. Faults are values; it throws only when the
// rules or the caller are wrong.

import { packedItem } from "../bytes/packed.js";
import type {
  ChainRules,
  Checked,
  CheckedBlock,
  Fault,
  HeaderSummary,
  TransactionSummary,
  VerifySignature,
} from "../types/chain.js";
import { invariant } from "../errors.js";
import type {
  BlocksVerdict,
  DecodeFramesJob,
  DecodeFramesVerdict,
  HeadersVerdict,
  Packed,
  SealJob,
  TransactionsVerdict,
  ValidateBlocksJob,
  ValidateHeadersJob,
} from "../ports.js";
import { itemRanges } from "../protocol/codec/codec.js";
import type { JobKind, Jobs, Verdicts } from "./jobs.js";
import type { SignatureCache } from "./signature-cache.js";

const ID_BYTES = 32;

export interface ExecutorParts {
  readonly rules: ChainRules;
  readonly verify: VerifySignature;
  /** Absent: every signature is verified. */
  readonly signatureCache?: SignatureCache;
}

/** What is left to verify of blocks that are valid but for that. */
export interface UnsignedVerdict extends BlocksVerdict {
  /** Transactions whose signatures nobody verified, counted over all of the accepted blocks. */
  readonly unverified: Uint32Array;
}

export type Executor = { readonly [K in JobKind]: (job: Jobs[K]) => Verdicts[K] };

/** The parts in which a large block is validated. */
export interface PartsExecutor {
  /** As `validateBlocks`, without a look at any signature. */
  readonly validateUnsigned: (job: ValidateBlocksJob) => UnsignedVerdict;
  /** As `validateTransactions`, for those of a block: nobody checks them again, so none is noted. */
  readonly validateSignatures: (transactions: Packed) => TransactionsVerdict;
}

type IsSigned = (transaction: TransactionSummary) => boolean;

export function createExecutor(parts: ExecutorParts): Executor & PartsExecutor {
  const { rules, signatureCache } = parts;
  const isSigned: IsSigned = (transaction) => signed(parts, transaction);
  return {
    validateBlocks: (job) => validateBlocks(rules, isSigned, job),
    validateUnsigned: (job) => validateUnsigned(parts, job),
    validateHeaders: (job) => validateHeaders(rules, job),
    validateTransactions: (transactions) =>
      validateTransactions(rules, isSigned, transactions, signatureCache),
    validateSignatures: (transactions) => validateTransactions(rules, isSigned, transactions),
    decodeFrames,
    seal: (job) => seal(rules, job),
  };
}

function validateUnsigned(
  { rules, signatureCache }: ExecutorParts,
  job: ValidateBlocksJob,
): UnsignedVerdict {
  const unverified: number[] = [];
  let count = 0;
  const noted: IsSigned = ({ id }) => {
    if (signatureCache?.has(id) !== true) unverified.push(count);
    count++;
    return true;
  };
  const verdict = validateBlocks(rules, noted, job);
  return { ...verdict, unverified: Uint32Array.from(unverified) };
}

function validateBlocks(
  rules: ChainRules,
  isSigned: IsSigned,
  job: ValidateBlocksJob,
): BlocksVerdict {
  const accepted: CheckedBlock[] = [];
  let parent = readParent(rules, job.parentHeader);
  for (let i = 0; i < job.blocks.ends.length; i++) {
    const block = { bytes: packedItem(job.blocks, i), parent, nowMs: job.nowMs };
    const checked = checkBlock(rules, isSigned, block);
    if (!checked.ok) return { accepted, fault: checked.fault };
    accepted.push(checked.value);
    parent = checked.value.header;
  }
  return { accepted };
}

interface BlockToCheck {
  readonly bytes: Uint8Array;
  readonly parent: HeaderSummary;
  readonly nowMs: number;
}

function checkBlock(
  rules: ChainRules,
  isSigned: IsSigned,
  { bytes, parent, nowMs }: BlockToCheck,
): Checked<CheckedBlock> {
  const split = rules.splitBlock(bytes);
  if (!split.ok) return split;
  const header = rules.checkHeader(split.value.header, parent, nowMs);
  if (!header.ok) return header;
  const transactions: TransactionSummary[] = [];
  for (const encoded of split.value.transactions) {
    const read = rules.readTransaction(encoded);
    if (!read.ok) return { ok: false, fault: placed(read.fault, transactions.length) };
    transactions.push(read.value);
  }
  const effects = rules.checkBody(split.value.header, transactions);
  if (!effects.ok) return effects;
  // Found in the cache, but not noted there: what a block confirmed nobody checks again, and a sync
  // would push the mempool's signatures out of it.
  for (let i = 0; i < transactions.length; i++) {
    if (!isSigned(transactions[i]!)) return { ok: false, fault: unsignedAt(i) };
  }
  const value = {
    header: header.value,
    headerBytes: split.value.header,
    bytes,
    ...ownSummary(transactions, effects.value),
  };
  return { ok: true, value };
}

/**
 * Ids and effects in one fresh buffer, so that a thread gives them back with one transfer and they
 * do not keep alive what the rules cut them from.
 */
function ownSummary(
  transactions: readonly TransactionSummary[],
  effects: Uint8Array,
): Pick<CheckedBlock, "transactionCount" | "transactionIds" | "effects"> {
  const idsBytes = transactions.length * ID_BYTES;
  const bytes = new Uint8Array(idsBytes + effects.byteLength);
  for (let i = 0; i < transactions.length; i++) bytes.set(transactions[i]!.id, i * ID_BYTES);
  bytes.set(effects, idsBytes);
  return {
    transactionCount: transactions.length,
    transactionIds: bytes.subarray(0, idsBytes),
    effects: bytes.subarray(idsBytes),
  };
}

function validateHeaders(rules: ChainRules, job: ValidateHeadersJob): HeadersVerdict {
  const accepted: HeaderSummary[] = [];
  let parent = readParent(rules, job.parentHeader);
  for (let i = 0; i < job.headers.ends.length; i++) {
    const checked = rules.checkHeader(packedItem(job.headers, i), parent, job.nowMs);
    if (!checked.ok) return { accepted, fault: checked.fault };
    accepted.push(checked.value);
    parent = checked.value;
  }
  return { accepted };
}

/** `noted`: where verified ones are remembered; absent: nowhere. */
function validateTransactions(
  rules: ChainRules,
  isSigned: IsSigned,
  transactions: Packed,
  noted?: SignatureCache,
): TransactionsVerdict {
  const count = transactions.ends.length;
  const ids = new Uint8Array(count * ID_BYTES);
  const faults: { index: number; fault: Fault }[] = [];
  for (let index = 0; index < count; index++) {
    const read = rules.readTransaction(packedItem(transactions, index));
    if (!read.ok) {
      faults.push({ index, fault: read.fault });
    } else if (!isSigned(read.value)) {
      faults.push({ index, fault: UNSIGNED });
    } else {
      ids.set(read.value.id, index * ID_BYTES);
      noted?.add(read.value.id);
    }
  }
  return { transactions, ids, faults };
}

function decodeFrames(job: DecodeFramesJob): DecodeFramesVerdict {
  invariant(job.kinds.length === job.payloads.ends.length, "every payload has a kind");
  const frames: DecodeFramesVerdict["frames"][number][] = [];
  for (let i = 0; i < job.kinds.length; i++) {
    const payload = packedItem(job.payloads, i);
    frames.push(itemRanges(job.kinds[i]!, payload));
  }
  return { payloads: job.payloads, frames };
}

function seal(rules: ChainRules, job: SealJob): Uint8Array | undefined {
  return rules.sealHeader(job.header, job.nonceStart, job.attempts);
}

/** The parent is our own proven header: that it does not read is never a peer's fault. */
function readParent(rules: ChainRules, header: Uint8Array): HeaderSummary {
  const parent = rules.readHeader(header);
  invariant(parent.ok, "the rules read the header of the parent");
  return parent.value;
}

function signed({ rules, verify, signatureCache }: ExecutorParts, transaction: TransactionSummary) {
  return signatureCache?.has(transaction.id) === true || rules.checkSignature(transaction, verify);
}

const UNSIGNED: Fault = { rule: "signature", detail: "the signature does not verify" };

/** The fault of a block whose transaction at this place is not signed. */
export function unsignedAt(index: number): Fault {
  return placed(UNSIGNED, index);
}

function placed(fault: Fault, index: number): Fault {
  const { rule, detail } = fault;
  return { rule, detail: `transaction ${index}: ${detail}`, transaction: index };
}
