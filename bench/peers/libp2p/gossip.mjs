// The nodes of the gossip benches on js-libp2p: gossipsub with a mesh of six, without signatures,
// which would cost more than everything else, and without flood publishing.

import { randomBytes } from "node:crypto";
import { serveMember } from "../../../dist/bench/lib/gossip-member.js";
import { serveRole } from "../../../dist/bench/lib/child.js";
import { addressOf, dial, makeNode } from "./node.mjs";
import { gossipsub } from "@libp2p/gossipsub";

const TOPIC = "transactions";
const MESSAGE_BYTES = 300;
const OPTIONS = {
  D: 6,
  Dlo: 4,
  Dhi: 12,
  fallbackToFloodsub: false,
  floodPublish: false,
  batchPublish: true,
  emitSelf: false,
  globalSignaturePolicy: "StrictNoSign",
  allowPublishToZeroTopicPeers: true,
};

/** Ours are known by their hash; here the first bytes are a number, and no two are alike. */
function idOf(message) {
  return Buffer.from(message.buffer, message.byteOffset, 8).toString("hex");
}

function nodes() {
  const all = [];
  serveMember({
    async listen(count, onArrival) {
      for (let index = 0; index < count; index++) {
        const node = await makeNode({ listen: true, services: { pubsub: gossipsub(OPTIONS) } });
        node.services.pubsub.addEventListener("message", ({ detail }) => {
          if (detail.data.byteLength !== MESSAGE_BYTES) throw new Error("a message was cut");
          onArrival(index, idOf(detail.data));
        });
        node.services.pubsub.subscribe(TOPIC);
        all.push(node);
      }
      return all.map(addressOf);
    },
    async dial(index, addresses) {
      for (const address of addresses) await dial(all[index], address);
    },
    neighbours: async () =>
      all.map(({ services }) =>
        services.pubsub.getMeshPeers(TOPIC).length < OPTIONS.Dlo
          ? 0
          : services.pubsub.getSubscribers(TOPIC).length,
      ),
    async prepare(count, run) {
      const messages = Array.from({ length: count }, (_, number) => {
        const message = randomBytes(MESSAGE_BYTES);
        message.writeUInt32BE(run, 0);
        message.writeUInt32BE(number, 4);
        return message;
      });
      return {
        ids: messages.map(idOf),
        publish(index) {
          all[0].services.pubsub.publish(TOPIC, messages[index]).catch(console.error);
        },
      };
    },
    stop: async () => undefined,
  });
}

serveRole({ nodes });
