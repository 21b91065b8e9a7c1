import test from "ava";
import {
  HEADER_OVERHEAD_BYTES,
  HeaderChain,
  headersToAsk,
} from "../../../src/actors/sync/header-chain.js";
import { chainOf, hashAt, headers, small } from "./plan-bench.js";

test("headers extend the tip, and a gap is a programmer's mistake", (t) => {
  const chain = chainOf(5);
  t.is(chain.tip.summary.height, 105);
  t.throws(() => chain.add(headers(107, 1)), { message: /continue the chain/ });
  chain.add(headers(106, 2));
  t.is(chain.tip.summary.height, 107);
  t.is(chain.hashAt(100), hashAt(100));
  t.is(chain.hashAt(107), hashAt(107));
  t.throws(() => chain.hashAt(108));
});

test("it asks for as many headers as there is room for, but not in driblets", (t) => {
  const chain = chainOf(0, { headersAheadMax: 100, headersPerRequest: 40 });
  const asked: number[] = [];
  while (chain.wanted > 0) {
    asked.push(chain.wanted);
    chain.add(headers(chain.tip.summary.height + 1, chain.wanted));
  }
  t.deepEqual(asked, [40, 40]);
  t.true(chain.full);
  chain.invariants();
  chain.connected(40);
  t.is(chain.wanted, 40, "half of the window is free again");
  chain.exhausted = true;
  t.is(chain.wanted, 0);
  t.false(chain.full);
});

test("headers with all that fits into them never take more memory than the plan counts", (t) => {
  const limits = { ...small, headersAheadMax: 1_024 };
  for (const bytes of [139, 600, 1_175]) {
    const chain = new HeaderChain(headers(100, 1)[0]!, limits);
    while (chain.wanted > 0) {
      chain.add(headers(chain.tip.summary.height + 1, chain.wanted, bytes));
      chain.invariants();
    }
    t.true(chain.count > 200 && chain.count <= 1_024, `${chain.count} of ${bytes} bytes`);
    t.true(chain.count * (bytes + HEADER_OVERHEAD_BYTES) <= 1_024 * 1_024);
  }
});

test("chains that are not chosen yet share the window", (t) => {
  const limits = { ...small, headersAheadMax: 1_024, headersPerRequest: 512 };
  t.true(headersToAsk(limits, 8) * 8 <= headersToAsk(limits, 1) * 8);
  const chain = new HeaderChain(headers(100, 1)[0]!, limits, 8);
  while (chain.wanted > 0) chain.add(headers(chain.tip.summary.height + 1, chain.wanted));
  t.true(chain.count <= 128, `${chain.count}`);
  chain.widen();
  t.true(chain.wanted > 128);
  // However small the window is, something can be asked for.
  t.true(headersToAsk({ ...small, headersAheadMax: 1 }, 8) >= 1);
});

test("a chain longer than the window is surveyed first, then followed by its marks", (t) => {
  const limits = { headersAheadMax: 10, headersPerRequest: 5 };
  const chain = chainOf(5, limits);
  chain.survey();
  t.true(chain.surveying);
  t.true(chain.wanted > 0);
  t.is(chain.tip.summary.height, 105);
  t.true(chain.add(headers(106, 7)));
  chain.survey();
  t.is(chain.tip.summary.height, 112);
  chain.retrace();
  t.is(chain.best.height, 112);
  t.is(chain.tip.summary.height, 100);
  t.true(chain.add(headers(101, 4)));
  t.is(chain.usableHeight, 0, "no mark is passed yet");
  t.true(chain.add(headers(105, 2)));
  t.is(chain.usableHeight, 105);
  chain.connected(5);
  t.is(chain.base.summary.height, 105);
  t.true(chain.add(headers(107, 7)));
  t.false(chain.retracing);
  t.is(chain.best.height, 113);
  t.is(chain.usableHeight, 113);
  chain.invariants();
});

test("headers that miss a mark of the survey are not taken for its chain", (t) => {
  const chain = chainOf(5, { headersAheadMax: 10, headersPerRequest: 5 });
  chain.survey();
  chain.add(headers(106, 2));
  chain.retrace();
  const forged = headers(101, 5);
  const last = { ...forged[4]!, summary: { ...forged[4]!.summary, hash: hashAt(999) } };
  t.false(chain.add([...forged.slice(0, 4), last]));
});
