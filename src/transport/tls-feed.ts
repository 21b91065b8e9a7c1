// The raw side of a TLS connection: node:tls reads and writes it in place of the stream, so that
// OpenSSL is fed record by record, each judged (tls-records.ts), and no more of them in one turn
// than others can wait for. Its buffers are freed at once: node:tls copies what it is fed, and makes
// a copy of what it writes for us. Made and owned by the TLS channel.

import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

import { release } from "../bytes/release.js";
import type { NetworkConfig } from "../config.js";
import type { TransportBreach } from "../ports.js";
import type { Securing } from "./channel.js";
import { HEADER_BYTES, RecordCutter, RecordRules } from "./tls-records.js";
import type { TlsTurns } from "./tls-turns.js";

/** Made by node for this one read or write. */
type Bytes = Uint8Array<ArrayBuffer>;
type Done = (error?: Error | null) => void;

export interface TlsFeedArgs {
  readonly raw: Duplex;
  readonly limits: NetworkConfig["tls"];
  readonly turns: TlsTurns;
  /** Asked for every byte before the handshake is done. */
  readonly spend: Securing["spend"];
}

/** A record of a handshake makes work for about as many others. */
const HANDSHAKE_RECORD_COST = 8;
/**
 * From this on records are fed together: each by itself costs 10 µs, and of small messages that were
 * written together a node reached 0.5 to 1 of bare TLS's rate in place of 1 to 1.2.
 */
const LARGE_RECORD_BYTES = 1_024;
/** Under this a record is mostly its own overhead, and nobody in earnest sends many of them. */
const SMALL_RECORD_BYTES = 128;
/** What a larger one counts: a message each in its own record must not wait its turn. */
const RECORD_COST = 1 / 8;

export class TlsFeed extends Duplex {
  readonly #raw: Duplex;
  readonly #recordsPerTurn: number;
  readonly #turns: TlsTurns;
  /** Until it is secured. */
  #spend: Securing["spend"] | undefined;
  readonly #cutter = new RecordCutter();
  readonly #rules: RecordRules;
  /** What came and was not fed yet; the raw stream is paused meanwhile. */
  #chunk: Bytes | undefined;
  #at = 0;
  #ended = false;
  #tls: TLSSocket | undefined;
  #secure = false;
  /** Of the whole records so far. */
  #plainBytes = 0;
  /** Fed since then. */
  #rawBytes = 0;
  #records = 0;
  #onBreach: ((breach: TransportBreach) => void) | undefined;

  constructor({ raw, limits, turns, spend }: TlsFeedArgs) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    this.#recordsPerTurn = limits.recordsPerTurn;
    this.#rules = new RecordRules(limits);
    this.#turns = turns;
    this.#spend = spend;
    raw.on("data", (chunk: Bytes) => {
      this.#chunk = chunk;
      this.#at = 0;
      this.#feed();
    });
    raw.on("end", () => {
      this.#ended = true;
      this.#feed();
    });
    raw.on("error", (error) => this.destroy(error));
    raw.on("close", () => this.destroy());
    this.on("resume", this.#feed);
  }

  /** Encrypted and not taken by the system. */
  get unsentBytes(): number {
    return this.writableLength + this.#raw.writableLength;
  }

