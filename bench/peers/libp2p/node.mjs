// The one js-libp2p configuration that all benches compare with, tuned as a good user would: windows
// of 1 MiB, no Nagle, no limits that a bench would meet, no logging, no pings of its own.

import "./polyfill.mjs";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { identify } from "@libp2p/identify";
import { noise } from "@libp2p/noise";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

const MIB = 2 ** 20;
const ENCRYPTERS = { noise, tls };
const SOCKET = { noDelay: true };

const quiet = Object.assign(() => undefined, {
  enabled: false,
  error: () => undefined,
  trace: () => undefined,
  newScope: () => quiet,
});

/** `encrypter`: noise or tls. `runIdentify`: exchange names when a connection opens, the default. */
export async function makeNode({
  listen = false,
  encrypter = "noise",
  runIdentify = true,
  services = {},
} = {}) {
  return createLibp2p({
    privateKey: await generateKeyPair("Ed25519"),
    logger: { forComponent: () => quiet },
    addresses: { listen: listen ? ["/ip4/127.0.0.1/tcp/0"] : [] },
    transports: [tcp({ dialOpts: SOCKET, listenOpts: SOCKET, backlog: 511 })],
    connectionEncrypters: [ENCRYPTERS[encrypter]()],
    streamMuxers: [
      yamux({
        maxInboundStreams: 4_096,
        maxOutboundStreams: 4_096,
        streamOptions: { initialStreamWindowSize: MIB, maxStreamWindowSize: 16 * MIB },
      }),
    ],
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: 10_000,
      maxIncomingPendingConnections: 1_000,
      inboundConnectionThreshold: Infinity,
      maxParallelDials: 200,
    },
    services: {
      identify: identify({ runOnConnectionOpen: runIdentify }),
      ping: ping({ maxInboundStreams: 4_096, maxOutboundStreams: 4_096 }),
      ...services,
    },
  });
}

export function addressOf(node) {
  return node.getMultiaddrs()[0].toString();
}

export function dial(node, address) {
  return node.dial(multiaddr(address));
}
