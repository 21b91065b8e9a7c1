// The budget of old blocks at the wire: what leaves counts, and nobody's that is asked for and not read.

import test from "ava";
import { genesisOf } from "../../src/compose.js";
import { makeChain, makeKey, makeTransaction } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, startTestNode, storeOf, until } from "./nodes.js";

const MIB = 1_024 * 1_024;
/** Of 240 KB, years old. */
const chain = makeChain(12, {
  transactions: Array.from({ length: 4 }, (_, number) =>
    makeTransaction(makeKey(number + 1), 0, { data: new Uint8Array(60_000) }),
  ),
});

test("a peer that asks for old blocks and reads none takes nothing of what others are served", async (t) => {
  t.timeout(60_000);
  const node = await startTestNode(
    t,
    { bindAddr: "tcp://127.0.0.1:0", limits: { historyBytesPerDay: MIB } },
    { blockStore: await storeOf(chain) },
  );
  const join = async (number: number): Promise<RawPeer> => {
    const identity = identityOf(number);
    const peer = await RawPeer.connect({ address: node.listenAddress!, identity });
    t.teardown(() => peer.destroy());
    peer.send(handshakeInfo(genesisOf(consensus).header.hash));
    await peer.message("Handshake");
    return peer;
  };
  const usedBytes = async (): Promise<number> => (await node.status()).limits.history.usedBytes;
  const deaf = await join(1);
  deaf.deafen();
  for (const [index, { header }] of chain.entries()) {
    deaf.write({ kind: "RequestBlock", hash: header.hash }, index + 1);
  }
  // Its first window is sent, and nothing follows: it grants no more.
  await until(async () => (await usedBytes()) > 200_000);
  const honest = await join(2);
  const asked = await honest.ask({ kind: "RequestBlock", hash: chain[0]!.header.hash });
  t.true(asked.ok, JSON.stringify(asked).slice(0, 200));
  t.true((await usedBytes()) <= MIB / 2, `${await usedBytes()}`);

  const outcomes: boolean[] = [];
  for (const { header } of chain) {
    const { ok } = await honest.ask({ kind: "RequestBlock", hash: header.hash });
    outcomes.push(ok);
  }
  t.true(outcomes[0]);
  t.false(outcomes.at(-1), "what it read itself is counted");
});
