import test from "ava";
import { fromHex, toHex } from "../../src/bytes/hex.js";
import {
  isSmallOrder,
  loadBackend,
  loadSignatures,
  type SignatureScheme,
} from "../../src/chain/signatures.js";
import { optionalVectors, ownVectors } from "../support/vectors.js";
import { smallOrderEncodings } from "../support/edwards.js";

const wasm = await loadBackend("libsodium-wrappers");
const native = await loadBackend("sodium-native").catch(() => undefined);
const backends: SignatureScheme[] = native === undefined ? [wasm] : [native, wasm];

interface Rfc8032 {
  readonly seed: string;
  readonly publicKey: string;
  readonly message: string;
  readonly signature: string;
}
const vectors = ownVectors<Rfc8032[]>("ed25519-rfc8032.json");

/** The one verdict of all backends. */
function verdict(signature: string, message: string, publicKey: string): boolean {
  const verdicts = backends.map((backend) =>
    backend.verify(fromHex(signature), fromHex(message), fromHex(publicKey)),
  );
  if (new Set(verdicts).size !== 1) throw new Error(`backends disagree on ${signature}`);
  return verdicts[0]!;
}

test("the scheme of this process is native where that has a build", async (t) => {
  const scheme = await loadSignatures();
  t.is(scheme.backend, native === undefined ? "libsodium-wrappers" : "sodium-native");
  t.is(await loadSignatures(), scheme);
});

for (const backend of backends) {
  test(`${backend.backend} signs and verifies the vectors of RFC 8032`, (t) => {
    for (const { seed, publicKey, message, signature } of vectors) {
      const pair = backend.keyPairFromSeed(fromHex(seed));
      t.is(toHex(pair.publicKey), publicKey);
      t.is(toHex(backend.sign(fromHex(message), pair.secretKey)), signature);
      t.true(backend.verify(fromHex(signature), fromHex(message), pair.publicKey));
    }
  });

  test(`${backend.backend} refuses, and never throws for, changed bytes and lengths`, (t) => {
    const { message, publicKey, signature } = vectors[2]!;
    const parts = [signature, message, publicKey].map(fromHex) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    t.true(backend.verify(...parts));
    parts.forEach((part, which) => {
      for (let bit = 0; bit < part.length * 8; bit += 37) {
        const changed = [...parts] as typeof parts;
        changed[which] = part.slice();
        changed[which][bit >> 3]! ^= 1 << (bit & 7);
        t.false(backend.verify(...changed), `part ${which}, bit ${bit}`);
      }
      for (const length of [0, part.length - 1, part.length + 1]) {
        const changed = [...parts] as typeof parts;
        changed[which] = new Uint8Array(length);
        t.false(backend.verify(...changed));
      }
    });
    t.throws(() => backend.sign(parts[1], new Uint8Array(63)));
    t.throws(() => backend.keyPairFromSeed(new Uint8Array(31)));
  });
}

test("exactly the points of small order are small, in each of their encodings", (t) => {
  const encodings = smallOrderEncodings();
  t.is(encodings.length, 14);
  const forged = "00".repeat(32);
  for (const key of encodings) {
    t.true(isSmallOrder(fromHex(key)), key);
    // The neutral element as R and s = 0: valid under such a key wherever this is not refused.
    t.false(verdict(`01${"00".repeat(31)}${forged}`, "616263", key));
  }
  for (const { publicKey } of vectors) t.false(isSmallOrder(fromHex(publicKey)));
  t.false(isSmallOrder(new Uint8Array(31)));
  t.false(isSmallOrder(fromHex(`02${"00".repeat(31)}`)));
});

interface SpecCheck {
  readonly message: string;
  readonly pub_key: string;
  readonly signature: string;
}

test("all backends give libsodium's verdict on edge cases", (t) => {
  const cases = optionalVectors<SpecCheck[]>("ed25519-speccheck.json");
  if (cases === undefined) {
    t.log("skipped: the optional collection of edge cases is absent");
    t.pass();
    return;
  }
  const accepted = cases.map((c) => verdict(c.signature, c.message, c.pub_key));
  // 0–2 small order, 4–5 cofactored only, 6–7 s not reduced, 8–11 encodings not canonical.
  t.deepEqual(
    accepted.flatMap((ok, index) => (ok ? [index] : [])),
    [3],
  );
});

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string };
    readonly tests: readonly { msg: string; sig: string; result: string; tcId: number }[];
  }[];
}

test("all backends agree with Wycheproof", (t) => {
  const cases = optionalVectors<Wycheproof>("ed25519-wycheproof.json");
  if (cases === undefined) {
    t.log("skipped: the optional collection of Wycheproof is absent");
    t.pass();
    return;
  }
  for (const { publicKey, tests } of cases.testGroups) {
    for (const { msg, sig, result, tcId } of tests) {
      t.is(verdict(sig, msg, publicKey.pk), result === "valid", `case ${tcId}`);
    }
  }
});
