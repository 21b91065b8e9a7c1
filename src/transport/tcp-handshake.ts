// A TLS handshake as both ends of the TCP transport watch it: one judgement, whatever happens.

import { constants } from "node:crypto";
import type { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { SecureContext, TLSSocket } from "node:tls";

import { judgeFailure, judgePeer } from "./acceptance.js";
import type { Judgement } from "./acceptance.js";
import type { TcpFeed } from "./tcp-feed.js";
import type { Identity } from "./tls-identity.js";

/** What both ends demand of TLS. */
export function createTlsContext(
  identity: Pick<Identity, "privateKeyPem" | "certificatePem">,
): SecureContext {
  return createSecureContext({
    key: identity.privateKeyPem,
    cert: identity.certificatePem,
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
export function watchHandshake(
  tls: TLSSocket,
  feed: TcpFeed,
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
export function ignore(): void {
  // Nothing to do.
}
