// A peer's texts wherever an operator meets them: log, terminal, HTTP, metrics.

import { PassThrough } from "node:stream";
import test from "ava";
import { openHttpServer } from "../../src/api/server.js";
import { openTerminal } from "../../src/cli/terminal.js";
import { createLog } from "../../src/log.js";
import type { Log } from "../../src/ports.js";
import { systemClock } from "../../src/runtime/clock.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { nextEvent, startTestNode } from "./nodes.js";

const EVIL = "\u202Elive\u2066\u200B\u{E0041}\u2028";
const UNSAFE = /[\p{Cf}\p{Co}\p{Zl}\p{Zp}]/u;

test("what a peer calls itself and says at the end is shown escaped everywhere", async (t) => {
  const lines: string[] = [];
  const json: string[] = [];
  const destination = { write: (line: string) => void json.push(line) };
  const toJson = createLog({ level: "debug", destination, clock: systemClock });
  const log: Log = {
    write(level, event, fields) {
      lines.push(JSON.stringify([event, fields]));
      toJson.write(level, event, fields);
    },
  };
  const node = await startTestNode(t, { bindAddr: "127.0.0.1:0" }, { log });
  const http = await openHttpServer({ address: "127.0.0.1:0", network: node, log });
  t.teardown(() => http.close());
  const peer = await RawPeer.connect({ address: node.listenAddress!, identity: identityOf(1) });
  t.teardown(() => peer.destroy());
  const connected = nextEvent(node, "PeerConnected");
  peer.send(handshakeInfo(node.head().hash, { agent: EVIL, nodeId: EVIL }));
  t.is((await connected).nodeId, EVIL, "an event is data, not text to show");
  const answers = await Promise.all(
    ["/status", "/metrics", `/peers/${peer.peerId}`, `/blocks/${encodeURI(EVIL)}`].map(
      async (path) => (await fetch(http.address + path)).text(),
    ),
  );
  t.true(answers[0]!.includes("\\\\u{202e}live"));
  for (const answer of answers) t.notRegex(answer, UNSAFE);

  const left = nextEvent(node, "PeerDisconnected");
  // A session would send no control characters.
  peer.write({ kind: "Disconnect", reason: "Shutdown", detail: EVIL });
  await left;
  t.true(lines.join("").includes("\\\\u{202e}live"));
  t.notRegex(lines.join("") + json.join(""), UNSAFE);

  const stream = Object.assign(new PassThrough(), { isTTY: true, hasColors: () => false });
  const terminal = openTerminal(stream as unknown as NodeJS.WriteStream);
  for (const line of json) terminal.write(line);
  const shown = String(stream.read());
  t.true(shown.includes("\\u{202e}live"));
  t.notRegex(shown, UNSAFE);
});
