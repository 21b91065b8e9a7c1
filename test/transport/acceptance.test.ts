// The rules of acceptance one by one, where a real handshake cannot easily break them.

import { X509Certificate } from "node:crypto";
import test from "ava";

import { judgeFailure, judgePeer } from "../../src/transport/acceptance.js";
import type { HandshakeFacts } from "../../src/transport/acceptance.js";
import { certificateFor, rsaCredentials } from "./certificates.js";
import { identityOf } from "./support.js";

const GOOD: HandshakeFacts = {
  tlsVersion: "TLSv1.3",
  alpn: "vibecoin/1",
  sessionReused: false,
  certificate: new X509Certificate(identityOf(4).certificatePem),
};

function ruleOf(facts: Partial<HandshakeFacts>): string {
  const judgement = judgePeer({ ...GOOD, ...facts });
  return judgement.ok ? "accepted" : judgement.rule;
}

test("a handshake that keeps every rule yields the key as the peer id", (t) => {
  t.deepEqual(judgePeer(GOOD), { ok: true, peerId: identityOf(4).peerId });
});

test("each broken rule is named", (t) => {
  t.is(ruleOf({ tlsVersion: "TLSv1.2" }), "tls-failed");
  t.is(ruleOf({ tlsVersion: null }), "tls-failed");
  t.is(ruleOf({ sessionReused: true }), "session-reused");
  t.is(ruleOf({ alpn: false }), "alpn");
  t.is(ruleOf({ alpn: null }), "alpn");
  t.is(ruleOf({ alpn: "vibecoin/2" }), "alpn");
  t.is(ruleOf({ certificate: undefined }), "no-certificate");
  const rsa = new X509Certificate(rsaCredentials().cert);
  t.is(ruleOf({ certificate: rsa }), "certificate-key-type");
});

test("keys of small order are refused in every encoding, with either sign bit", (t) => {
  const hex = [
    "00".repeat(32),
    `01${"00".repeat(31)}`,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    `ec${"ff".repeat(30)}7f`,
    `ed${"ff".repeat(30)}7f`,
    `ee${"ff".repeat(30)}7f`,
  ];
  for (const sign of [0, 0x80]) {
    for (const key of hex.map((text) => Buffer.from(text, "hex"))) {
      key[31] = (key[31] ?? 0) | sign;
      const certificate = new X509Certificate(certificateFor(key));
      t.is(ruleOf({ certificate }), "small-order-key", key.toString("hex"));
    }
  }
  const honest = Buffer.from(identityOf(4).peerId, "hex");
  t.is(ruleOf({ certificate: new X509Certificate(certificateFor(honest)) }), "accepted");
});

test("a failed handshake is about ALPN only when TLS says so", (t) => {
  const failure = (code: string): string =>
    judgeFailure(Object.assign(new Error("failed"), { code })).rule;
  t.is(failure("ERR_SSL_NO_APPLICATION_PROTOCOL"), "alpn");
  t.is(failure("ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL"), "alpn");
  t.is(failure("ERR_SSL_WRONG_VERSION_NUMBER"), "tls-failed");
  t.is(judgeFailure(new Error("no code")).detail, "no code");
});
