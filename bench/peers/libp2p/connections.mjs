// The processes of the connections bench on js-libp2p: noise and yamux, and identify, which it runs
// on every new connection. Each dialed connection has a node of its own.

import { serveParent, serveRole } from "../../../dist/bench/lib/child.js";
import { acceptorMethods, dialConcurrently } from "../../../dist/bench/lib/connection-load.js";
import { addressOf, dial, makeNode } from "./node.mjs";

function acceptor() {
  const methods = acceptorMethods(async (_connectionsMax, onAccepted) => {
    const node = await makeNode({ listen: true });
    node.addEventListener("connection:open", onAccepted);
    return addressOf(node);
  });
  serveParent(methods, () => undefined);
}

function dialer() {
  const nodes = [];
  const methods = {
    async prepare({ count }) {
      for (let i = 0; i < count; i++) nodes.push(await makeNode());
    },
    dial: ({ address, ...dials }) =>
      dialConcurrently(dials, async (number) => {
        await dial(nodes[number], address);
      }),
  };
  serveParent(methods, () => undefined);
}

serveRole({ acceptor, dialer });
