// What every transport asks of an endpoint before it binds or dials it.

import { addressInvalid, formatAddress } from "../protocol/address.js";
import type { Endpoint } from "../protocol/address.js";

/** Throws ADDRESS_INVALID. */
export function checkBindable(scheme: string, endpoint: Endpoint): void {
  checkScheme(scheme, endpoint);
  if (endpoint.peerId !== undefined) refuse(endpoint, "listening pins no peer id");
}

/** Throws ADDRESS_INVALID. */
export function checkDialable(scheme: string, endpoint: Endpoint): void {
  checkScheme(scheme, endpoint);
  if (endpoint.port === 0) refuse(endpoint, "port 0 cannot be dialed");
}

function checkScheme(scheme: string, endpoint: Endpoint): void {
  if (endpoint.scheme === scheme) return;
  refuse(endpoint, `this transport knows ${scheme}, not ${endpoint.scheme}`);
}

function refuse(endpoint: Endpoint, detail: string): never {
  throw addressInvalid(formatAddress(endpoint), detail);
}
