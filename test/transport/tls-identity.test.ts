// The identity of a node: its key, its certificate, and the two files that keep them.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";

import { isCoded } from "../../src/errors.js";
import { seededRandom } from "../../src/runtime/random.js";
import {
  createIdentity,
  generateSeed,
  loadOrCreateIdentity,
  seedOf,
} from "../../src/transport/tls-identity.js";

const random = seededRandom(5);

async function scratch(t: ExecutionContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "identity-"));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  return join(dir, "keys");
}

test("a seed gives the ed25519 public key of RFC 8032 as the peer id", (t) => {
  const seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
  const { peerId } = createIdentity(Buffer.from(seed, "hex"));
  t.is(peerId, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
});

test("one seed is one certificate, another seed another", (t) => {
  const one = createIdentity(new Uint8Array(32).fill(1));
  t.deepEqual(createIdentity(new Uint8Array(32).fill(1)), one);
  t.not(createIdentity(new Uint8Array(32).fill(2)).certificatePem, one.certificatePem);
});

test("the certificate is valid, signed by its own key, and practically never expires", (t) => {
  const identity = createIdentity(generateSeed(random));
  const certificate = new X509Certificate(identity.certificatePem);
  t.true(certificate.verify(certificate.publicKey));
  t.true(certificate.checkPrivateKey(createPrivateKey(identity.privateKeyPem)));
  t.is(certificate.subject, "CN=vibecoin");
  t.is(certificate.issuer, certificate.subject);
  t.true(Date.parse(certificate.validFrom) < Date.UTC(2021, 0));
  t.true(Date.parse(certificate.validTo) > Date.UTC(9999, 0));
});

test("a seed survives its PEM; other keys have none", (t) => {
  const seed = generateSeed(random);
  t.deepEqual(seedOf(createIdentity(seed).privateKeyPem), seed);
  t.is(seedOf("nonsense"), undefined);
});

test("a seed of another length is a programmer's mistake", (t) => {
  t.throws(() => createIdentity(new Uint8Array(31)), { message: /32 bytes/ });
});

test("an identity is made once and kept, its key for the owner alone", async (t) => {
  const dir = await scratch(t);
  const made = await loadOrCreateIdentity(dir, random);
  t.deepEqual(await loadOrCreateIdentity(dir, random), made);
  t.deepEqual((await readdir(dir)).sort(), ["node.cert", "node.key"]);
  t.is((await stat(join(dir, "node.key"))).mode & 0o777, 0o600);
});

test("a missing certificate is made again from the key", async (t) => {
  const dir = await scratch(t);
  const made = await loadOrCreateIdentity(dir, random);
  await rm(join(dir, "node.cert"));
  t.deepEqual(await loadOrCreateIdentity(dir, random), made);
  t.is(await readFile(join(dir, "node.cert"), "utf8"), made.certificatePem);
});

test("a damaged file is named and left as it is", async (t) => {
  for (const name of ["node.key", "node.cert"]) {
    const dir = await scratch(t);
    await loadOrCreateIdentity(dir, random);
    const path = join(dir, name);
    const damaged = (await readFile(path, "utf8")).slice(0, 60);
    await writeFile(path, damaged);
    const error = await t.throwsAsync(loadOrCreateIdentity(dir, random));
    t.true(isCoded(error, "KEY_INVALID"));
    t.true(error?.message.includes(path), error?.message);
    t.is(await readFile(path, "utf8"), damaged);
  }
});

test("a certificate of another key, or without its key, is refused", async (t) => {
  const dir = await scratch(t);
  await loadOrCreateIdentity(dir, random);
  const foreign = createIdentity(new Uint8Array(32).fill(3)).certificatePem;
  await writeFile(join(dir, "node.cert"), foreign);
  t.true(isCoded(await t.throwsAsync(loadOrCreateIdentity(dir, random)), "KEY_INVALID"));
  await rm(join(dir, "node.key"));
  const error = await t.throwsAsync(loadOrCreateIdentity(dir, random));
  t.true(isCoded(error, "KEY_INVALID") && error.message.includes("node.key"));
});

test("a directory that cannot be used is DATA_UNREADABLE", async (t) => {
  const dir = await scratch(t);
  await writeFile(dir, "a file stands where the directory should be");
  const error = await t.throwsAsync(loadOrCreateIdentity(dir, random));
  t.true(isCoded(error, "DATA_UNREADABLE") && error.message.includes(dir));
});
