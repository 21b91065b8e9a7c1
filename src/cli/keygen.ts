// `keygen`: prints the peer id of a data directory, or makes a key for one that is yet to come.

import path from "node:path";
import { createSystemRandom } from "../runtime/random.js";
import { createIdentity, generateSeed, loadOrCreateIdentity } from "../transport/tls-identity.js";

/** Rejects with KEY_INVALID or DATA_UNREADABLE. */
export async function keygen(data: string | undefined): Promise<void> {
  const random = createSystemRandom();
  if (data !== undefined) {
    const { peerId } = await loadOrCreateIdentity(path.resolve(data), random);
    process.stdout.write(`${peerId}\n`);
    return;
  }
  // The id alone would be of no use: the key goes with it, as the file node.key holds it.
  const { peerId, privateKeyPem } = createIdentity(generateSeed(random));
  process.stdout.write(`${peerId}\n${privateKeyPem}`);
}
