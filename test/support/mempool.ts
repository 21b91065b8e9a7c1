// Mempools of the default chain, and transactions for them, made once each.

import { toHex } from "../../src/bytes/hex.js";
import { createMempool, type MempoolLimits, type PriceMempool } from "../../src/chain/mempool.js";
import { nonceWrite } from "../../src/chain/nonce-state.js";
import { readTransaction } from "../../src/chain/transaction.js";
import type { MempoolTransaction, StateView } from "../../src/ports.js";
import { makeKey, makeTransaction, testParams, transactionId } from "./chain.js";

export const keys = Array.from({ length: 8 }, (_, index) => makeKey(index));
export const roomy: MempoolLimits = {
  countMax: 100,
  bytesMax: 100_000,
  perSenderMax: 10,
  minGasPrice: 0,
  replaceBumpPercent: 10,
};

export function pool(limits: Partial<MempoolLimits> = {}): PriceMempool {
  return createMempool({ ...roomy, ...limits }, (bytes) => readTransaction(bytes, testParams));
}

export interface Made extends MempoolTransaction {
  readonly sender: number;
  readonly nonce: number;
  readonly price: number;
}

const cache = new Map<string, Made>();

export function made(sender: number, nonce: number, price: number | bigint, dataBytes = 0): Made {
  const name = `${sender} ${nonce} ${price} ${dataBytes}`;
  const known = cache.get(name);
  if (known !== undefined) return known;
  const data = new Uint8Array(dataBytes);
  const bytes = makeTransaction(keys[sender]!, nonce, { gasPrice: BigInt(price), data });
  const transaction = { id: transactionId(bytes), bytes, sender, nonce, price: Number(price) };
  cache.set(name, transaction);
  return transaction;
}

/** State in which the senders have these last nonces. */
export function confirmedNonces(nonces: readonly number[] = []): StateView {
  const state = new Map(
    nonces.map((nonce, i) => [
      toHex(keys[i]!.publicKey),
      nonceWrite(new Uint8Array(), nonce).value,
    ]),
  );
  return { state: (key: Uint8Array) => state.get(toHex(key)) };
}

export const fresh = confirmedNonces();
