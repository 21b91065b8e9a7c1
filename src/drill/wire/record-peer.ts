// A peer that writes its own TLS 1.3 records: after a proper handshake it encrypts by the secret
// that node:tls logs for debugging, so it can send what no library sends by itself, such as records
// of one byte and floods of KeyUpdates.

import { createCipheriv, createHmac } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { parseAddress } from "../../protocol/address.js";
import type { Identity } from "../../transport/tls-identity.js";

const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
/** KeyUpdate, update_not_requested: RFC 8446, section 4.6.3. */
const KEY_UPDATE = Buffer.from("1800000100", "hex");
const CIPHER = "TLS_AES_128_GCM_SHA256";

/** HKDF-Expand-Label of RFC 8446 without a context, for up to one hash of output. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0, 1)]);
  return createHmac("sha256", secret).update(info).digest().subarray(0, length);
}

/** Writes the records of one direction. */
class RecordWriter {
  #secret: Buffer;
  #key: Buffer;
  #iv: Buffer;
  #sequence = 0;

  constructor(secret: Buffer) {
    this.#secret = secret;
    this.#key = expandLabel(secret, "key", 16);
    this.#iv = expandLabel(secret, "iv", 12);
  }

  data(plain: Uint8Array): Buffer {
    return this.#record(APPLICATION_DATA, plain);
  }

  keyUpdate(paddingBytes: number): Buffer {
    const record = this.#record(HANDSHAKE, KEY_UPDATE, paddingBytes);
    this.#secret = expandLabel(this.#secret, "traffic upd", 32);
    this.#key = expandLabel(this.#secret, "key", 16);
    this.#iv = expandLabel(this.#secret, "iv", 12);
    this.#sequence = 0;
    return record;
  }

  #record(type: number, plain: Uint8Array, paddingBytes = 0): Buffer {
    const header = Buffer.of(APPLICATION_DATA, 3, 3, 0, 0);
    header.writeUInt16BE(plain.length + 1 + paddingBytes + 16, 3);
    const nonce = Buffer.from(this.#iv);
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#sequence++) >>> 0, 8);
    const cipher = createCipheriv("aes-128-gcm", this.#key, nonce).setAAD(header);
    const typeAndPadding = Buffer.alloc(1 + paddingBytes);
    typeAndPadding[0] = type;
    const body = [cipher.update(plain), cipher.update(typeAndPadding), cipher.final()];
    return Buffer.concat([header, ...body, cipher.getAuthTag()]);
  }
}

/** The raw socket as a stream, so that node:tls leaves the socket itself to us. */
function streamOf(raw: Socket): Duplex {
  return new Duplex({
    read: () => void raw.resume(),
    write: (chunk: Uint8Array, _encoding, done) => void raw.write(chunk, done),
    final: (done) => void raw.end(done),
    destroy: (error, done) => {
      raw.destroy();
      done(error);
    },
  });
}

export interface RecordPeerOptions {
  /** `tcp://host:port` */
  readonly address: string;
  readonly identity: Pick<Identity, "privateKeyPem" | "certificatePem">;
  /** The source address, within 127.0.0.0/8. */
  readonly localAddress?: string;
}

export class RecordPeer {
  readonly raw: Socket;
  /** Resolves when the socket has closed. */
  readonly closed: Promise<void>;
  readonly #writer: RecordWriter;

  private constructor(raw: Socket, writer: RecordWriter) {
    this.raw = raw;
    this.#writer = writer;
    this.closed = new Promise((resolve) => {
      if (raw.closed) resolve();
      else raw.once("close", () => resolve());
    });
  }

  /** Resolves after the TLS handshake; nothing was sent over it. */
  static async connect(options: RecordPeerOptions): Promise<RecordPeer> {
    const { raw, tls } = dial(options);
    const secret = new Promise<Buffer>((resolve) => {
      tls.on("keylog", (line: Buffer) => {
        const [label, , hex] = line.toString().trim().split(" ");
        if (label === "CLIENT_TRAFFIC_SECRET_0") resolve(Buffer.from(hex!, "hex"));
      });
    });
    await new Promise<void>((resolve, reject) => {
      tls.once("secureConnect", () => resolve()).once("close", () => reject(new Error("closed")));
    });
    tls.resume();
    return new RecordPeer(raw, new RecordWriter(await secret));
  }

  /** These bytes, in records of so many each; false: wait for `drained`. */
  sendRecords(bytes: Uint8Array, recordBytes: number): boolean {
    const records: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += recordBytes) {
      records.push(this.#writer.data(bytes.subarray(at, at + recordBytes)));
    }
    return this.raw.write(Buffer.concat(records));
  }

  sendKeyUpdates(count: number, paddingBytes = 0): boolean {
    const records = Array.from({ length: count }, () => this.#writer.keyUpdate(paddingBytes));
    return this.raw.write(Buffer.concat(records));
  }

  /** Resolves when more can be written, or never will. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.raw.destroyed || !this.raw.writableNeedDrain) resolve();
      else this.raw.once("drain", () => resolve()).once("close", () => resolve());
    });
  }

  destroy(): void {
    this.raw.destroy();
  }
}

function dial({ address, identity, localAddress }: RecordPeerOptions): {
  raw: Socket;
  tls: TLSSocket;
} {
  const { privateKeyPem, certificatePem } = identity;
  const { host, port } = parseAddress(address);
  const from = localAddress === undefined ? {} : { localAddress };
  const raw = connectTcp({ host, port, noDelay: true, ...from });
  const stream = streamOf(raw);
  raw.on("data", (chunk: Buffer) => void (stream.push(chunk) || raw.pause()));
  raw.on("end", () => stream.push(null)).on("error", () => stream.destroy());
  raw.on("close", () => stream.destroy());
  const tls = connectTls({
    socket: stream,
    key: privateKeyPem,
    cert: certificatePem,
    ciphers: CIPHER,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["vibecoin/1"],
    rejectUnauthorized: false,
  });
  tls.on("error", () => undefined);
  stream.on("error", () => undefined);
  return { raw, tls };
}
