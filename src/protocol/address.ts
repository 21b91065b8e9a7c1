// Endpoints, and their text: addresses of nodes as URLs: `tcp://host:port`, with a pinned identity
// `tcp://<peerId>@host:port`; a bare `host:port` means tcp. Pure; used by transports, by the actors that
// keep address books and by the configuration. A host has one form, an IPv4 address mapped into IPv6
// that of IPv4: equal endpoints format to equal strings, so a formatted one is a key.

import ipaddr from "ipaddr.js";

import { CodedError } from "../errors.js";
import type { Endpoint } from "../types/endpoint.js";

export type { Endpoint } from "../types/endpoint.js";

export type AddressReading =
  | { readonly ok: true; readonly address: Endpoint }
  /** `detail` completes the sentence "The address … is not valid: …". */
  | { readonly ok: false; readonly detail: string };

/** A scheme, a pinned id, the longest DNS name (253), a port and their separators fit. */
const ADDRESS_CHARS_MAX = 360;

/** What stands before the colon. */
export const SCHEME_NAME = /^[a-z][a-z0-9+.-]{0,15}$/;
export const SCHEME_CHARS_MAX = 16;
const SCHEME = /^([a-z][a-z0-9+.-]{0,15}):\/\//;
const PEER_ID = /^[0-9a-f]{64}$/;
const HOST_PORT = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/;
const NAME =
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
/** The name or number of an interface, as systems give them; 15 bytes on Linux. */
const SCOPE = /^(%[0-9A-Za-z._-]{1,15})?$/;

/** Reads an address that a peer sent: a bad one is a value, not an error. */
export function readAddress(text: string): AddressReading {
  if (text.length > ADDRESS_CHARS_MAX) {
    return refuse(`it has more than ${ADDRESS_CHARS_MAX} characters`);
  }
  const scheme = SCHEME.exec(text);
  const rest = scheme === null ? text : text.slice(scheme[0].length);
  const at = rest.indexOf("@");
  const peerId = at === -1 ? undefined : rest.slice(0, at).toLowerCase();
  if (peerId !== undefined && !PEER_ID.test(peerId)) {
    return refuse("the peer id before @ must be 64 hex characters");
  }
  const parts = HOST_PORT.exec(rest.slice(at + 1));
  if (parts === null) return refuse("expected host:port, with an IPv6 host in brackets");
  const port = Number(parts[3]);
  if (port > 65_535) return refuse("the port must be at most 65535");
  const host = parts[1] === undefined ? readName(parts[2] ?? "") : readIpv6(parts[1]);
  if (host === undefined) return refuse("the host is neither a name nor an IP address");
  const address = { scheme: scheme?.[1] ?? "tcp", host, port };
  return { ok: true, address: peerId === undefined ? address : { ...address, peerId } };
}

/** Like `readAddress`, for addresses of the operator. Throws ADDRESS_INVALID. */
export function parseAddress(text: string): Endpoint {
  const reading = readAddress(text);
  if (reading.ok) return reading.address;
  throw addressInvalid(text, reading.detail);
}

/** The same for an address that is to be dialed: port 0 means any free one, and is none. */
export function parseDialable(text: string): Endpoint {
  const address = parseAddress(text);
  if (address.port === 0) throw addressInvalid(text, "port 0 cannot be dialed");
  return address;
}

/** One plain sentence; `text` is quoted and cut, it may come from anywhere. */
export function addressInvalid(text: string, detail: string): CodedError {
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  return new CodedError("ADDRESS_INVALID", `The address ${shown} is not valid: ${detail}.`);
}

export function formatAddress(address: Endpoint): string {
  const pinned = address.peerId === undefined ? "" : `${address.peerId}@`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${address.scheme}://${pinned}${host}:${address.port}`;
}

const LOCAL_RANGES: ReadonlySet<string> = new Set([
  "loopback",
  "private",
  "linkLocal",
  "uniqueLocal",
]);

/** True for loopback, private and link-local IP addresses, and for the name `localhost`. */
export function isLocalHost(scoped: string): boolean {
  const host = withoutScope(scoped);
  if (!isIpAddress(host)) return host === "localhost";
  return LOCAL_RANGES.has(ipaddr.process(host).range());
}

/** From where a host can be reached at all: narrower first; `none`: from nowhere. */
export type Reach = "loopback" | "local" | "public" | "none";

