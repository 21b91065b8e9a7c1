// One announcer of a Fetcher: what it offers, what it owes, and what its record allows it. Pure.

export interface FetchLimits {
  readonly idsPerRequestMax: number;
  /** Unanswered requests of one announcer. */
  readonly requestsPerAnnouncerMax: number;
  /** The most that one body, and one whole answer, may have. */
  readonly bodyBytesMax: number;
  readonly answerBytesMax: number;
  /** What all requests together may bring, and what their owner still holds of what they brought. */
  readonly bytesMax: number;
  /** Offers (an id of an announcer) that wait for their turn; of one, and of all together. */
  readonly offersPerAnnouncerMax: number;
  readonly offersMax: number;
  /** The least time for which one announcer is waited for while others could be asked. */
  readonly patienceMinMs: number;
}

export interface Announcer<Id, Source> {
  readonly source: Source;
  /** Not asked of it yet: since when it offers them, the oldest first. */
  readonly offers: Map<Id, number>;
  /** Unanswered. */
  readonly requests: Set<Request<Id, Source>>;
  /** Ids in these. */
  askedCount: number;
  /** Requests that it may owe: one more for each that brings something, half at a failure. */
  window: number;
  /** Ids in a request: as many as its answers settle. */
  batch: number;
  /** Above 0 counts failures, below it answers in full since the last one. */
  record: number;
  /** Smoothed. */
  responseMs: number | undefined;
  /** It said that it is busy. */
  restsUntilMs: number;
  /** Nothing could be asked of it when this many changes had been counted. */
  fruitless: number;
}

export interface Request<Id, Source> {
  readonly tag: number;
  readonly announcer: Announcer<Id, Source>;
  readonly ids: readonly Id[];
  readonly sinceMs: number;
  readonly dueMs: number;
  /** The most that its answer may have; 0 once it is late. */
  leaseBytes: number;
  late: boolean;
}

/** An announcer's first request asks for so many ids, and so many requests are its first. */
const BATCH_FIRST = 128;
const WINDOW_FIRST = 2;
/** Good answers that count, so that a long good record is lost as fast as a short one. */
const RECORD_BEST = -8;
const RECORD_WORST = 8;
/** How long one is waited for that has not answered before. */
const PATIENCE_FIRST_MS = 500;
const PATIENCE_MAX_MS = 4_000;
/** Twice the usual is late. */
const PATIENCE_FACTOR = 2;
/** RFC 6298's gain. */
const GAIN = 1 / 8;
/** A busy announcer is left alone for so long. */
const REST_MS = 1_000;

export function newAnnouncer<Id, Source>(
  source: Source,
  { requestsPerAnnouncerMax }: FetchLimits,
): Announcer<Id, Source> {
  return {
    source,
    offers: new Map(),
    requests: new Set(),
    askedCount: 0,
    window: Math.min(WINDOW_FIRST, requestsPerAnnouncerMax),
    batch: BATCH_FIRST,
    record: 0,
    responseMs: undefined,
    restsUntilMs: Number.NEGATIVE_INFINITY,
    fruitless: -1,
  };
}

export function isFree<Id, Source>(
  { requests, window, restsUntilMs }: Announcer<Id, Source>,
  nowMs: number,
): boolean {
  return requests.size < window && restsUntilMs <= nowMs;
}

/** The best record of those that can be asked, of equals the first. */
export function bestOf<Id, Source>(
  offeredBy: readonly Announcer<Id, Source>[],
  nowMs: number,
): Announcer<Id, Source> | undefined {
  let best: Announcer<Id, Source> | undefined;
  for (const announcer of offeredBy) {
    if (best !== undefined && announcer.record >= best.record) continue;
    if (isFree(announcer, nowMs)) best = announcer;
  }
  return best;
}

/** How long a request to it is waited for while others could be asked. */
export function patienceMs<Id, Source>(
  { responseMs }: Announcer<Id, Source>,
  { patienceMinMs }: FetchLimits,
): number {
  if (responseMs === undefined) return Math.max(patienceMinMs, PATIENCE_FIRST_MS);
  return Math.max(patienceMinMs, Math.min(PATIENCE_FACTOR * responseMs, PATIENCE_MAX_MS));
}

/** An answer settled so many ids, after so long; `short`: the rest may have been cut off. */
export function delivered<Id, Source>(
  announcer: Announcer<Id, Source>,
  answer: { readonly count: number; readonly short: boolean; readonly elapsedMs: number },
  limits: FetchLimits,
): void {
  const { responseMs: usual, batch } = announcer;
  const { count, short, elapsedMs } = answer;
  announcer.responseMs = usual === undefined ? elapsedMs : usual + GAIN * (elapsedMs - usual);
  announcer.window = Math.min(announcer.window + 1, limits.requestsPerAnnouncerMax);
  if (short) announcer.batch = Math.min(count, batch);
  else nothingCutOff(announcer, count, limits);
  if (!short) announcer.record = Math.max(announcer.record - 1, RECORD_BEST);
}

/**
 * An answer settled all of so many ids. Also an empty one: it has none of them, and should hold up
 * those that follow for no longer than it must.
 */
export function nothingCutOff<Id, Source>(
  announcer: Announcer<Id, Source>,
  count: number,
  { idsPerRequestMax }: FetchLimits,
): void {
  announcer.batch = Math.min(Math.max(announcer.batch, 2 * count), idsPerRequestMax);
}

/** Good records are lost at once, so that nobody can save up for a failure. */
export function failed<Id, Source>(announcer: Announcer<Id, Source>): void {
  announcer.record = Math.min(Math.max(announcer.record, 0) + 1, RECORD_WORST);
  announcer.window = Math.max(1, announcer.window >> 1);
}

export function rest<Id, Source>(announcer: Announcer<Id, Source>, nowMs: number): void {
  announcer.restsUntilMs = nowMs + REST_MS;
}

/** Whoever failed before is not waited for when a better one has it too. */
export function givesWay<Id, Source>(
  { announcer, late }: Request<Id, Source>,
  to: Announcer<Id, Source>,
): boolean {
  return late || (announcer.record > 0 && announcer.record > to.record);
}
