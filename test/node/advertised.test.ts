// What a node tells its peers of where it can be dialed, read off its handshake at the wire.

import test, { type ExecutionContext } from "ava";
import type { NetworkConfigInput } from "../../src/config.js";
import { identityOf, RawPeer } from "../support/raw-peer.js";
import { startTestNode } from "./nodes.js";

async function advertised(
  t: ExecutionContext,
  config: NetworkConfigInput,
): Promise<{ readonly told: readonly string[]; readonly port: string }> {
  const node = await startTestNode(t, config);
  const port = /\d+$/.exec(node.listenAddress!)![0];
  const address = `tcp://127.0.0.1:${port}`;
  const peer = await RawPeer.connect({ address, identity: identityOf(1) });
  const handshake = await peer.message("Handshake");
  peer.destroy();
  return { told: handshake!.listenAddresses, port };
}

test("a node advertises the address that it is bound to, with its scheme and the real port", async (t) => {
  const { told, port } = await advertised(t, { bindAddr: "127.0.0.1:0" });
  t.deepEqual(told, [`tcp://127.0.0.1:${port}`]);
});

test("a node that listens on all interfaces advertises none of its own accord", async (t) => {
  for (const bindAddr of ["0.0.0.0:0", "tcp://0.0.0.0:0"]) {
    t.deepEqual((await advertised(t, { bindAddr })).told, [], bindAddr);
  }
});

test("what the operator says is advertised in place of it, in its one form", async (t) => {
  const advertise = ["Node.Example:8765", "tcp://[2001:DB8::1]:8765"];
  const { told } = await advertised(t, { bindAddr: "0.0.0.0:0", advertise });
  t.deepEqual(told, ["tcp://node.example:8765", "tcp://[2001:db8::1]:8765"]);
});

test("an address that nobody else can dial is refused at the start", async (t) => {
  for (const address of ["0.0.0.0:8765", "[::]:8765", "192.0.2.1:0", "[fe80::1%eth0]:8765"]) {
    const start = startTestNode(t, { bindAddr: "127.0.0.1:0", advertise: [address] });
    await t.throwsAsync(start, { code: "ADDRESS_INVALID" }, address);
  }
});
