// Two nodes that chat over the connections of their network, by a protocol of their own.
import { startNetwork, type ServiceProtocol } from "vibecoin-network";

function chat(name: string, onLine: (line: string) => void): ServiceProtocol {
  return {
    name: "chat/1",
    kinds: {
      Say: { bytesMax: 1_000, perSecond: 10 },
      AskName: { bytesMax: 1, answerBytesMax: 100, perSecond: 1 },
    },
    onMessage({ kind, body }) {
      if (kind === "AskName") return Buffer.from(name);
      onLine(`${name} hears: ${Buffer.from(body).toString()}`);
    },
    async onPeer(peerId, link) {
      const answer = await link.ask(peerId, "AskName", Buffer.from("?"));
      if (answer.ok) link.send(peerId, "Say", Buffer.concat([Buffer.from("hello "), answer.body]));
    },
  };
}
const lines: string[] = [];
let end = (): void => undefined;
const heard = new Promise<void>((resolve) => (end = resolve));
const onLine = (line: string) => void (lines.push(line) === 2 && end());
const ann = await startNetwork({ bindAddr: "127.0.0.1:0" }, { protocols: [chat("Ann", onLine)] });
const seedPeers = [ann.listenAddress!];
const bob = await startNetwork({ seedPeers }, { protocols: [chat("Bob", onLine)] });
await heard;
console.log(lines.sort().join("\n"));
await Promise.all([ann.stop(), bob.stop()]);
