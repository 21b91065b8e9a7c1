// What a peer may do with TLS records, whose lengths travel in clear. OpenSSL works through what it
// is fed before anybody is asked: a certificate chain of 90 KB takes 100 ms, each KeyUpdate 14 µs,
// and a record of one byte costs as much as one of a hundred. So raw bytes are cut at the records'
// bounds and judged here before and after they are fed. Pure; owned by a TlsFeed.

import type { NetworkConfig } from "../config.js";
import type { TransportBreach } from "../ports.js";

export type TlsLimits = Pick<NetworkConfig["tls"], "silentRecordsMax" | "bytesPerSilentRecord">;

/** Content type, version, length: RFC 8446, section 5.1. */
export const HEADER_BYTES = 5;

/** Finds where the records of one direction end; keeps no byte. */
export class RecordCutter {
  /** Bytes of the next header that were seen. */
  #headerBytes = 0;
  #length = 0;
  /** Bytes of the current record that are still to come. */
  #left = 0;

  /** Between two records. */
  get atBound(): boolean {
    return this.#headerBytes === 0 && this.#left === 0;
  }

  /** The end in `bytes` of the record that goes on at `start`, or of `bytes` when it goes further. */
  cut(bytes: Uint8Array, start: number): number {
    let at = start;
    while (this.#left === 0 && at < bytes.length) {
      const place = this.#headerBytes++;
      if (place >= HEADER_BYTES - 2) this.#length = ((this.#length & 0xff) << 8) | bytes[at]!;
      at++;
      if (this.#headerBytes < HEADER_BYTES) continue;
      this.#headerBytes = 0;
      this.#left = this.#length;
      // An empty record is whole with its header.
      if (this.#left === 0) return at;
    }
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    return end;
  }
}

/** Holds one connection to the limits. */
export class RecordRules {
  readonly #limits: TlsLimits;
  #silentRecords = 0;

  constructor(limits: TlsLimits) {
    this.#limits = limits;
  }

  /** After so many whole records gave nothing to read; `plainBytes`: what all so far gave. */
  silent(records: number, plainBytes: number): TransportBreach | undefined {
    if (records === 0) return undefined;
    this.#silentRecords += records;
    const { silentRecordsMax, bytesPerSilentRecord } = this.#limits;
    const allowed = silentRecordsMax + Math.floor(plainBytes / bytesPerSilentRecord);
    if (this.#silentRecords <= allowed) return undefined;
    return { rule: "tls-records", detail: `over ${allowed} TLS records without data` };
  }
}
