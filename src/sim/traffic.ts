// Traffic: signed transactions of a few accounts, submitted to random nodes of a world at a steady
// rate of virtual time, as users do it.

import { sha256 } from "../bytes/sha256.js";
import { encodeCbor } from "../bytes/cbor.js";
import type { KeyPair } from "../chain/signatures.js";
import { signTransaction } from "../chain/transaction.js";
import { isCoded } from "../errors.js";
import type { World } from "./world.js";

export interface TrafficOptions {
  /** Senders, in turns. Default 8. */
  readonly accounts?: number;
  readonly perSecond: number;
  /** Bytes of data in each transaction. Default 0. */
  readonly dataBytes?: number;
  /** Of every sixteenth one: blocks of very unequal size. Default: as the others. */
  readonly bulkyDataBytes?: number;
}

export interface Traffic {
  /** Transactions submitted so far. */
  readonly submitted: number;
  /** Those that a node accepted into its mempool. */
  readonly accepted: number;
  stop(): void;
}

const ACCOUNTS = 8;
const BULKY_EVERY = 16;

/** Begins at once. Runs for the default chain, whose transactions it makes. */
export function startTraffic(world: World, options: TrafficOptions): Traffic {
  const { accounts = ACCOUNTS, perSecond, dataBytes = 0, bulkyDataBytes = dataBytes } = options;
  const random = world.random.fork("traffic");
  const keys = Array.from({ length: accounts }, (_, index) =>
    world.signatures.keyPairFromSeed(sha256(encodeCbor([`${world.seed}`, index]))),
  );
  let submitted = 0;
  let accepted = 0;
  const submit = (): void => {
    const up = world.nodes.filter((node) => node.up);
    const node = up[random.uint32() % up.length];
    if (node === undefined) return;
    const transaction = transfer(submitted++);
    node.network.broadcastTransaction(transaction).then(
      ({ ok }) => void (accepted += ok ? 1 : 0),
      // The node crashed or was busy, and says so: its user would try again.
      (error: unknown) => {
        if (!isCoded(error, "TIMEOUT") || node.stoodStill) return;
        world.report(`${node.name} never answered who submitted a transaction`);
      },
    );
  };
  const transfer = (index: number): Uint8Array => {
    const from = keys[index % accounts] as KeyPair;
    const to = keys[(index + 1) % accounts] as KeyPair;
    const fields = {
      sender: from.publicKey,
      recipient: to.publicKey,
      value: 1n,
      gasPrice: BigInt(1 + (random.uint32() % 100)),
      gasLimit: 21_000,
      nonce: Math.floor(index / accounts),
      timestampMs: Math.floor(world.nowMs),
      data: random.bytes(index % BULKY_EVERY === 0 ? bulkyDataBytes : dataBytes),
    };
    return signTransaction(fields, from.secretKey, world.signatures);
  };
  const stop = world.every(1_000 / perSecond, submit);
  return {
    get submitted() {
      return submitted;
    },
    get accepted() {
      return accepted;
    },
    stop,
  };
}
