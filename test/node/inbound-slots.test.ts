// Many identities of two networks against the inbound slots of a node with default limits: whoever
// comes from elsewhere gets in, stays, and is told why when it is its turn to go.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const SLOTS = 32;

/** Peers in 127.0.0.0/8 are as peers anywhere. */
async function victim(t: ExecutionContext, config: NetworkConfigInput = {}): Promise<Network> {
  t.timeout(120_000);
  const inbound = { exemptLocal: false };
  return startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", inbound, ...config });
}

/** Shakes hands; resolves when it was taken or refused. */
async function knock(
  t: ExecutionContext,
  node: Network,
  number: number,
  localAddress: string,
): Promise<RawPeer> {
  const address = node.listenAddress!;
  const peer = await RawPeer.connect({
    address,
    identity: identityOf(number),
    from: { localAddress },
  });
  t.teardown(() => peer.destroy());
  peer.send(handshakeInfo(NETWORK_ID));
  // What is sent to whoever was taken, and to nobody else.
  await peer.until(() => peer.ended || peer.received.some(({ kind }) => kind === "Ping"));
  return peer;
}

/** Of two networks by turns, four in each /24. */
function attackerAt(number: number): string {
  const place = Math.floor(number / 2);
  return `127.${1 + (number % 2)}.${Math.floor(place / 4)}.${1 + (place % 4)}`;
}

function here(peers: readonly RawPeer[]): number {
  return peers.filter(({ ended }) => !ended).length;
}

test("five hundred identities of two networks keep nobody out, and drive nobody out", async (t) => {
  const node = await victim(t);
  const attackers: RawPeer[] = [];
  const attack = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const number = attackers.length;
      attackers.push(await knock(t, node, 1_000 + number, attackerAt(number)));
    }
  };
  await attack(100);
  t.is(here(attackers), SLOTS);
  const honest = await Promise.all(
    Array.from({ length: 8 }, (_, i) => knock(t, node, 1 + i, `127.${100 + i}.0.1`)),
  );
  t.is(here(honest), 8, "each at its first try");
  await attack(400);
  t.is(here(honest), 8);
  t.true((await Promise.all(honest.map((peer) => peer.ping()))).every(Boolean));
  t.is(here(attackers), SLOTS - 8);
});

test("who is evicted hears why, is not punished, and may come back", async (t) => {
  const node = await victim(t, { maxInbound: 2 });
  const first = await knock(t, node, 1, "127.1.1.1");
  const second = await knock(t, node, 2, "127.1.2.1");
  const gone = nextEvent(node, "PeerDisconnected");
  const newcomer = await knock(t, node, 3, "127.2.1.1");
  t.like(await second.farewell(), {
    reason: "TooManyConnections",
    detail: "another peer needs the slot, of a network with fewer peers here",
  });
  t.like(await gone, { peerId: second.peerId, reason: "TooManyConnections", byPeer: false });
  t.deepEqual((await node.explainPeer(second.peerId)).entries, []);
  t.is(here([first, newcomer]), 2);
  first.destroy();
  await nextEvent(node, "PeerDisconnected");
  const back = await knock(t, node, 2, "127.1.2.1");
  t.false(back.ended);
});

test("trusted peers are not evicted", async (t) => {
  const trustedPeers = [2, 3].map((number) => identityOf(number).peerId);
  const node = await victim(t, { maxInbound: 2, trustedPeers });
  const trusted = [await knock(t, node, 2, "127.1.2.1"), await knock(t, node, 3, "127.1.3.1")];
  const others = [
    await knock(t, node, 4, "127.1.4.1"),
    await knock(t, node, 5, "127.1.5.1"),
    await knock(t, node, 6, "127.9.1.1"),
  ];
  await others[1]!.until(() => others[1]!.ended);
  t.is(here(others), 2);
  t.is(here(trusted), 2);
});
