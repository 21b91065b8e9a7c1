// The tea chain on a simulated network: seven nodes, crashes and partitions, orders of a member and
// of a stranger. A rule of its own is checked throughout: no block serves a stranger. The second run
// forgets the members-only mempool on all nodes, and the simulator says where that shows.
import {
  createMempool,
  DEFAULTS,
  loadSignatures,
  readTransaction,
  type Network,
} from "vibecoin-network";
import { simulate, type SimulateOptions, type World, type WorldCheck } from "vibecoin-network/sim";
import { createMembersMempool, createTeaConsensus, teaParams } from "./tea-chain.js";
import { keyOf, orderTea } from "./tea-order.js";

const consensus = createTeaConsensus();
const [member, stranger] = [keyOf(1), keyOf(2)];
const members = [Buffer.from(member.publicKey).toString("hex")];

function headSenders(network: Network): string[] {
  const parts = consensus.rules.splitBlock(network.block(network.head().height)!);
  const transactions = parts.ok ? parts.value.transactions : [];
  return transactions.map((bytes) => {
    const read = readTransaction(bytes, teaParams);
    return read.ok ? Buffer.from(read.value.sender).toString("hex") : "unreadable";
  });
}

const noTeaForStrangers: WorldCheck = {
  name: "no tea for strangers",
  check({ nodes }) {
    const served = nodes.find(
      (node) => node.up && headSenders(node.network).some((id) => !members.includes(id)),
    );
    return served && `the head of ${served.name} serves one`;
  },
};

/** An order of each a second, at a random node that is up. */
function orders(world: World): void {
  let nonce = 0;
  world.every(1_000, () => {
    const up = world.nodes.filter((node) => node.up);
    const { network } = up[world.random.uint32() % up.length]!;
    for (const key of [member, stranger]) {
      const order = orderTea(key, nonce, Math.floor(world.nowMs));
      // Rejected when the node crashes meanwhile: that order is lost, as in real life.
      network.broadcastTransaction(order).catch(() => undefined);
    }
    nonce++;
  });
}

const options: SimulateOptions = {
  seed: "tea",
  nodes: 7,
  producers: 2,
  consensus,
  mempool: () => createMembersMempool({ members }),
  config: { producer: { attemptsPerTask: 256 } },
  signatures: await loadSignatures(),
  faults: "wild",
  traffic: orders,
  checks: [noTeaForStrangers],
};
const good = await simulate(options);
console.log(
  `members only: ${good.ok ? `${good.blocks} blocks, all checks hold` : good.violations[0]!.what}`,
);

const open = () => createMempool(DEFAULTS.mempool, (bytes) => readTransaction(bytes, teaParams));
const bad = await simulate({ ...options, mempool: open });
console.log(`open to all: ${bad.ok ? "all checks hold" : bad.violations[0]!.what}`);
