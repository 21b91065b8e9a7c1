// What a peer says first, looked at before there is a TLS object: its first record must be one of a
// handshake that begins with a ClientHello, no longer than a handshake may be. Who says nothing, or
// something else, costs a buffer of that length at most. The bytes go back into the stream, whose
// chunks each have an ArrayBuffer of their own. Used by the TLS channel for inbound streams.

import type { TransportBreach } from "../ports.js";
import type { RawDuplex } from "./carrier.js";
import type { Knocking, Watched } from "./channel.js";
import { HEADER_BYTES } from "./tls-records.js";

const HANDSHAKE_RECORD = 22;
const MAJOR_VERSION = 3;
const CLIENT_HELLO = 1;
/** Its type and length. */
const MESSAGE_HEADER_BYTES = 4;

type Bytes = Uint8Array<ArrayBuffer>;

/** `whole`: the first record is there. */
export type HelloReading = "more" | "whole" | TransportBreach;

/** Judges the first bytes of a stream. */
export function readHello(bytes: Uint8Array, bytesMax: number): HelloReading {
  const [type, major, , lengthHigh, lengthLow, message] = bytes;
  if (type !== undefined && type !== HANDSHAKE_RECORD) return NO_HELLO;
  if (major !== undefined && major !== MAJOR_VERSION) return NO_HELLO;
  if (lengthHigh === undefined || lengthLow === undefined) return "more";
  const recordBytes = HEADER_BYTES + lengthHigh * 256 + lengthLow;
  if (recordBytes > bytesMax) {
    return { rule: "handshake-size", detail: `over ${bytesMax} bytes of handshake` };
  }
  if (recordBytes < HEADER_BYTES + MESSAGE_HEADER_BYTES) return NO_HELLO;
  if (message !== undefined && message !== CLIENT_HELLO) return NO_HELLO;
  return bytes.length < recordBytes ? "more" : "whole";
}

const NO_HELLO: TransportBreach = { rule: "tls-failed", detail: "no TLS ClientHello" };

const LEFT: TransportBreach = {
  rule: "tls-failed",
  detail: "the peer closed during the handshake",
};

export function watchForHello(raw: RawDuplex, bytesMax: number, knocking: Knocking): Watched {
  const { duplex } = raw;
  let held: Bytes = new Uint8Array(0);
  const read = (): void => void duplex.off("data", onData).off("end", onEnd);
  const refuse = (breach: TransportBreach): void => {
    read();
    raw.refuse();
    knocking.onRefused(breach);
  };
  const onData = (chunk: Bytes): void => {
    held = held.length === 0 ? chunk : joined(held, chunk);
    const reading = readHello(held, bytesMax);
    if (reading === "more") return;
    if (reading !== "whole") return refuse(reading);
    read();
    duplex.pause();
    duplex.unshift(held);
    knocking.onKnocked();
  };
  const onEnd = (): void => refuse(LEFT);
  const onClose = (): void => {
    read();
    knocking.onRefused(LEFT);
    knocking.onClosed();
  };
  duplex.on("data", onData).on("end", onEnd).on("close", onClose);
  return {
    destroy() {
      read();
      raw.refuse();
    },
    release: () => void duplex.off("close", onClose),
  };
}

function joined(first: Bytes, second: Bytes): Bytes {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
