// A node that listens on several addresses at once: peers come in by each, and all of them know it.

import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import test, { type ExecutionContext } from "ava";
import { isCoded } from "../../src/errors.js";
import { parseAddress } from "../../src/protocol/address.js";
import { identityOf, RawPeer } from "../support/raw-peer.js";
import { startTestNode } from "./nodes.js";

const TWO = ["127.0.0.1:0", "tcp://127.0.0.2:0"];

async function toldAt(address: string): Promise<readonly string[]> {
  const peer = await RawPeer.connect({ address, identity: identityOf(1) });
  const handshake = await peer.message("Handshake");
  peer.destroy();
  return handshake!.listenAddresses;
}

/** A port that another process could hold. */
async function takenPort(t: ExecutionContext): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

test("peers come in by each address, and are told of all", async (t) => {
  const node = await startTestNode(t, { bindAddr: TWO });
  t.deepEqual(
    node.listenAddresses.map((text) => parseAddress(text).host),
    ["127.0.0.1", "127.0.0.2"],
  );
  t.is(node.listenAddress, node.listenAddresses[0]!);
  for (const address of node.listenAddresses) {
    t.deepEqual(await toldAt(address), node.listenAddresses);
  }
  const status = await node.status();
  t.like(status, { listenAddress: node.listenAddress, listenAddresses: node.listenAddresses });
});

test("one address is said as a text or as a list of one, and none as null or an empty list", async (t) => {
  for (const bindAddr of ["127.0.0.1:0", ["127.0.0.1:0"]]) {
    t.is((await startTestNode(t, { bindAddr })).listenAddresses.length, 1);
  }
  for (const bindAddr of [null, []]) {
    const node = await startTestNode(t, { bindAddr });
    t.deepEqual(node.listenAddresses, []);
    t.is(node.listenAddress, null);
    t.like(await node.status(), { listenAddress: null, listenAddresses: [] });
  }
});

test("an address that is taken is named, and none of the others stays bound", async (t) => {
  const [taken, free] = [await takenPort(t), await takenPort(t)];
  const bindAddr = [`127.0.0.2:${free}`, `127.0.0.1:${taken}`];
  const error = await t.throwsAsync(startTestNode(t, { bindAddr }), { code: "ADDRESS_IN_USE" });
  t.true(isCoded(error) && error.message.includes(`127.0.0.1:${taken}`));
  const again = await startTestNode(t, { bindAddr: `127.0.0.2:${free}` });
  t.is(again.listenAddress, `tcp://127.0.0.2:${free}`);
});

test("an address that another one covers, or that is said twice, is refused by its name", async (t) => {
  const probe = await startTestNode(t, { bindAddr: "127.0.0.2:0" });
  const { port } = parseAddress(probe.listenAddress!);
  await probe.stop();
  const covered = startTestNode(t, { bindAddr: [`0.0.0.0:${port}`, `127.0.0.1:${port}`] });
  await t.throwsAsync(covered, {
    code: "ADDRESS_IN_USE",
    message: `The address tcp://127.0.0.1:${port} is in use: this node listens on tcp://0.0.0.0:${port} already.`,
  });
  const twice = startTestNode(t, { bindAddr: ["127.0.0.1:1", "tcp://127.0.0.1:1"] });
  await t.throwsAsync(twice, { code: "ADDRESS_INVALID", message: /is given twice/ });
});

test("every address is checked before any is bound", async (t) => {
  for (const bad of ["ws://127.0.0.1:1", "127.0.0.1", `tcp://${"ab".repeat(32)}@127.0.0.1:1`]) {
    const start = startTestNode(t, { bindAddr: ["127.0.0.1:0", bad] });
    await t.throwsAsync(start, { code: "ADDRESS_INVALID" }, bad);
  }
  const many = Array.from({ length: 9 }, () => "127.0.0.1:0");
  await t.throwsAsync(startTestNode(t, { bindAddr: many }), {
    code: "CONFIG_INVALID",
    message: /bindAddr: must be a text or a list of at most 8 texts/,
  });
});
