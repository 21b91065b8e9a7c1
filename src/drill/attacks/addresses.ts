// Attacks by addresses: the node's own, ones that nobody asked for, and poison for its address book.

import type { MessageOf } from "../../protocol/index.js";
import type { Drill } from "../drill.js";
import { spread, type Field } from "../field.js";
import { openRelay } from "../relay.js";
import { lurk } from "../wire/lurking-peer.js";
import { identityOf } from "../wire/raw-peer.js";
import { members } from "./blows.js";

/** A dial under way when the address was told again may be one more. */
const OWN_DIALS_MAX = 3;
/** Nobody listens there. */
const DEAD_PORT = 9;
const TOLD_AT_ONCE = 3;
const ANSWERED = 256;
const VISIT_MS = 500;

export const ADDRESSES: readonly Drill[] = [
  {
    name: "self-connection",
    threat: "tells of an address at which the node meets itself",
    expects: { bounded: "its own key ends that, and it is not dialed there again" },
    attack: (field) =>
      field.repeat(4, async () => {
        const host = spread(field.next());
        const relay = await openRelay(field.options.address, host, host);
        while (!field.isOver) await visit(field, host, [relay.address]);
        relay.close();
        field.note("dials of itself", relay.connections);
        if (relay.connections > OWN_DIALS_MAX) {
          field.find(`the node dialed itself ${relay.connections} times at one address`);
        }
      }),
  },
  {
    name: "unasked-addresses",
    threat: "tells addresses that nobody asked for",
    expects: { gone: ["request-id"] },
    attack: members((peer, field) => peer.write(poison(field), field.next())),
  },
  {
    name: "address-poisoning",
    threat: "tells of dead addresses, in its handshake and when it is dialed, to fill the book",
    expects: { bounded: "few places for what one group tells, few dials a second, dead ones rest" },
    newcomer: true,
    attack: (field) => field.repeat(4, () => poisoner(field)),
  },
];

/** Tells where somebody waits who poisons when it is asked, and where nobody does. */
async function poisoner(field: Field): Promise<void> {
  const host = spread(field.next());
  const lurking = await lurk({
    identity: identityOf(field.next()),
    host,
    networkId: field.options.networkId,
    answer(message) {
      if (message.kind !== "GetPeers") return undefined;
      field.note("poisoned answers");
      return poison(field);
    },
  });
  void field.over.then(() => lurking.close());
  const dead = Array.from({ length: TOLD_AT_ONCE }, (_, i) => `tcp://${host}:${DEAD_PORT + i}`);
  await visit(field, host, [lurking.address, ...dead]);
}

/** Comes, tells of these, and goes: whoever is here is not dialed. */
async function visit(field: Field, from: string, listenAddresses: readonly string[]) {
  const peer = await field.join({ from, info: { listenAddresses } }).catch(() => undefined);
  peer?.destroy();
  await Promise.race([pause(VISIT_MS), field.over]);
}

/** As many as an answer may have, on this machine and each another one: strangers are not dialed. */
function poison(field: Field): MessageOf<"Peers"> {
  const endpoints = Array.from({ length: ANSWERED }, () => {
    return { scheme: "tcp", host: spread(field.next()), port: 2_000 };
  });
  return { kind: "Peers", endpoints };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
