// Ever new keys from one address group against a whole node: a new key is no clean slate while its
// neighbours misbehave, and who is honest loses little by them.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import type { Identity } from "../../src/transport/tls-identity.js";
import { makeBlock, makeKey, makeTransaction } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode, until } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const inbound = { exemptLocal: false, perAddressPerSecond: 1_000 };

/** A block whose one transaction nobody signed: found in the pool, by its bytes. */
function forgedBlock(number: number): Uint8Array {
  const transaction = makeTransaction(makeKey(1), number).slice();
  transaction[transaction.length - 1]! ^= 1;
  return makeBlock({ transactions: [transaction] }).bytes;
}

class Target {
  readonly node: Network;
  readonly #t: ExecutionContext;
  #identities = 0;

  constructor(t: ExecutionContext, node: Network) {
    this.#t = t;
    this.node = node;
  }

  /** A peer under a key that was never seen, past its handshake; undefined: it was refused. */
  async join(
    localAddress: string,
    identity = identityOf(++this.#identities),
  ): Promise<RawPeer | undefined> {
    const address = this.node.listenAddress!;
    const peer = await RawPeer.connect({ address, identity, from: { localAddress } });
    this.#t.teardown(() => peer.destroy());
    peer.send(handshakeInfo(NETWORK_ID));
    const handshake = await peer.message("Handshake");
    if (handshake === undefined) return undefined;
    await until(() => peer.ended || this.#isHere(peer));
    return peer.ended ? undefined : peer;
  }

  /** Of whoever came under it before. */
  identityOf(peerId: string): Identity {
    const all = Array.from({ length: this.#identities }, (_, index) => identityOf(index + 1));
    return all.find((identity) => identity.peerId === peerId)!;
  }

  /** It pushes an invalid block, and is gone for it. */
  async misbehave(peer: RawPeer): Promise<void> {
    const banned = nextEvent(this.node, "PeerBanned", ({ peerId }) => peerId === peer.peerId);
    peer.send({ kind: "NewBlock", block: forgedBlock(this.#identities) });
    await banned;
    await peer.closed;
  }

  async #isHere({ peerId }: RawPeer): Promise<boolean> {
    return (await this.node.peers()).some((report) => report.peerId === peerId);
  }
}

/** With three peers of other groups: over the floor of peers. */
async function target(t: ExecutionContext, config: NetworkConfigInput = {}): Promise<Target> {
  t.timeout(60_000);
  const bindAddr = "tcp://127.0.0.1:0";
  const node = await startTestNode(t, { bindAddr, inbound, ...config });
  const target = new Target(t, node);
  for (const group of [1, 2, 3]) t.truthy(await target.join(`127.1.${group}.1`));
  return target;
}

test("ever new keys of one group get no further than two of them, others come in as before", async (t) => {
  const victim = await target(t);
  const neighbour = (await victim.join("127.9.9.200"))!;
  let admitted = 0;
  for (let i = 1; i <= 12; i++) {
    const attacker = await victim.join(`127.9.9.${i}`);
    if (attacker === undefined) continue;
    admitted++;
    await victim.misbehave(attacker);
  }
  t.is(admitted, 2, "the first may have been an accident");
  t.truthy(await victim.join("127.9.10.1"), "the next group is another one");
  t.true(await neighbour.ping(), "who was here before stays");
  const { class: named, group } = await victim.node.explainPeer(neighbour.peerId);
  t.is(named, "good");
  t.like(group, { group: "127.9.9.0/24", offenders: 2 });
  t.true(group!.restsForMs > 0);
});

test("whoever is new in a group with an offender starts on probation, and is let in", async (t) => {
  const victim = await target(t);
  await victim.misbehave((await victim.join("127.9.9.1"))!);
  const newcomer = (await victim.join("127.9.9.2"))!;
  await until(async () => (await victim.node.explainPeer(newcomer.peerId)).class === "probation");
  const other = (await victim.join("127.9.10.1"))!;
  t.is((await victim.node.explainPeer(other.peerId)).class, "good");
  const { entries } = await victim.node.explainPeer(newcomer.peerId);
  t.like(entries, [{ event: "BadNeighbours" }]);
});

test("whom the operator unbans comes in again, whatever others of its group did", async (t) => {
  const victim = await target(t);
  const offenders: RawPeer[] = [];
  for (const host of ["127.9.9.1", "127.9.9.2"]) offenders.push((await victim.join(host))!);
  for (const offender of offenders) await victim.misbehave(offender);
  const [{ peerId }] = offenders as [RawPeer];
  t.is(await victim.join("127.9.9.3"), undefined, "the group rests");
  t.true(await victim.node.unbanPeer(peerId));
  t.is((await victim.node.explainPeer(peerId)).group, null);
  t.truthy(await victim.join("127.9.9.1", victim.identityOf(peerId)));
  t.false(await victim.node.unbanPeer(peerId), "nothing keeps it out");
});

test("with few peers, or where local addresses are exempt, no group is kept out", async (t) => {
  const few = await target(t, { reputation: { peersFloor: 5 } });
  const exempt = await target(t, { inbound: { ...inbound, exemptLocal: true } });
  for (const victim of [few, exempt]) {
    for (let i = 1; i <= 4; i++) {
      const attacker = await victim.join(`127.9.9.${i}`);
      t.truthy(attacker);
      await victim.misbehave(attacker!);
    }
  }
});
