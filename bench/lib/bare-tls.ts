// The limit beside connections: bare TLS 1.3 with the same keys, certificates and demands on both
// sides as ours, and nothing above it but, where a load has messages, a length before each.

import { connect, createServer, type TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";
import type { Identity } from "../../src/transport/tls-identity.js";

const LENGTH_BYTES = 4;

function options({ privateKeyPem, certificatePem }: Identity) {
  return {
    key: privateKeyPem,
    cert: certificatePem,
    minVersion: "TLSv1.3",
    // As ours: what a stranger's certificate must be is decided after the handshake.
    rejectUnauthorized: false,
    noDelay: true,
  } as const;
}

/** Listens on a free port of loopback and answers which. */
export function listenBare(
  identity: Identity,
  onSocket: (socket: TLSSocket) => void,
): Promise<number> {
  const server = createServer({ ...options(identity), requestCert: true }, (socket) => {
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

export function connectBare(port: number, identity: Identity): Promise<TLSSocket> {
  const socket = connect({ ...options(identity), host: "127.0.0.1", port });
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", () => resolve(socket)).once("error", reject);
  });
}

/** One message in one write. */
export function writeFrame(socket: TLSSocket, payload: Uint8Array): void {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + payload.length);
  frame.writeUInt32BE(payload.length);
  frame.set(payload, LENGTH_BYTES);
  socket.write(frame);
}

export function readFrames(socket: TLSSocket, onFrame: (payload: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      onFrame(bytes.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    rest = bytes.subarray(at);
  });
}