  /** Feeds this socket from now on. A broken rule is told once, and nothing is fed after it. */
  attach(tls: TLSSocket, onBreach: (breach: TransportBreach) => void): void {
    this.#tls = tls;
    this.#onBreach = onBreach;
    // It took this stream's: when the other side ends, what is written goes out and TLS ends too.
    tls.allowHalfOpen = false;
    tls.on("resume", this.#feed);
  }

  /** The handshake is done: from now on records carry data. */
  secured(onBreach: (breach: TransportBreach) => void): void {
    this.#secure = true;
    this.#spend = undefined;
    this.#onBreach = onBreach;
  }

  override _read(): void {
    // The socket is read whenever this side is: see #feed.
  }

  override _write(chunk: Bytes, _encoding: string, done: Done): void {
    this.#raw.write(chunk, releasing([chunk], done));
  }

  override _writev(chunks: readonly { readonly chunk: Bytes }[], done: Done): void {
    const written = releasing(
      chunks.map(({ chunk }) => chunk),
      done,
    );
    this.#raw.cork();
    for (const [index, { chunk }] of chunks.entries()) {
      this.#raw.write(chunk, index === chunks.length - 1 ? written : undefined);
    }
    this.#raw.uncork();
  }

  override _final(done: Done): void {
    this.#raw.end(done);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#onBreach = undefined;
    this.#turns.leave(this.#feed);
    this.#chunk = undefined;
    this.#raw.destroy();
    done(error);
  }

  /** Gives what there is to the TLS socket, as far as it reads and this turn goes. */
  readonly #feed = (): void => {
    if (this.readableFlowing !== true) return void this.#raw.pause();
    let cost = 0;
    while (this.#chunk !== undefined) {
      // Node would go on until its buffer is full, of records of one byte with 300 bytes each.
      if (this.isPaused() || this.#tls?.isPaused() === true) return void this.#raw.pause();
      if (cost >= this.#recordsPerTurn) {
        this.#raw.pause();
        this.#turns.wait(this.#feed);
        return;
      }
      const { records, bytes, breach } = this.#feedRecords(this.#chunk);
      cost += records * this.#costOf(bytes / records);
      if (breach === undefined) continue;
      this.#chunk = undefined;
      this.#raw.pause();
      this.#onBreach?.(breach);
      return;
    }
    if (this.#ended && !this.readableEnded) this.push(null);
    else this.#raw.resume();
  };

  #costOf(recordBytes: number): number {
    if (!this.#secure) return HANDSHAKE_RECORD_COST;
    return recordBytes < SMALL_RECORD_BYTES ? 1 : RECORD_COST;
  }

  /** Feeds the next record, with all large ones that follow it in this chunk when it is large. */
  #feedRecords(chunk: Bytes): {
    readonly records: number;
    readonly bytes: number;
    readonly breach: TransportBreach | undefined;
  } {
    const start = this.#at;
    let end = this.#cutter.cut(chunk, start);
    let records = 1;
    const together = this.#secure && end - start >= LARGE_RECORD_BYTES;
    while (together && recordBytesAt(chunk, end) >= LARGE_RECORD_BYTES) {
      end = this.#cutter.cut(chunk, end);
      records++;
    }
    if (end === chunk.length) this.#chunk = undefined;
    this.#at = end;
    const bytes = end - start;
    const tooLarge = this.#spend?.(bytes);
    if (tooLarge !== undefined) return { records, bytes, breach: tooLarge };
    const secure = this.#secure;
    // Decrypts at once, and calls back with what was in it.
    this.push(bytes === chunk.length ? chunk : chunk.subarray(start, end));
    // It waits here when TLS stopped reading between two records.
    if (end === chunk.length && this.readableLength === 0) release(chunk);
    return { records, bytes, breach: secure ? this.#judge(bytes, records) : undefined };
  }

  /** Whether what was fed brought data, once all of it are whole records. */
  #judge(bytes: number, records: number): TransportBreach | undefined {
    this.#rawBytes += bytes;
    this.#records += records;
    if (!this.#cutter.atBound) return undefined;
    const plainBytes = this.#tls?.bytesRead ?? 0;
    const brought = plainBytes - this.#plainBytes;
    // Of large records, padding and silent ones may make half.
    const silent = brought <= 0 || (records > 1 && 2 * brought < this.#rawBytes);
    const count = silent ? this.#records : 0;
    this.#plainBytes = plainBytes;
    this.#rawBytes = 0;
    this.#records = 0;
    return this.#rules.silent(count, plainBytes);
  }
}

/** Frees what was written; after a failure the system may still read it. */
function releasing(chunks: readonly Bytes[], done: Done): Done {
  return (error) => {
    if (!(error instanceof Error)) for (const chunk of chunks) release(chunk);
    done(error);
  };
}

/** What the header of the record that begins here says, with the header; 0 when it is not whole. */
function recordBytesAt(chunk: Uint8Array, at: number): number {
  if (at + HEADER_BYTES > chunk.length) return 0;
  return HEADER_BYTES + ((chunk[at + 3]! << 8) | chunk[at + 4]!);
}
