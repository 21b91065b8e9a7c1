// What lies between the hosts of a memory network: how far apart they are, the lines that each of
// them has, which ways are blocked, and whose power is out. Used by memory.ts alone.

import type { Clock, Random } from "../ports.js";

/** True: no byte of `from` reaches `to`. */
export type Obstacle = (from: string, to: string) => boolean;

/** Of a host's own line, which all its connections share; absent: unlimited. */
export interface HostRates {
  readonly upBytesPerSecond?: number;
  readonly downBytesPerSecond?: number;
}

export interface PathOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** One way. */
  readonly latencyMs: number;
  /** Up to this much more, uniformly; the order within a connection stays. 0 unless given. */
  readonly jitterMs?: number;
  /** What two hosts' places add, asked anew for each delay; 0 unless given. */
  readonly distanceMs?: (from: string, to: string) => number;
  /** Asked once for each start of a host. */
  readonly ratesOf?: (host: string) => HostRates;
}

/** A line takes bytes one after the other. */
export class Line {
  readonly bytesPerSecond: number;
  #freeAtMs = 0;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** When bytes that are handed over now are through. */
  take(nowMs: number, bytes: number): number {
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (bytes * 1_000) / this.bytesPerSecond;
    return this.#freeAtMs;
  }
}

interface Lines {
  readonly up: Line | undefined;
  readonly down: Line | undefined;
}

export class Paths {
  readonly #options: PathOptions;
  readonly #obstacles = new Set<Obstacle>();
  readonly #dark = new Set<string>();
  readonly #lines = new Map<string, Lines>();
  #latencyMs: number;
  #jitterMs: number;

  constructor(options: PathOptions) {
    this.#options = options;
    this.#latencyMs = options.latencyMs;
    this.#jitterMs = options.jitterMs ?? 0;
  }

  setLatency(latencyMs: number, jitterMs: number): void {
    this.#latencyMs = latencyMs;
    this.#jitterMs = jitterMs;
  }

  delayMs(from: string, to: string): number {
    const { random, distanceMs } = this.#options;
    const jitterMs = this.#jitterMs === 0 ? 0 : random.float() * this.#jitterMs;
    return this.#latencyMs + jitterMs + (distanceMs?.(from, to) ?? 0);
  }

  /** False: what is under way from one to the other waits. */
  reachable(from: string, to: string): boolean {
    if (this.#dark.has(to)) return false;
    for (const blocks of this.#obstacles) if (blocks(from, to)) return false;
    return true;
  }

  /** The lines that bytes from one host to the other share with others. */
  linesBetween(from: string, to: string): Line[] {
    const lines = [this.#lines.get(from)?.up, this.#lines.get(to)?.down];
    return lines.filter((line) => line !== undefined);
  }

  add(obstacle: Obstacle): void {
    this.#obstacles.add(obstacle);
  }

  /** False when it was not there. */
  remove(obstacle: Obstacle): boolean {
    return this.#obstacles.delete(obstacle);
  }

  clear(): void {
    this.#obstacles.clear();
  }

  powerOn(host: string): void {
    const { upBytesPerSecond: up, downBytesPerSecond: down } = this.#options.ratesOf?.(host) ?? {};
    this.#lines.set(host, { up: lineOf(up), down: lineOf(down) });
    this.#dark.delete(host);
  }

  powerOff(host: string): void {
    this.#dark.add(host);
  }
}

export function lineOf(bytesPerSecond: number | undefined): Line | undefined {
  return bytesPerSecond === undefined ? undefined : new Line(bytesPerSecond);
}
