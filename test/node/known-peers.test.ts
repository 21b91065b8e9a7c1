// What a node knows of its peers after a restart, over real sockets and a data directory.

import test from "ava";
import { temporaryDirectory } from "../cli/child.js";
import { nextEvent, startTestNode } from "./nodes.js";

const listening = { bindAddr: "127.0.0.1:0" };

test("a node that is started again dials whom it found before, without a seed", async (t) => {
  const dataDir = await temporaryDirectory(t);
  const other = await startTestNode(t, listening);
  const config = { dataDir, dial: { onlyConfigured: false } };
  const node = await startTestNode(t, config);
  await node.connect(...other.listenAddresses);
  await node.stop();
  const met = nextEvent(other, "PeerConnected");
  const again = await startTestNode(t, config);
  t.is((await met).peerId, again.peerId);
  await again.stop();
});
