// Floods against a listening node, one connection at a time each: bytes that cost the node much more
// than they cost to send. For the bench of hostile bytes.

import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import { parseAddress } from "../../src/protocol/address.js";
import { encodeMessage } from "../../src/protocol/codec/codec.js";
import { fragmentBytes } from "./frames.js";
import { handshakeInfo, identityOf } from "./raw-peer.js";
import { RecordPeer } from "./record-peer.js";
import { rsaChainOf } from "./rsa-chain.js";

export interface FloodTarget {
  /** `tcp://host:port` */
  readonly address: string;
  /** The hash of its genesis block. */
  readonly networkId: string;
  /** Another for every connection at a node: its identity follows from it. */
  readonly number: number;
  /** So long it saves up what it then sends at once. */
  readonly saveMs: number;
  /** Resolves when the flood is over. */
  readonly over: Promise<unknown>;
}

/** Each goes on until its connection is closed or the flood is over. */
type Flood = (target: FloodTarget) => Promise<void>;

const RSA_CERTIFICATES = 20;
const chains: ReturnType<typeof rsaChainOf>[] = [];

export const FLOODS = {
  /** An unfinished block, each byte in a record of its own. */
  "tiny-records": onceReady(tinyRecords),
  /** 55,000 a second, each with its keys: the `k` of `openssl s_client` makes 3,000. */
  "key-updates": onceReady(() => (peer) => peer.sendKeyUpdates(100)),
  /** A certificate chain that takes OpenSSL 100 ms, if it is let. */
  "rsa-chains": async ({ address, number, over }) => {
    // Making one takes longer than the attack.
    const chain = (chains[number % 4] ??= rsaChainOf(identityOf(number), RSA_CERTIFICATES));
    const { host, port } = parseAddress(address);
    const socket = connectTls({
      host,
      port,
      key: chain.privateKeyPem,
      cert: chain.certificatePem,
      ALPNProtocols: ["vibecoin/1"],
      rejectUnauthorized: false,
    });
    const closed = once(socket.on("error", () => undefined).resume(), "close");
    await Promise.race([closed, over]);
    socket.destroy();
  },
} as const satisfies Record<string, Flood>;

export type FloodName = keyof typeof FLOODS;
export const FLOOD_NAMES = Object.keys(FLOODS) as FloodName[];

/** Answers false when the peer takes no more for now. */
type Strike = (peer: RecordPeer) => boolean;

function tinyRecords(): Strike {
  const fragment = fragmentBytes("NewBlock", new Uint8Array(65_536), { more: true });
  let at = 0;
  return (peer) => {
    const part = fragment.subarray(at, at + 2_000);
    at = (at + part.length) % fragment.length;
    return peer.sendRecords(part, 1);
  };
}

/** A peer past its handshake that does this for as long as it may. */
function onceReady(begin: () => Strike): Flood {
  return async ({ address, networkId, number, saveMs, over }) => {
    const peer = await RecordPeer.connect({ address, identity: identityOf(number) });
    peer.raw.on("error", () => undefined);
    const hello = fragmentBytes("Handshake", encodeMessage(handshakeInfo(networkId)));
    peer.sendRecords(hello, hello.length);
    let ended = false;
    const end = Promise.race([peer.closed, over]).then(() => (ended = true));
    const strike = begin();
    peer.raw.cork();
    for (const endMs = performance.now() + saveMs; !ended && performance.now() < endMs;) {
      strike(peer);
      await new Promise(setImmediate);
    }
    peer.raw.uncork();
    while (!ended) {
      if (!strike(peer)) await Promise.race([peer.drained(), end]);
      await new Promise(setImmediate);
    }
    peer.destroy();
  };
}
