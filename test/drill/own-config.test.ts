// What a drill changes in an operator's configuration, and says so: pure.

import test from "ava";
import { drillConfig } from "../../src/drill/own-config.js";

test("a drill listens on a free port of loopback and changes nothing without a word", (t) => {
  const { input, resolved, changes, keepsData } = drillConfig({
    bindAddr: "0.0.0.0:8765",
    seedPeers: ["203.0.113.7:8765"],
    dataDir: "/var/lib/vibecoin",
    network: "vibecoin-test",
    advertise: ["203.0.113.9:8765"],
    staticPeers: ["203.0.113.8:8765"],
    produce: true,
    mempool: { minGasPrice: 2 },
    inbound: { perGroupMax: 3 },
  });
  t.deepEqual(resolved.bindAddr, ["tcp://127.0.0.1:0"]);
  t.is(input.dataDir, null);
  t.true(keepsData);
  t.deepEqual(input.advertise, []);
  t.deepEqual([resolved.seedPeers, resolved.staticPeers], [[], []]);
  t.is(resolved.inbound.exemptLocal, false);
  t.is(resolved.inbound.perGroupMax, 3);
  t.is(resolved.mempool.minGasPrice, 2);
  t.deepEqual(
    changes.map((change) => change.slice(0, change.indexOf(":"))),
    [
      ...["bindAddr", "seedPeers", "inbound.exemptLocal", "network", "dataDir"],
      ...["advertise", "staticPeers", "produce"],
    ],
  );
});

test("what an operator said already is no change", (t) => {
  const { changes, keepsData } = drillConfig({ inbound: { exemptLocal: false } });
  t.deepEqual(
    changes.map((change) => change.slice(0, change.indexOf(":"))),
    ["bindAddr", "seedPeers"],
  );
  t.false(keepsData);
});

test("a node without room for the honest peers of a drill is refused with a sentence", (t) => {
  for (const input of [{ maxInbound: 2 }, { maxOutbound: 0 }]) {
    t.throws(() => drillConfig(input), { code: "CONFIG_INVALID", message: /at least 3 inbound/ });
  }
  t.throws(() => drillConfig({ maxInbound: -1 }), { code: "CONFIG_INVALID" });
});
