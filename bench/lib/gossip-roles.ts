// Who gossips in the gossip benches: nodes of ours, which check each transaction's signature once,
// in their pool; and the limit, a publisher that pushes the bytes to everybody over TLS 1.3, where
// the signature is checked and nothing else done.

import type { TLSSocket } from "node:tls";
import { sha256 } from "../../src/bytes/sha256.js";
import { toHex } from "../../src/bytes/hex.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import { readTransaction } from "../../src/chain/transaction.js";
import { networkParams, startNode } from "../../src/compose.js";
import { DEFAULTS } from "../../src/config.js";
import { invariant } from "../../src/errors.js";
import type { Network } from "../../src/network.js";
import { identityOf } from "../../test/support/raw-peer.js";
import { connectBare, listenBare, readFrames, writeFrame } from "./bare-tls.js";
import { serveRole } from "./child.js";
import { serveMember, type Swarm } from "./gossip-member.js";
import { TRANSACTION_BYTES } from "./gossip-size.js";
import { signedTransactions } from "./transactions.js";

function nodes(): void {
  const networks: Network[] = [];
  const swarm: Swarm = {
    async listen(count, onArrival) {
      for (let node = 0; node < count; node++) {
        const network = await startNode({
          bindAddr: "tcp://127.0.0.1:0",
          // Nine nodes share two cores, and no block takes transactions out of the mempool.
          pool: { threads: 1 },
          mempool: { countMax: 200_000 },
        });
        network.subscribe(["TransactionAccepted"], ({ id }) => onArrival(node, id));
        networks.push(network);
      }
      return networks.map(({ listenAddress }) => listenAddress!);
    },
    async dial(node, addresses) {
      void networks[node]!.connect(...addresses);
    },
    neighbours: () => Promise.all(networks.map(async (network) => (await network.peers()).length)),
    async prepare(count, run) {
      const transactions = await signedTransactions(count, TRANSACTION_BYTES, `gossip ${run}`);
      const [network] = networks;
      return {
        ids: transactions.map((transaction) => toHex(sha256(transaction))),
        publish(index) {
          // A node that has too much to do refuses, which the part that was delivered shows.
          network!.broadcastTransaction(transactions[index]!).catch(() => undefined);
        },
      };
    },
    async stop() {
      await Promise.all(networks.map((network) => network.stop()));
    },
  };
  serveMember(swarm);
}

/** Whoever came later has dialed the publisher, which writes to them all. */
function bare(): void {
  const subscribers: TLSSocket[] = [];
  let ports: readonly number[] = [];
  let onArrivalAt: (node: number, id: string) => void = () => undefined;
  const params = networkParams(DEFAULTS.network);
  const swarm: Swarm = {
    async listen(count, onArrival) {
      onArrivalAt = onArrival;
      const listening = Array.from({ length: count }, (_, node) =>
        listenBare(identityOf(node), (socket) => subscribers.push(socket)),
      );
      ports = await Promise.all(listening);
      return ports.map(String);
    },
    async dial(node, addresses) {
      const { verify } = await loadSignatures();
      for (const address of addresses) {
        const socket = await connectBare(Number(address), identityOf(node));
        readFrames(socket, (bytes) => {
          const read = readTransaction(bytes, params);
          invariant(read.ok, "a transaction");
          const { id, signature, body, sender } = read.value;
          invariant(verify(signature, body, sender), "a valid signature");
          onArrivalAt(node, toHex(id));
        });
      }
    },
    neighbours: () => Promise.resolve(ports.map(() => Infinity)),
    async prepare(count, run) {
      const transactions = await signedTransactions(count, TRANSACTION_BYTES, `gossip ${run}`);
      return {
        ids: transactions.map((transaction) => toHex(sha256(transaction))),
        publish(index) {
          for (const socket of subscribers) writeFrame(socket, transactions[index]!);
        },
      };
    },
    stop: () => Promise.resolve(),
  };
  serveMember(swarm);
}

serveRole({ nodes, bare });
