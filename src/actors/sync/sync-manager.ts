// SyncManager: the plan of one sync session. Proven headers of one peer's chain, cut into ranges
// that several peers serve, checked in tasks out of order and handed out to be connected in order.
// Pure: it is told what happened and asked what to do next; the sync service does it.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { CheckedBlock, Fault, HashHex, HeaderSummary } from "../../chain/types.js";
import type { PeerId } from "../../ports.js";

type Settings = NetworkConfig["sync"];

export interface ProvenHeader {
  readonly summary: HeaderSummary;
  readonly bytes: Uint8Array;
}

/** A peer that could serve, as the service sees it now. */
export interface ServingPeer {
  readonly peerId: PeerId;
  readonly claimedHeight: bigint;
  /** 0-1 by its performance, and 1 more for the peer whose headers are at hand. */
  readonly score: number;
}

/** A header that a chain must have, because its work was counted with it. */
type Mark = Pick<HeaderSummary, "height" | "hash">;

/** Consecutive blocks asked of one peer at a time. */
export interface Range {
  readonly fromHeight: number;
  readonly count: number;
  state: "wanted" | "requested" | "checking" | "checked" | "connecting";
  /** Who is asked, or sent the blocks. */
  peerId: PeerId | undefined;
  /** The newest request; answers to older ones are stale. */
  request: number;
  requestedMs: number;
  /** Peers that failed on it. */
  readonly tried: Set<PeerId>;
  /** How often the one whose headers these are did not deliver it. */
  withheld: number;
  bytes: number;
  tasksOpen: number;
  readonly checked: CheckedBlock[];
}

export interface RangeRequest {
  readonly request: number;
  readonly peerId: PeerId;
  readonly fromHeight: number;
  readonly count: number;
  readonly lastHash: HashHex;
}

/** Blocks for one pool job. */
export interface CheckTask {
  readonly task: number;
  readonly range: Range;
  readonly fromHeight: number;
  readonly blocks: readonly Uint8Array[];
  readonly parentHeader: Uint8Array;
}

/** Smoothing of the mean block size. */
const GAIN = 1 / 8;
const BLOCK_BYTES_GUESS = 16 * 1024;
/**
 * Whoever offers a chain and fails so often on one range of it withholds it: others had their turn
 * in between, and a session must not be held by a promise.
 */
const WITHHELD_MAX = 2;
/** Rules that a server can break by itself, with a good header: its block is not the chain's. */
const SERVER_RULES: ReadonlySet<Fault["rule"]> = new Set(["encoding", "size", "root"]);

export class SyncManager {
  readonly id: number;
  /** Whose headers these are. */
  readonly headerPeer: PeerId;
  readonly #settings: Settings;
  /** Headers above `#base`, ascending without a gap; during a survey those after its last mark. */
  readonly #headers: ProvenHeader[] = [];
  /**
   * Set while headers are surveyed: more of them than there is room for were checked before their
   * work exceeded ours, and only this one is kept of them.
   */
  #surveyed: ProvenHeader | undefined;
  #surveyedCount = 0;
  /** The best header of a survey that found the heavier chain. */
  #promised: HeaderSummary | undefined;
  /** What the survey passed, ascending: its headers, which come once more, must pass it too. */
  readonly #marks: Mark[] = [];
  /** The height of the last mark that was passed. */
  #passedHeight = 0;
  /** The block below the first header: connected. */
  #base: ProvenHeader;
  /** Ranges that are not connected yet, ascending without a gap. */
  readonly #ranges: Range[] = [];
  readonly #tasks = new Map<number, CheckTask>();
  readonly #tasksWaiting: CheckTask[] = [];
  #meanBlockBytes = BLOCK_BYTES_GUESS;
  #nextRequest = 1;
  #nextTask = 1;
  #stallMs: number;
  /** The header peer has no more headers, or no more of them are wanted. */
  exhausted = false;

  constructor(id: number, headerPeer: PeerId, fork: ProvenHeader, settings: Settings) {
    this.id = id;
    this.headerPeer = headerPeer;
    this.#base = fork;
    this.#settings = settings;
    this.#stallMs = settings.stallMinMs;
  }

