// The TCP transport: a TCP carrier, with TLS 1.3 as its channel.

import type { NetworkConfig } from "../config.js";
import type { InboundLimitsConfig } from "./inbound-limits.js";
import { pairTransport, type PairedTransport } from "./paired-transport.js";
import { createTcpCarrier, type TcpCarrierOptions } from "./tcp-carrier.js";
import { createTlsChannel } from "./tls-channel.js";
import type { Identity } from "./tls-identity.js";

/** The part of NetworkConfig that this transport obeys. */
export interface TcpConfig {
  readonly handshake: Pick<NetworkConfig["handshake"], "timeoutMs">;
  readonly inbound: InboundLimitsConfig & Pick<NetworkConfig["inbound"], "handshakesPerSecond">;
  readonly lanes: Pick<NetworkConfig["lanes"], "socketBufferBytes">;
  readonly shutdown: Pick<NetworkConfig["shutdown"], "drainMs">;
  readonly tls: NetworkConfig["tls"];
}

export interface TcpTransportOptions extends TcpCarrierOptions {
  readonly identity: Pick<Identity, "privateKeyPem" | "certificatePem">;
  readonly config: TcpConfig;
}

export function createTcpTransport(options: TcpTransportOptions): PairedTransport {
  const { clock, identity, config } = options;
  return pairTransport({
    clock,
    carrier: createTcpCarrier(options),
    channel: createTlsChannel({
      clock,
      identity,
      tls: config.tls,
      bufferBytesMax: config.lanes.socketBufferBytes,
      closeTimeoutMs: config.shutdown.drainMs,
    }),
    admission: {
      limits: config.inbound,
      timeoutMs: config.handshake.timeoutMs,
      bytesMax: config.tls.handshakeBytesMax,
      perSecond: config.inbound.handshakesPerSecond,
    },
  });
}
