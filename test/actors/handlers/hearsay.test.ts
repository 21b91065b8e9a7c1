import test from "ava";
import { judgeHearsay, toldTo } from "../../../src/actors/handlers/hearsay.js";
import { parseAddress, type Reach } from "../../../src/protocol/address.js";

function judged(addresses: readonly string[], takesLocal = true) {
  const { taken, dropped } = judgeHearsay(addresses.map(parseAddress), takesLocal);
  return { taken: taken.map(({ host, port }) => `${host}:${port}`), dropped: [...dropped] };
}

test("ports where others than nodes listen are dropped", (t) => {
  for (const port of [1, 25, 53, 443, 1_023]) {
    t.deepEqual(judged([`8.8.8.8:${port}`]), { taken: [], dropped: [["port", 1]] });
  }
  t.deepEqual(judged(["8.8.8.8:1024"]), { taken: ["8.8.8.8:1024"], dropped: [] });
});

test("local places are dropped where none are wanted", (t) => {
  const local = ["10.0.0.1:8765", "127.0.0.1:8765", "[fd00::1]:8765"];
  t.is(judged(local).taken.length, 3);
  t.deepEqual(judged([...local, "8.8.8.8:8765"], false), {
    taken: ["8.8.8.8:8765"],
    dropped: [["local", 3]],
  });
});

test("of a public host an answer brings one place, of a private one each once", (t) => {
  const victim = Array.from({ length: 256 }, (_, index) => `8.8.8.8:${10_000 + index}`);
  t.deepEqual(judged(victim), { taken: ["8.8.8.8:10000"], dropped: [["repeated", 255]] });
  const own = ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8001"];
  t.deepEqual(judged(own), {
    taken: ["127.0.0.1:8001", "127.0.0.1:8002"],
    dropped: [["repeated", 1]],
  });
});

test("a peer is told what means the same where it is", (t) => {
  const known = [
    "8.8.8.8:8765",
    "10.0.0.1:8765",
    "127.0.0.1:8765",
    "node.example:8765",
    "[fe80::1%eth0]:8765",
  ];
  const told = (asker: Reach) => toldTo(known.map(parseAddress), asker).map(({ host }) => host);
  t.deepEqual(told("public"), ["8.8.8.8"]);
  t.deepEqual(told("local"), ["8.8.8.8", "10.0.0.1"]);
  t.deepEqual(told("loopback"), ["8.8.8.8", "10.0.0.1", "127.0.0.1"]);
  t.deepEqual(told("none"), ["8.8.8.8"]);
});
