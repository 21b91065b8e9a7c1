// IP addresses for hosts of a world, in as many networks as its run is about.

import type { PeerEndpoint } from "../../protocol/kinds/peers.js";
import { parseAddress } from "../../protocol/address.js";
import { addressOf } from "../node-config.js";

/** The host of this number in the /16 of that one: each in a /24 of its own, up to 256. */
export function hostIn(network: number, host: number): string {
  return `${20 + (network >> 8)}.${network & 255}.${host & 255}.${1 + (host >> 8)}`;
}

/** Where it listens, as peers are told of it. */
export function endpointOf(host: string): PeerEndpoint {
  const { scheme, port } = parseAddress(addressOf(host));
  return { scheme, host, port };
}
