// SyncManager: one sync session. The checked headers of a chain that is heavier than ours, its
// blocks in ranges that several peers serve, their checks out of order, and their order in the end.
// Pure: it is told what happened and asked what to do next; the sync service does it.

import type { CheckedBlock } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";
import { BodyRanges, type BodyRangesParts } from "./body-ranges.js";
import { CheckQueue, type CheckTask } from "./check-queue.js";
import type { HeaderChain } from "./header-chain.js";
import type { Range } from "./range.js";

export class SyncManager {
  readonly id: number;
  /** Whose headers these are. */
  readonly headerPeer: PeerId;
  readonly startedMs: number;
  readonly chain: HeaderChain;
  readonly checks: CheckQueue;
  readonly bodies: BodyRanges;

  constructor(id: number, parts: BodyRangesParts) {
    this.id = id;
    this.headerPeer = parts.offerer;
    this.startedMs = parts.nowMs;
    this.chain = parts.chain;
    this.checks = new CheckQueue(parts.settings.taskBytesTarget);
    this.bodies = new BodyRanges(parts);
  }

  /** Nothing was asked for or is under way: only headers so far. */
  get idle(): boolean {
    return this.bodies.front === undefined;
  }

  /** Something is wanted and nobody was found to ask for any of it. */
  get starved(): boolean {
    return !this.idle && !this.bodies.busy;
  }

  /** No more headers come, and all that may be asked for is connected. */
  get done(): boolean {
    return this.chain.exhausted && this.chain.usableCount === 0;
  }

  /** The blocks of a range that is still waited for, in order from its first. */
  received(request: number, peerId: PeerId, answer: readonly Uint8Array[]): void {
    const headerAt = (height: number): Uint8Array => this.chain.at(height).bytes;
    this.bodies.received({ request, peerId }, answer, (range, blocks) =>
      this.checks.add(range, blocks, headerAt),
    );
  }

  /** True when these are the blocks that the headers promise. */
  matches({ fromHeight }: CheckTask, blocks: readonly CheckedBlock[]): boolean {
    return blocks.every(
      ({ header }, index) => header.hash === this.chain.hashAt(fromHeight + index),
    );
  }

  taskDone(task: CheckTask, blocks: readonly CheckedBlock[]): void {
    this.checks.done(task);
    task.range.taskDone(blocks);
  }

  /** They are not the promised blocks: the whole range is asked of somebody else. */
  spoiled({ range }: CheckTask, nowMs: number): void {
    this.checks.drop(range);
    this.bodies.spoiled(range, nowMs);
  }

  /** The first range is connected and durable. */
  connected(): Range {
    const range = this.bodies.connected();
    this.chain.connected(range.count);
    return range;
  }

  /** What the session waits for, in plain words. */
  waitingFor(nowMs: number): string {
    const { front } = this.bodies;
    if (front === undefined) return `headers from ${this.headerPeer.slice(0, 8)}`;
    const range = `blocks ${front.fromHeight} to ${front.lastHeight}`;
    switch (front.state.name) {
      case "wanted":
        return `a peer that serves ${range}`;
      case "requested": {
        const seconds = ((nowMs - front.state.asks[0]!.sinceMs) / 1_000).toFixed(1);
        const from = front.state.asks.map(({ peerId }) => peerId.slice(0, 8)).join(" and ");
        return `${range} from ${from} for ${seconds} s`;
      }
      case "checking":
        return `the checks of ${range}`;
      case "checked":
      case "connecting":
        return `the store to take ${range}`;
    }
  }

  invariants(): void {
    this.chain.invariants();
    this.bodies.invariants();
  }
}
