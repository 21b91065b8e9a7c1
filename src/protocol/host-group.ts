// How hosts are grouped against eclipse attacks: one operator gets one /24 (IPv4) or /48 (IPv6)
// cheaply, many of them dearly. Pure; used by admission, eviction and inbound limits.

import ipaddr from "ipaddr.js";

const LOCAL_RANGES: ReadonlySet<string> = new Set([
  "loopback",
  "private",
  "linkLocal",
  "uniqueLocal",
]);

/** Loopback, private or link-local; false for names. */
export function isLocalHost(host: string): boolean {
  return ipaddr.isValid(host) && LOCAL_RANGES.has(ipaddr.process(host).range());
}

/** The group of an address as a key; a name is a group of its own. */
export function hostGroup(host: string): string {
  if (!ipaddr.isValid(host)) return host;
  const address = ipaddr.process(host);
  const prefixBytes = address.kind() === "ipv4" ? 3 : 6;
  return `${address.kind()}:${address.toByteArray().slice(0, prefixBytes).join(".")}`;
}