/** By what ipaddr.js calls its ranges; all others are nobody's. */
const REACHES: Readonly<Record<string, Reach>> = {
  loopback: "loopback",
  private: "local",
  linkLocal: "local",
  uniqueLocal: "local",
  carrierGradeNat: "local",
  unicast: "public",
  "6to4": "public",
  teredo: "public",
  rfc6052: "public",
};

/** Of a name: public, but for `localhost`. */
export function reachOf(scoped: string): Reach {
  const host = withoutScope(scoped);
  if (!isIpAddress(host)) return host === "localhost" ? "loopback" : "public";
  return REACHES[ipaddr.process(host).range()] ?? "none";
}

export function isHostName(host: string): boolean {
  return !isIpAddress(withoutScope(host));
}

/** True for addresses of this machine alone, and for the name `localhost`. */
export function isLoopback(host: string): boolean {
  return isIpAddress(host) ? ipaddr.process(host).range() === "loopback" : host === "localhost";
}

/** Whether others can dial it: not every interface at once, any free port or by a name of ours. */
export function isDialableByOthers({ host, port }: Endpoint): boolean {
  if (port === 0 || host.includes("%")) return false;
  return !isIpAddress(host) || ipaddr.process(host).range() !== "unspecified";
}

/** Four bytes or sixteen; undefined: no IP address, or one with an interface of its host. */
export function hostBytes(host: string): Uint8Array | undefined {
  if (!isIpAddress(host) || host.includes("%")) return undefined;
  return Uint8Array.from(ipaddr.process(host).toByteArray());
}

/** The IP address of these bytes; an IPv4 address in sixteen is refused: it has a form of its own. */
export function hostOfBytes(bytes: Uint8Array): string | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  const ip = ipaddr.fromByteArray([...bytes]);
  if (ip.kind() === "ipv6" && (ip as ipaddr.IPv6).isIPv4MappedAddress()) return undefined;
  return ip.toString();
}

/**
 * What counts as one owner when hosts are counted: the network of an IP address, by default /24
 * (IPv4) or /48 (IPv6), and a name as it is. An IPv4 address mapped into IPv6 is an IPv4 address.
 */
export function hostGroup(scoped: string, bits = { ipv4Bits: 24, ipv6Bits: 48 }): string {
  const host = withoutScope(scoped);
  if (!isIpAddress(host)) return host;
  const ip = ipaddr.process(host);
  const kept = ip.kind() === "ipv6" ? bits.ipv6Bits : bits.ipv4Bits;
  const network = ip.toByteArray().map((byte, index) => {
    const keptHere = Math.min(8, Math.max(0, kept - index * 8));
    return byte & (0xff << (8 - keptHere));
  });
  return `${ipaddr.fromByteArray(network).toString()}/${kept}`;
}

/** What an attacker has not many of: the /16 of an IPv4 address, the /32 of an IPv6 one. */
export function networkOf(host: string): string {
  return hostGroup(host, { ipv4Bits: 16, ipv6Bits: 32 });
}

/** `fe80::1%br-1a2b3c`: the interface's name may hold any character, and ipaddr.js not all. */
function withoutScope(host: string): string {
  const at = host.indexOf("%");
  return at === -1 ? host : host.slice(0, at);
}

/** The look comes first: ipaddr.js throws and catches several errors for a name. */
function isIpAddress(host: string): boolean {
  return /^[0-9.]+$|:/.test(host) && ipaddr.isValid(host);
}

function refuse(detail: string): AddressReading {
  return { ok: false, detail };
}

function readName(text: string): string | undefined {
  const host = text.toLowerCase();
  // Digits and dots alone are an IPv4 address or nothing: `1.2.3` must not reach a resolver.
  if (/^[0-9.]*$/.test(host)) {
    return ipaddr.IPv4.isValidFourPartDecimal(host) ? host : undefined;
  }
  return NAME.test(host) ? host : undefined;
}

function readIpv6(text: string): string | undefined {
  const host = withoutScope(text);
  const scope = text.slice(host.length);
  if (!SCOPE.test(scope) || !ipaddr.IPv6.isValid(host)) return undefined;
  const ip = ipaddr.IPv6.parse(host);
  if (!ip.isIPv4MappedAddress()) return ip.toString() + scope;
  // The same host has one text. An IPv4 address is at no interface.
  return scope === "" ? ip.toIPv4Address().toString() : undefined;
}
