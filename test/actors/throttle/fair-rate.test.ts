import test from "ava";
import { FairRate, type Share } from "../../../src/actors/throttle/fair-rate.js";
import { RANK, type Rank } from "../../../src/protocol/codec/rank.js";

const KIB = 1_024;
const BYTES_PER_SECOND = 1_024 * KIB;

/** Connections that send as much as they may, in pieces of their own size, for as long as they want. */
class Line {
  readonly rate = new FairRate();
  nowMs = 0;
  readonly #senders: Sender[] = [];
  #tip: TipSender | undefined;

  constructor(bytesPerSecond = BYTES_PER_SECOND, peerBytesPerSecond = 0) {
    this.rate.setRates({ bytesPerSecond, peerBytesPerSecond }, 0);
  }

  /** With whom it shares a connection, if with anybody. */
  sender(
    name: string,
    pieceBytes: number,
    rank: Rank = RANK.history,
    key = name,
    shared?: Share,
  ): Sender {
    const onTurn = (): void => sender.send();
    const share = shared ?? this.rate.share({ name, key, onTurn }, this.nowMs);
    const sender = new Sender(this, share, pieceBytes, rank);
    this.#senders.push(sender);
    return sender;
  }

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (const sender of this.#senders) sender.send();
    while (this.nowMs < untilMs) {
      this.nowMs += 1;
      this.rate.turn(this.nowMs);
      this.#tip?.send();
    }
  }

  /** One that always has blocks of the tip, and sends in advance what it may. */
  get tip(): TipSender {
    return (this.#tip ??= new TipSender(this, () => this.#senders));
  }
}

class Sender {
  sentBytes = 0;
  isOn = true;
  readonly share: Share;
  readonly #line: Line;
  readonly #pieceBytes: number;
  readonly #rank: Rank;

  constructor(line: Line, share: Share, pieceBytes: number, rank: Rank) {
    this.#line = line;
    this.share = share;
    this.#pieceBytes = pieceBytes;
    this.#rank = rank;
  }

