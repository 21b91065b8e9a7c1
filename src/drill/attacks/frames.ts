// Attacks with frames and messages that no peer may send.

import { KINDS } from "../../protocol/index.js";
import type { Drill } from "../drill.js";
import type { Field } from "../field.js";
import { fragmentBytes, frameBytes } from "../wire/frames.js";
import type { RawPeer } from "../wire/raw-peer.js";

export const FRAMES: readonly Drill[] = [
  {
    name: "frame-length-bomb",
    threat: "a frame announces four gigabytes, so that memory is set aside for them",
    expects: { gone: ["message-length", "fragment-length"] },
    attack: strangers((peer) => {
      peer.writeBytes(frameBytes({ code: KINDS.Handshake.code, flags: 0, length: 2 ** 32 - 1 }));
    }),
  },
  {
    name: "ping-flood",
    threat: "pings without an end: each is to be answered",
    expects: { gone: ["flood"] },
    attack: members((peer) => {
      const ping = Buffer.from(fragmentBytes("Ping", Uint8Array.of(0x81, 0x01)));
      peer.writeBytes(Buffer.concat(Array.from({ length: 5_000 }, () => ping)));
    }),
  },
];

/** Peers that do this in place of their handshake. */
function strangers(blow: (peer: RawPeer, field: Field) => void): Drill["attack"] {
  return (field) =>
    field.repeat(4, async () => {
      const peer = await field.peer();
      field.strike(peer.socket);
      blow(peer, field);
      await field.ended(peer.socket);
    });
}

/** Peers that do this after their handshake. */
function members(blow: (peer: RawPeer, field: Field) => void): Drill["attack"] {
  return (field) =>
    field.repeat(4, async () => {
      const peer = await field.join();
      field.strike(peer.socket);
      blow(peer, field);
      await field.ended(peer.socket);
    });
}