  /** The best proven header. */
  get tip(): ProvenHeader {
    return this.#headers.at(-1) ?? this.#surveyed ?? this.#base;
  }

  /** The best header that the chain is known to have, whether it is at hand or not. */
  get best(): HeaderSummary {
    return this.#promised ?? this.tip.summary;
  }

  get base(): ProvenHeader {
    return this.#base;
  }

  get wantsHeaders(): boolean {
    return !this.exhausted && this.#headers.length < this.#settings.headersAheadMax;
  }

  get headersFull(): boolean {
    return this.#headers.length >= this.#settings.headersAheadMax;
  }

  /** Proven headers that no connected block has. */
  get headersAhead(): number {
    return this.#headers.length;
  }

  get surveying(): boolean {
    return this.#surveyed !== undefined;
  }

  /** Headers of a survey come once more, and its end is not reached yet. */
  get retracing(): boolean {
    return this.#promised !== undefined;
  }

  /** Nothing was asked for or is under way: only headers so far. */
  get idle(): boolean {
    return this.#ranges.length === 0;
  }

  /** Bodies are under way, being checked or about to be connected. */
  get busy(): boolean {
    const wanted = this.#ranges.findIndex(({ state }) => state === "wanted");
    // Checked bodies behind a wanted range go nowhere by themselves.
    return this.#ranges.some(
      ({ state }, index) =>
        state !== "wanted" && (state !== "checked" || wanted === -1 || index < wanted),
    );
  }

  /** Something is wanted and nobody was found to ask for any of it. */
  get starved(): boolean {
    return !this.idle && !this.busy;
  }

  get done(): boolean {
    return this.exhausted && this.#headers.length === 0;
  }

  get bytesInFlight(): number {
    let bytes = 0;
    for (const range of this.#ranges) {
      bytes += range.bytes > 0 ? range.bytes : range.count * this.#meanBlockBytes;
    }
    return bytes;
  }

  /**
   * Extends the plan by headers that were proven on top of `tip`. False: they leave the chain whose
   * work was counted.
   */
  addHeaders(headers: readonly ProvenHeader[]): boolean {
    for (const header of headers) {
      const { height, hash, previousHash } = header.summary;
      invariant(previousHash === this.tip.summary.hash, "headers do not continue the plan");
      this.#headers.push(header);
      const mark = this.#marks[0];
      if (this.surveying || mark === undefined || height < mark.height) continue;
      if (hash !== mark.hash) return false;
      this.#marks.shift();
      this.#passedHeight = height;
      if (this.#marks.length === 0) this.#promised = undefined;
    }
    return true;
  }

  /**
   * There is no room for more headers and their work does not exceed ours yet: goes on with a mark
   * in place of them. A branch of many light blocks is followed so in bounded memory.
   */
  survey(): void {
    invariant(this.idle && this.#promised === undefined, "a survey comes before the bodies");
    const passed = this.#headers.splice(0, this.#settings.headersAheadMax);
    this.#surveyed = passed.at(-1);
    invariant(this.#surveyed !== undefined, "a survey of no headers");
    this.#surveyedCount += passed.length;
    const { height, hash } = this.#surveyed.summary;
    this.#marks.push({ height, hash });
    if (this.#surveyedCount >= this.#settings.headersSurveyedMax) this.exhausted = true;
  }

  /** The surveyed chain is heavier: its headers are asked for once more, and held to the marks. */
  retrace(): void {
    this.#promised = this.tip.summary;
    const { height, hash } = this.#promised;
    if (this.#headers.length > 0) this.#marks.push({ height, hash });
    this.#headers.length = 0;
    this.#surveyed = undefined;
    this.exhausted = false;
  }

  /** Cuts new ranges and assigns wanted ones; the caller sends the requests. */
  assign(peers: readonly ServingPeer[], nowMs: number): RangeRequest[] {
    const requests: RangeRequest[] = [];
    const load = this.#loads();
    for (;;) {
      const range = this.#ranges.find(({ state }) => state === "wanted") ?? this.#cutRange();
      if (range === undefined) return requests;
      const peer = this.#choose(range, peers, load);
      if (peer === undefined) return requests;
      range.state = "requested";
      range.peerId = peer;
      range.request = this.#nextRequest++;
      range.requestedMs = nowMs;
      load.set(peer, (load.get(peer) ?? 0) + 1);
      const { request, fromHeight, count } = range;
      const lastHash = this.#header(fromHeight + count - 1).summary.hash;
      requests.push({ request, peerId: peer, fromHeight, count, lastHash });
    }
  }

  /** The range of a request, unless the answer is stale. */
  rangeOf(request: number): Range | undefined {
    return this.#ranges.find((range) => range.request === request && range.state === "requested");
  }

  /** Ranges that a peer is asked for. */
  get requestedCount(): number {
    return this.#ranges.filter(({ state }) => state === "requested").length;
  }

  /** Requested → Wanted. */
  failed(range: Range): void {
    if (range.peerId !== undefined) range.tried.add(range.peerId);
    range.state = "wanted";
    range.peerId = undefined;
    range.request = 0;
    range.bytes = 0;
  }

  /**
   * Requested → Wanted, because its peer did not deliver. True: that was the one who offered the
   * chain, and once too often.
   */
  undelivered(range: Range): boolean {
    if (range.peerId === this.headerPeer) range.withheld++;
    this.failed(range);
    return range.withheld >= WITHHELD_MAX;
  }

  /** After a pause: peers that failed on a range may be asked for it once more. */
  forgive(): void {
    for (const range of this.#ranges) if (range.state === "wanted") range.tried.clear();
  }

  /** A peer went away: what it was asked for is wanted again. */
  peerGone(peerId: PeerId): void {
    for (const range of this.#ranges) {
      if (range.peerId === peerId && range.state === "requested") this.failed(range);
      range.tried.delete(peerId);
    }
  }

  /** Requested → Checking, for the blocks that came; a rest becomes a wanted range of its own. */
  received(range: Range, blocks: readonly Uint8Array[]): void {
    const place = this.#ranges.indexOf(range);
    let current = range;
    if (blocks.length < range.count) {
      const rest = newRange(range.fromHeight + blocks.length, range.count - blocks.length);
      current = { ...range, count: blocks.length };
      this.#ranges.splice(place, 1, current, rest);
    }
    current.state = "checking";
    current.bytes = blocks.reduce((sum, { length }) => sum + length, 0);
    this.#meanBlockBytes += GAIN * (current.bytes / blocks.length - this.#meanBlockBytes);
    this.#stallMs = Math.max(this.#settings.stallMinMs, this.#stallMs * 0.85);
    this.#cutTasks(current, blocks);
  }

  /** The next task for the pool, lowest blocks first. */
  nextTask(): CheckTask | undefined {
    const task = this.#tasksWaiting.shift();
    if (task !== undefined) this.#tasks.set(task.task, task);
    return task;
  }

  get tasksRunning(): number {
    return this.#tasks.size;
  }

  get tasksWaiting(): number {
    return this.#tasksWaiting.length;
  }

  task(task: number): CheckTask | undefined {
    return this.#tasks.get(task);
  }

  /** The pool lost the task or its blocks are wrong: the whole range is asked for again. */
  taskLost({ task, range }: CheckTask): void {
    this.#tasks.delete(task);
    for (const [id, other] of this.#tasks) if (other.range === range) this.#tasks.delete(id);
    for (let i = this.#tasksWaiting.length - 1; i >= 0; i--) {
      if (this.#tasksWaiting[i]!.range === range) this.#tasksWaiting.splice(i, 1);
    }
    range.tasksOpen = 0;
    range.checked.length = 0;
    this.failed(range);
  }

  /** True when these are the blocks that the headers promise. */
  matches({ fromHeight }: CheckTask, blocks: readonly CheckedBlock[]): boolean {
    return blocks.every(
      ({ header }, index) => header.hash === this.#header(fromHeight + index).summary.hash,
    );
  }

  taskDone({ task, range }: CheckTask, blocks: readonly CheckedBlock[]): void {
    this.#tasks.delete(task);
    range.checked.push(...blocks);
    range.tasksOpen--;
    if (range.tasksOpen > 0) return;
    invariant(range.checked.length === range.count, "a range without all of its blocks");
    range.checked.sort((a, b) => a.header.height - b.header.height);
    range.state = "checked";
  }

  /** Checked → Connecting, in order; the caller hands them to consensus in this order. */
  nextToConnect(): Range | undefined {
    for (const range of this.#ranges) {
      if (range.state === "connecting") continue;
      if (range.state !== "checked") return undefined;
      range.state = "connecting";
      return range;
    }
    return undefined;
  }

  /** The first range is connected and durable. */
  connected(): Range {
    const range = this.#ranges.shift();
    invariant(range?.state === "connecting", "connected what was not handed out");
    this.#base = this.#header(range.fromHeight + range.count - 1);
    this.#headers.splice(0, range.count);
    return range;
  }

  /** Whether the fault of a block says that the chain of these headers is invalid. */
  faultIsChains(fault: Fault, server: PeerId | undefined): boolean {
    return !SERVER_RULES.has(fault.rule) || server === this.headerPeer;
  }

  /** The front range, when its peer keeps everybody waiting and another one may have it. */
  stalled(peers: readonly ServingPeer[], nowMs: number): Range | undefined {
    const front = this.#ranges[0];
    if (front?.state !== "requested" || nowMs - front.requestedMs < this.#stallMs) return undefined;
    const others = peers.some((peer) => peer.peerId !== front.peerId && mayServe(peer, front));
    if (!others) return undefined;
    this.#stallMs = Math.min(this.#settings.stallMaxMs, this.#stallMs * 2);
    return front;
  }

  hashAt(height: number): HashHex {
    return this.#header(height).summary.hash;
  }

  /** Who sent the block of this hash, while its range is held. */
  serverOf(hash: HashHex): PeerId | undefined {
    return this.#ranges.find(({ checked }) => checked.some(({ header }) => header.hash === hash))
      ?.peerId;
  }

  /** What the session waits for, in plain words. */
  waitingFor(nowMs: number): string {
    const front = this.#ranges[0];
    if (front === undefined) return `headers from ${this.headerPeer.slice(0, 8)}`;
    const range = `blocks ${front.fromHeight} to ${front.fromHeight + front.count - 1}`;
    switch (front.state) {
      case "wanted":
        return `a peer that serves ${range}`;
      case "requested": {
        const seconds = ((nowMs - front.requestedMs) / 1_000).toFixed(1);
        return `${range} from ${front.peerId?.slice(0, 8) ?? "nobody"} for ${seconds} s`;
      }
      case "checking":
        return `the checks of ${range}`;
      case "checked":
      case "connecting":
        return `the store to take ${range}`;
    }
  }

  invariants(): void {
    let height = this.#base.summary.height + 1;
    for (const range of this.#ranges) {
      invariant(range.fromHeight === height, "ranges have a gap");
      height += range.count;
    }
    const lastHeight = this.tip.summary.height;
    invariant(height - 1 <= lastHeight, "a range beyond the headers");
    const { bytesInFlightMax, headersAheadMax } = this.#settings;
    invariant(this.#headers.length <= 2 * headersAheadMax, `${this.#headers.length} headers`);
    // Ranges are asked for by the size that blocks had so far; the memory plan counts twice the limit.
    invariant(this.bytesInFlight <= 2 * bytesInFlightMax, `${this.bytesInFlight} bytes in flight`);
  }

  /** The header at a height; that of `#base` for the parent of the first one. */
  #header(height: number): ProvenHeader {
    const index = height - this.#base.summary.height - 1;
    const header = index === -1 ? this.#base : this.#headers[index];
    invariant(header !== undefined, `no header at height ${height}`);
    return header;
  }

  #loads(): Map<PeerId, number> {
    const load = new Map<PeerId, number>();
    for (const { state, peerId } of this.#ranges) {
      if (state === "requested" && peerId !== undefined) {
        load.set(peerId, (load.get(peerId) ?? 0) + 1);
      }
    }
    return load;
  }

  /** The least loaded of the peers that may serve the range, the better score first. */
  #choose(
    range: Range,
    peers: readonly ServingPeer[],
    load: ReadonlyMap<PeerId, number>,
  ): PeerId | undefined {
    let best: ServingPeer | undefined;
    for (const peer of peers) {
      if (!mayServe(peer, range)) continue;
      if (loadOf(peer, load) >= this.#settings.rangesPerPeerMax) continue;
      if (best === undefined || ranks(peer, load) > ranks(best, load)) best = peer;
    }
    return best?.peerId;
  }

  #cutRange(): Range | undefined {
    const { rangeBytesTarget, rangeBlocksMax, bytesInFlightMax } = this.#settings;
    const end = this.#ranges.at(-1);
    const from = end === undefined ? this.#base.summary.height + 1 : end.fromHeight + end.count;
    // Behind the last mark that was passed, headers may still turn out to be another chain's.
    const last = this.retracing ? this.#passedHeight : this.tip.summary.height;
    const left = last - from + 1;
    if (left <= 0 || this.bytesInFlight >= bytesInFlightMax) return undefined;
    const fits = Math.max(1, Math.floor(rangeBytesTarget / this.#meanBlockBytes));
    const range = newRange(from, Math.min(left, fits, rangeBlocksMax));
    this.#ranges.push(range);
    return range;
  }

  #cutTasks(range: Range, blocks: readonly Uint8Array[]): void {
    let start = 0;
    while (start < blocks.length) {
      let end = start;
      let bytes = 0;
      while (end < blocks.length && bytes < this.#settings.taskBytesTarget) {
        bytes += blocks[end]!.length;
        end++;
      }
      const fromHeight = range.fromHeight + start;
      this.#tasksWaiting.push({
        task: this.#nextTask++,
        range,
        fromHeight,
        blocks: blocks.slice(start, end),
        parentHeader: this.#header(fromHeight - 1).bytes,
      });
      range.tasksOpen++;
      start = end;
    }
    this.#tasksWaiting.sort((a, b) => a.fromHeight - b.fromHeight);
  }
}

function newRange(fromHeight: number, count: number): Range {
  return {
    fromHeight,
    count,
    state: "wanted",
    peerId: undefined,
    request: 0,
    requestedMs: 0,
    tried: new Set(),
    withheld: 0,
    bytes: 0,
    tasksOpen: 0,
    checked: [],
  };
}

function mayServe({ peerId, claimedHeight }: ServingPeer, range: Range): boolean {
  return claimedHeight >= range.fromHeight + range.count - 1 && !range.tried.has(peerId);
}

function loadOf({ peerId }: ServingPeer, load: ReadonlyMap<PeerId, number>): number {
  return load.get(peerId) ?? 0;
}

function ranks(peer: ServingPeer, load: ReadonlyMap<PeerId, number>): number {
  return peer.score - loadOf(peer, load);
}

/**
 * Block hashes from the head back to genesis, dense at first, then at doubling distances: the other
 * side finds the last one in common in one round (Bitcoin's block locator). The block at `depthMax`
 * is always named: who does not have it forks too deep, and who has it need not begin below it.
 */
export function locatorOf(
  headHeight: number,
  hashAt: (height: number) => HashHex | undefined,
  { hashesMax, depthMax }: { readonly hashesMax: number; readonly depthMax: number },
): HashHex[] {
  const locator: HashHex[] = [];
  const limit = headHeight - depthMax;
  let step = 1;
  let height = headHeight;
  while (height > 0 && locator.length < hashesMax - 1) {
    const hash = hashAt(height);
    if (hash !== undefined) locator.push(hash);
    if (locator.length >= 8) step *= 2;
    const next = height - step;
    height = next < limit && limit < height ? limit : next;
  }
  const genesis = hashAt(0);
  if (genesis !== undefined) locator.push(genesis);
  return locator;
}
