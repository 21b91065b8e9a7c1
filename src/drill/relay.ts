// Lets a node dial from an address of 127.0.0.0/8 that is not 127.0.0.1: it dials the relay, which
// passes bytes on from there. So honest peers of a drill are of different groups.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { parseAddress } from "../protocol/address.js";

export interface Relay {
  /** `tcp://host:port` */
  readonly address: string;
  close(): void;
}

export async function openRelay(to: string, localAddress: string): Promise<Relay> {
  const { host, port } = parseAddress(to);
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host, port, localAddress, noDelay: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => undefined);
      one.once("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
