// TLS 1.3 with mutual self-signed ed25519 certificates, over any of node's streams: the channel of
// everything that is dialed by an address. Both sides hold a finished handshake to the rules of
// acceptance.ts; raw bytes go through a TlsFeed, which judges them before OpenSSL works on them.

import { constants } from "node:crypto";
import type { X509Certificate } from "node:crypto";
import { connect as connectTls, createSecureContext, TLSSocket } from "node:tls";
import type { SecureContext } from "node:tls";

import type { NetworkConfig } from "../config.js";
import { ALPN_PROTOCOL, judgeFailure, judgePeer } from "./acceptance.js";
import type { Judgement } from "./acceptance.js";
import type { RawDuplex } from "./carrier.js";
import type { Channel, Held } from "./channel.js";
import { StreamConnection, type StreamLimits } from "./stream-connection.js";
import { TlsFeed } from "./tls-feed.js";
import { watchForHello } from "./tls-hello.js";
import type { Identity } from "./tls-identity.js";
import { TlsTurns } from "./tls-turns.js";

export interface TlsChannelOptions extends StreamLimits {
  readonly identity: Pick<Identity, "privateKeyPem" | "certificatePem">;
  readonly tls: NetworkConfig["tls"];
}

export function createTlsChannel(options: TlsChannelOptions): Channel<RawDuplex> {
  const secureContext = createTlsContext(options.identity);
  const turns = new TlsTurns(options.clock);
  return {
    watch: watchForHello,
    secure(raw, securing) {
      const { spend, onClosed } = securing;
      const feed = new TlsFeed({ raw: raw.duplex, limits: options.tls, turns, spend });
      const inbound = raw.direction === "inbound";
      const tls = inbound ? acceptTls(feed, secureContext) : dialTls(feed, secureContext);
      const finished = inbound ? "secure" : "secureConnect";
      const held = new HeldTls(tls, feed);
      watchHandshake(tls, feed, finished, (judgement) => {
        if (!judgement.ok) {
          tls.destroy();
          securing.onRefused(judgement);
          return;
        }
        const { peerId } = judgement;
        const secured = new StreamConnection({ stream: tls, raw, peerId, limits: options });
        // Where a server-side TLSSocket without a tls.Server reports TLS errors after the handshake.
        tls.on("_tlsError", secured.fail);
        feed.secured(secured.refuse);
        held.connection = secured;
        securing.onSecured(secured);
      });
      tls.once("close", onClosed);
      return held;
    },
  };
}

/** No closures: they would keep all that the handshake was about as long as the connection is open. */
class HeldTls implements Held {
  connection: StreamConnection | undefined;
  readonly #tls: TLSSocket;
  readonly #feed: TlsFeed;

  constructor(tls: TLSSocket, feed: TlsFeed) {
    this.#tls = tls;
    this.#feed = feed;
  }

  destroy(): void {
    this.#tls.destroy();
  }

  /** Plain, and encrypted. */
  unsent(): { readonly bytes: number; readonly ended: boolean } {
    const bytes = this.#tls.writableLength + this.#feed.unsentBytes;
    return { bytes, ended: this.connection?.ended === true };
  }
}

function acceptTls(feed: TlsFeed, secureContext: SecureContext): TLSSocket {
  return new TLSSocket(feed, {
    isServer: true,
    secureContext,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: [ALPN_PROTOCOL],
  });
}

function dialTls(feed: TlsFeed, secureContext: SecureContext): TLSSocket {
  return connectTls({
    socket: feed,
    secureContext,
    ALPNProtocols: [ALPN_PROTOCOL],
    rejectUnauthorized: false,
  });
}

/** What both ends demand of TLS. */
function createTlsContext({
  privateKeyPem,
  certificatePem,
}: TlsChannelOptions["identity"]): SecureContext {
  return createSecureContext({
    key: privateKeyPem,
    cert: certificatePem,
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    ciphers: "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384",
    ecdhCurve: "X25519",
    // Node keeps no session on the server's side either, so none can ever be resumed.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
}

/**
 * Calls `done` once, with the judgement of the handshake. `finished` is the event of its success:
 * `secureConnect` on a client, `secure` on a server-side socket that no tls.Server owns.
 */
function watchHandshake(
  tls: TLSSocket,
  feed: TlsFeed,
  finished: "secure" | "secureConnect",
  done: (judgement: Judgement) => void,
): void {
  let settled = false;
  const settle = (judgement: Judgement): void => {
    if (settled) return;
    settled = true;
    tls.off(finished, onFinished).off("close", onClose);
    tls.off("error", onError).on("error", ignore);
    done(judgement);
  };
  const onError = (error: Error): void => settle({ ok: false, ...judgeFailure(error) });
  const onClose = (): void =>
    settle({ ok: false, rule: "tls-failed", detail: "the peer closed during the handshake" });
  const onFinished = (): void =>
    settle(
      judgePeer({
        tlsVersion: tls.getProtocol(),
        alpn: tls.alpnProtocol,
        sessionReused: tls.isSessionReused(),
        certificate: certificateOf(tls),
      }),
    );
  feed.attach(tls, ({ rule, detail }) => settle({ ok: false, rule, detail }));
  tls.on(finished, onFinished).on("close", onClose).on("error", onError);
}

/** One that cannot be read is none. */
function certificateOf(tls: TLSSocket): X509Certificate | undefined {
  try {
    return tls.getPeerX509Certificate();
  } catch {
    return undefined;
  }
}

/** For sockets that errored: they close, and whoever watches them learns why there. */
function ignore(): void {
  // Nothing to do.
}
