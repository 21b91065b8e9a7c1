// Who may become a peer: the rules that both sides hold a finished TLS handshake to, because node's
// `rejectUnauthorized: false` accepts almost anything. Pure but for the certificate it reads; used
// by the TCP transport in both directions.

import type { X509Certificate } from "node:crypto";

import { toHex } from "../bytes/hex.js";
import { isSmallOrder } from "../chain/signatures.js";
import type { PeerId, RefusalRule } from "../ports.js";

/** The one application protocol spoken here. */
export const ALPN_PROTOCOL = "vibecoin/1";

/** What a finished handshake established, as node:tls tells it. */
export interface HandshakeFacts {
  readonly tlsVersion: string | null;
  readonly alpn: string | false | null;
  readonly sessionReused: boolean;
  readonly certificate: X509Certificate | undefined;
}

export type Judgement =
  | { readonly ok: true; readonly peerId: PeerId }
  | { readonly ok: false; readonly rule: RefusalRule; readonly detail: string };

export function judgePeer(facts: HandshakeFacts): Judgement {
  if (facts.tlsVersion !== "TLSv1.3") {
    return refuse("tls-failed", `the version is ${facts.tlsVersion ?? "unknown"}, not TLSv1.3`);
  }
  // A resuming side proves no key and may see no certificate.
  if (facts.sessionReused) return refuse("session-reused", "the peer resumed an earlier session");
  if (facts.alpn !== ALPN_PROTOCOL) {
    return refuse("alpn", `the peer did not agree to ${ALPN_PROTOCOL}`);
  }
  if (facts.certificate === undefined) {
    return refuse("no-certificate", "the peer presented no certificate");
  }
  return judgeKey(facts.certificate);
}

/** The rule that a failed handshake broke, and a sentence part about it. */
export function judgeFailure(error: Error & { code?: string }): {
  readonly rule: RefusalRule;
  readonly detail: string;
} {
  // Both sides end here when one offers only protocols that the other does not know: the server by
  // its own decision, the client by the alert.
  const rule = /NO_APPLICATION_PROTOCOL/i.test(error.code ?? "") ? "alpn" : "tls-failed";
  return { rule, detail: error.code ?? error.message };
}

function judgeKey(certificate: X509Certificate): Judgement {
  let key: Buffer;
  try {
    const { publicKey } = certificate;
    if (publicKey.asymmetricKeyType !== "ed25519") {
      const type = publicKey.asymmetricKeyType ?? "unknown";
      return refuse("certificate-key-type", `the certificate's key is ${type}, not ed25519`);
    }
    key = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  } catch {
    return refuse("certificate-key-type", "the certificate's key cannot be read");
  }
  if (isSmallOrder(key)) return refuse("small-order-key", "the key is a point of small order");
  return { ok: true, peerId: toHex(key) };
}

function refuse(rule: RefusalRule, detail: string): Judgement {
  return { ok: false, rule, detail };
}
