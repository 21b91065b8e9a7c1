// What every transport asks of an endpoint before it binds or dials it, whoever made it up.

import { addressInvalid, formatAddress, readAddress } from "../protocol/address.js";
import type { Endpoint } from "../protocol/address.js";

/** Throws ADDRESS_INVALID. */
export function checkBindable(scheme: string, endpoint: Endpoint): void {
  check(scheme, endpoint);
  if (endpoint.peerId !== undefined) refuse(endpoint, "listening pins no peer id");
}

/** Throws ADDRESS_INVALID. */
export function checkDialable(scheme: string, endpoint: Endpoint): void {
  check(scheme, endpoint);
  if (endpoint.port === 0) refuse(endpoint, "port 0 cannot be dialed");
}

function check(scheme: string, endpoint: Endpoint): void {
  if (endpoint.scheme !== scheme) {
    refuse(endpoint, `this transport knows ${scheme}, not ${endpoint.scheme}`);
  }
  // Its text is what peers are told of it: what cannot be read there is no endpoint.
  const reading = readAddress(formatAddress(endpoint));
  if (!reading.ok) refuse(endpoint, reading.detail);
}

function refuse(endpoint: Endpoint, detail: string): never {
  throw addressInvalid(formatAddress(endpoint), detail);
}
