// A second implementation of the default chain's rules, for the auditor: written from the protocol
// document over whole decoded values, sharing no code with src/chain but its constants. A mistake in
// the rules of the nodes shows as soon as a node stores what this one would not.

import { createHash } from "node:crypto";
import { decodeCbor } from "../bytes/cbor.js";
import type { ChainParams } from "../chain/params.js";
import type { HashHex, VerifySignature } from "../types/chain.js";

interface KnownBlock {
  readonly height: bigint;
  readonly timeMs: bigint;
  readonly difficulty: bigint;
  readonly total: bigint;
  readonly parent: KnownBlock | undefined;
  /** Why no head may be here: a nonce that this block or one below uses again. */
  readonly stateFault: string | undefined;
  /** Of the senders in this block, the last nonce. */
  readonly nonces: ReadonlyMap<string, bigint>;
}

const LIMITS = { depthMax: 4, itemsMax: 100_000 };

export class PowReference {
  readonly #params: ChainParams;
  readonly #verify: VerifySignature;
  readonly #known = new Map<HashHex, KnownBlock>();

  constructor(params: ChainParams, verify: VerifySignature, genesis: Uint8Array) {
    this.#params = params;
    this.#verify = verify;
    const { header, fields } = headerOf(decodeList(genesis, 2));
    const none = { parent: undefined, stateFault: undefined, nonces: new Map() };
    this.#known.set(hashOf(header), { ...fields, ...none });
  }

  /** What is wrong with a block that a node stored, in one clause; undefined: nothing. */
  audit(block: Uint8Array, wallMs: number): string | undefined {
    try {
      const parts = decodeList(block, 2);
      const { header, fields, previousHash, root } = headerOf(parts);
      const parent = this.#known.get(previousHash);
      if (parent === undefined) return "its parent is unknown";
      const wrong = this.#headerFault(hashOf(header), fields, parent, wallMs);
      if (wrong !== undefined) return wrong;
      const transactions = parts[1] as readonly Uint8Array[];
      const nonces = new Map<string, bigint>();
      let { stateFault } = parent;
      for (const transaction of transactions) {
        const { sender, nonce, signed } = this.#read(transaction);
        if (!signed) return "a signature does not verify";
        // Blocks that nobody built on may be set aside unconnected, whatever the state says of them.
        if (nonce <= (nonces.get(sender) ?? lastNonce(parent, sender))) {
          stateFault ??= `a sender's nonce ${nonce} once more`;
        }
        nonces.set(sender, nonce);
      }
      if (rootOf(transactions.map(sha256)).toString("hex") !== root) return "another root";
      if (block.length > this.#params.blockBytesMax) return "it is too large";
      this.#known.set(hashOf(header), { ...fields, parent, stateFault, nonces });
      return undefined;
    } catch (error) {
      return `it cannot be decoded: ${String(error)}`;
    }
  }

  /** What is wrong with a head that takes another's place; undefined: nothing. */
  auditHead(before: HashHex, after: HashHex): string | undefined {
    const [old, next] = [this.#known.get(before), this.#known.get(after)];
    if (old === undefined || next === undefined) return "it is unknown";
    if (next.total <= old.total) return "it has no more work";
    return next.stateFault;
  }

  #headerFault(
    hash: HashHex,
    own: ReturnType<typeof headerOf>["fields"],
    parent: KnownBlock,
    wallMs: number,
  ): string | undefined {
    const { minDifficulty, targetIntervalMs, maxFutureMs } = this.#params;
    if (own.height !== parent.height + 1n) return "its height is not its parent's plus one";
    if (own.timeMs <= parent.timeMs) return "it is not later than its parent";
    if (Number(own.timeMs) > wallMs + maxFutureMs) return "it is from the future";
    const unit = Math.max(1, Math.floor(targetIntervalMs * Math.log(2)));
    const units = Math.floor(Number(own.timeMs - parent.timeMs) / unit);
    const step = parent.difficulty >= 2048n ? parent.difficulty / 2048n : 1n;
    const due = parent.difficulty + step * BigInt(units > 99 ? -99 : 1 - units);
    if (own.difficulty !== (due < minDifficulty ? minDifficulty : due)) return "its difficulty";
    if (own.total !== parent.total + own.difficulty) return "its total difficulty";
    if (BigInt(`0x${hash}`) * own.difficulty >= 1n << 256n) return "too little work";
    return undefined;
  }

  #read(transaction: Uint8Array): { sender: string; nonce: bigint; signed: boolean } {
    const [body, signature] = decodeList(transaction, 2) as readonly Uint8Array[];
    const fields = decodeList(body!, 8);
    const sender = fields[0] as Uint8Array;
    return {
      sender: Buffer.from(sender).toString("hex"),
      nonce: BigInt(fields[5] as number),
      signed: this.#verify(signature!, body!, sender),
    };
  }
}

function lastNonce(block: KnownBlock, sender: string): bigint {
  for (let at: KnownBlock | undefined = block; at !== undefined; at = at.parent) {
    const nonce = at.nonces.get(sender);
    if (nonce !== undefined) return nonce;
  }
  return -1n;
}

function decodeList(bytes: Uint8Array, length: number): readonly unknown[] {
  const decoded = decodeCbor(bytes, LIMITS);
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length !== length) {
    throw new Error(decoded.ok ? `not a list of ${length}` : decoded.detail);
  }
  return decoded.value as readonly unknown[];
}

function headerOf(parts: readonly unknown[]) {
  const header = parts[0] as Uint8Array;
  const list = decodeList(header, 9);
  const integer = (index: number): bigint => BigInt(list[index] as number | bigint);
  const fields = {
    height: integer(0),
    timeMs: integer(2),
    difficulty: integer(5),
    total: integer(6),
  };
  const hex = (index: number): string => Buffer.from(list[index] as Uint8Array).toString("hex");
  return { header, fields, previousHash: hex(1), root: hex(3) };
}

/** RFC 6962, section 2.1, as it is defined there: by recursion. */
function rootOf(ids: readonly Buffer[]): Buffer {
  if (ids.length === 0) return sha256(new Uint8Array());
  if (ids.length === 1) return sha256(Buffer.concat([Buffer.of(0), ids[0]!]));
  let split = 1;
  while (2 * split < ids.length) split *= 2;
  return sha256(
    Buffer.concat([Buffer.of(1), rootOf(ids.slice(0, split)), rootOf(ids.slice(split))]),
  );
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function hashOf(header: Uint8Array): HashHex {
  return sha256(header).toString("hex");
}