  send(): void {
    if (!this.isOn) return;
    while (this.share.ask(this.#rank, this.#line.nowMs) > 0) {
      this.share.spent(this.#rank, this.#pieceBytes);
      this.sentBytes += this.#pieceBytes;
    }
  }
}

class TipSender {
  sentBytes = 0;
  readonly share: Share;
  readonly #line: Line;

  /** `others`: those that share its connection, and have their turns with it. */
  constructor(line: Line, others: () => readonly Sender[]) {
    this.#line = line;
    const onTurn = (): void => others().forEach((sender) => sender.send());
    this.share = line.rate.share({ name: "tip", key: "tip", onTurn }, line.nowMs);
  }

  send(): void {
    const { nowMs } = this.#line;
    while (this.share.mayOverdraw(nowMs)) {
      this.share.overdrew(64 * KIB);
      this.sentBytes += 64 * KIB;
    }
    while (this.share.ask(RANK.tip, nowMs) > 0) {
      this.share.spent(RANK.tip, 64 * KIB);
      this.sentBytes += 64 * KIB;
    }
  }
}

test("those that want all of a line have equal parts of it, however small their pieces", (t) => {
  const line = new Line();
  const senders = [100, 4 * KIB, 60 * KIB, 64 * KIB].map((bytes) => line.sender(`${bytes}`, bytes));
  line.run(10_000);
  const sums = senders.map(({ sentBytes }) => sentBytes);
  const fair = (10 * BYTES_PER_SECOND) / 4;
  for (const sum of sums) t.true(Math.abs(sum - fair) <= 0.1 * fair, `${sums.join()}`);
});

test("several connections of one neighbour have the part of one", (t) => {
  const line = new Line();
  const alone = line.sender("alone", 16 * KIB);
  const many = [1, 2, 3].map((n) => line.sender(`many ${n}`, 16 * KIB, RANK.history, "many"));
  line.run(10_000);
  const together = many.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  t.true(Math.abs(alone.sentBytes - together) <= 0.05 * together);
  for (const { sentBytes } of many) t.true(Math.abs(sentBytes - together / 3) <= 0.1 * together);
});

test("what nobody else wants is for whoever does", (t) => {
  const line = new Line();
  const idle = line.sender("idle", 16 * KIB);
  idle.isOn = false;
  const busy = line.sender("busy", 16 * KIB);
  line.run(4_000);
  t.true(busy.sentBytes >= 3.9 * BYTES_PER_SECOND);
  t.is(idle.sentBytes, 0);
});

test("transactions go before history, which is not starved by them", (t) => {
  const line = new Line();
  const history = line.sender("history", 16 * KIB, RANK.history);
  const transactions = line.sender("transactions", 16 * KIB, RANK.transactions);
  line.run(8_000);
  t.true(transactions.sentBytes >= 2.5 * history.sentBytes);
  t.true(history.sentBytes >= BYTES_PER_SECOND);
});

for (const [what, rates] of [
  ["line", [BYTES_PER_SECOND, 0]],
  ["connection", [0, BYTES_PER_SECOND]],
] as const) {
  test(`the others have a small part of a ${what} that the tip would fill, by turns and in advance`, (t) => {
    const line = new Line(...rates);
    const one = (name: string, rank: Rank) => {
      const share = what === "line" ? undefined : line.tip.share;
      return line.sender(name, 16 * KIB, rank, name, share);
    };
    line.tip.send();
    const [transactions, history] = [one("new", RANK.transactions), one("old", RANK.history)];
    line.run(40_000);
    const rest = transactions.sentBytes + history.sentBytes;
    const all = rest + line.tip.sentBytes;
    t.true(rest >= all / 32 && rest <= all / 8, `${rest} of ${all}`);
    t.true(history.sentBytes >= rest / 8, `${history.sentBytes} of ${rest}`);
    const most = 40 * BYTES_PER_SECOND + 9 * 1_024 * KIB;
    t.true(all <= most, `${all} of ${most} bytes`);
  });
}

test("each connection keeps to its own limit, and does not hold up the others", (t) => {
  const line = new Line(0, 128 * KIB);
  const one = line.sender("one", 16 * KIB);
  line.run(2_000);
  const two = line.sender("two", 16 * KIB);
  line.run(8_000);
  t.true(Math.abs(one.sentBytes - 10 * 128 * KIB) <= 64 * KIB, `${one.sentBytes}`);
  t.true(Math.abs(two.sentBytes - 8 * 128 * KIB) <= 64 * KIB, `${two.sentBytes}`);
});

test("what is sent in advance is paid for by the rest, and has an end", (t) => {
  const line = new Line();
  const history = line.sender("history", 16 * KIB);
  const tip = line.rate.share({ name: "news", key: "news", onTurn: () => undefined }, 0);
  line.run(1_000);
  let advanceBytes = 0;
  while (tip.mayOverdraw(line.nowMs)) {
    tip.overdrew(64 * KIB);
    advanceBytes += 64 * KIB;
  }
  t.true(advanceBytes >= 7.9 * BYTES_PER_SECOND && advanceBytes <= 8.2 * BYTES_PER_SECOND);
  const before = history.sentBytes;
  line.run(7_000);
  const meanwhile = history.sentBytes - before;
  t.true(meanwhile <= 7 * (BYTES_PER_SECOND / 8), `${meanwhile} bytes beside what is repaid`);
  line.run(5_000);
  t.true(history.sentBytes - before > 2 * meanwhile);
});

test("a limit that is taken away lets everybody go, and a new one holds at once", (t) => {
  const line = new Line(64 * KIB);
  const sender = line.sender("one", 16 * KIB);
  line.run(1_000);
  t.true(sender.share.isHeld);
  sender.isOn = false;
  line.rate.setRates({ bytesPerSecond: 0, peerBytesPerSecond: 0 }, line.nowMs);
  t.false(sender.share.isHeld);
  t.false(sender.share.isLimited);
  t.is(line.rate.waitMs(line.nowMs), Number.POSITIVE_INFINITY);
  line.rate.setRates({ bytesPerSecond: 128 * KIB, peerBytesPerSecond: 0 }, line.nowMs);
  sender.isOn = true;
  const before = sender.sentBytes;
  line.run(4_000);
  t.true(Math.abs(sender.sentBytes - before - 4 * 128 * KIB) <= 64 * KIB);
});

test("how long each was held is told once, and what has ended is not waited for", (t) => {
  const line = new Line(64 * KIB);
  const [one, other] = [line.sender("one", 32 * KIB), line.sender("other", 32 * KIB)];
  line.run(4_000);
  const heldMs = one.share.takeHeldMs(line.nowMs);
  t.true(heldMs > 3_000 && heldMs <= 4_000, `${heldMs}`);
  t.is(one.share.takeHeldMs(line.nowMs), 0);
  t.true(line.rate.isHeld("one") || line.rate.isHeld("other"));
  for (const { share } of [one, other]) share.release();
  t.is(line.rate.heldCount, 0);
  t.is(line.rate.waitMs(line.nowMs), Number.POSITIVE_INFINITY);
});
