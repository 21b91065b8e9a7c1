import test from "ava";
import { DEFAULTS } from "../../../src/config.js";
import type { MessageOf } from "../../../src/protocol/types/message.js";
import { makeChain } from "../../support/chain.js";
import { genesis } from "../support.js";
import { RETRY_MS, chain, config, isHeaders, start, tip } from "./sync-bench.js";

test("who brings headers one by one while another waits with a better chain loses its turn", async (t) => {
  const harness = start({ config, chain: chain.slice(0, 60) });
  const branch = makeChain(200, { fields: { extra: Uint8Array.of(3) } });
  const drip = harness.join(1, branch);
  let answered = 0;
  drip.answer = (request, honest) => {
    if (!isHeaders(request) || typeof honest === "string") return honest;
    const { headers } = honest as MessageOf<"ResponseHeaders">;
    const one = { kind: "ResponseHeaders", headers: headers.slice(0, 1) } as const;
    harness.clock.setTimer(200, () => drip.reply(request, one));
    answered++;
    return "silence";
  };
  await harness.settle();
  harness.join(2, chain);
  await harness.advance(2 * DEFAULTS.sync.stallMinMs);
  t.is(harness.head(), tip.hash);
  t.true(answered < 25, `${answered} answers`);
  // Alone it may be slow: nobody waits for it.
  await harness.advance(200 * DEFAULTS.sync.stallMinMs);
  t.is(harness.head(), branch.at(-1)!.header.hash);
});

test("nobody waits for headers while enough of them are at hand", async (t) => {
  const long = makeChain(300, { fields: { extra: Uint8Array.of(3) } });
  const harness = start({
    config: {
      sync: { ...config.sync, headersPerRequest: 128, headersFirst: 128, headersAheadMax: 2_048 },
    },
  });
  const slow = harness.join(1, long);
  // The bodies fill its line, and its next headers wait behind them.
  slow.answer = (_request, honest) => (slow.requests.length === 1 ? honest : "silence");
  await harness.settle();
  harness.join(2, long).answer = () => "silence";
  await harness.advance(5 * DEFAULTS.sync.stallMinMs);
  t.like(await harness.status(), { state: "syncing", targetHeight: 128 });
  t.false(harness.log.some(({ event }) => event.startsWith("a peer is slow with its headers")));
});

test("a branch that never shows more work than ours is given up, however long it is", async (t) => {
  const sync = { ...config.sync, headersAheadMax: 128, headersSurveyedMax: 128 };
  const harness = start({ config: { sync }, chain });
  const heavy = { ...harness.env.blocks.head(), totalDifficulty: 10n ** 9n };
  harness.stores.blocks.head = () => heavy;
  const liar = harness.join(1, makeChain(300, { fields: { extra: Uint8Array.of(3) } }), 10n ** 18n);
  await harness.advance(60 * RETRY_MS);
  t.true(liar.requests.length <= 20, `${liar.requests.length} requests`);
  t.true(liar.requests.every(isHeaders));
  t.like(await harness.status(), { state: "synced" });
});

test("a surveyed branch that our own chain overtakes is let go", async (t) => {
  const sync = { ...config.sync, headersAheadMax: 32 };
  const harness = start({ config: { sync }, chain });
  const branch = makeChain(300, { fields: { extra: Uint8Array.of(3) } });
  // As heavy as a hundred of its blocks, which do not fit into the window.
  const head = harness.env.blocks.head();
  let { totalDifficulty } = branch[99]!.header;
  harness.stores.blocks.head = () => ({ ...head, totalDifficulty });
  const peer = harness.join(1, branch);
  peer.answer = (request, honest) => {
    const { message } = request;
    const again = message.kind === "RequestHeaders" && message.locator[0] === genesis.header.hash;
    // Its headers are asked for once more, and gossip brings us a better chain meanwhile.
    if (again) totalDifficulty = 10n ** 9n;
    return honest;
  };
  await harness.advance(2 * RETRY_MS);
  t.is(totalDifficulty, 10n ** 9n, "the survey found it heavier");
  t.true(peer.requests.every(isHeaders));
  t.like(await harness.status(), { state: "synced" });
});

test("a surveyed branch whose peer leaves before its headers came again makes room for others", async (t) => {
  const sync = { ...config.sync, headersAheadMax: 128 };
  const harness = start({ config: { sync }, chain });
  const branch = makeChain(300, { fields: { extra: Uint8Array.of(3) } });
  // As heavy as a hundred of its blocks, which do not fit into its share of the window.
  const head = harness.env.blocks.head();
  const { totalDifficulty } = branch[99]!.header;
  const gone = harness.join(1, branch);
  let again = false;
  gone.answer = ({ message }, honest) => {
    if (again) {
      harness.leave(gone);
      return "silence";
    }
    again = gone.requests.length > 1 && (message as Locating).locator[0] === genesis.header.hash;
    if (!again) return honest;
    // One header, and the first mark comes after several.
    harness.stores.blocks.head = honestHead;
    const { headers } = honest as MessageOf<"ResponseHeaders">;
    return { kind: "ResponseHeaders", headers: headers.slice(0, 1) };
  };
  const honestHead = harness.stores.blocks.head.bind(harness.stores.blocks);
  harness.stores.blocks.head = () => ({ ...head, totalDifficulty });
  await harness.advance(2 * RETRY_MS);
  t.true(again, "its headers were asked for once more");
  harness.join(2, branch);
  await harness.advance(10 * RETRY_MS);
  t.is(harness.head(), branch.at(-1)!.header.hash);
});

type Locating = MessageOf<"RequestHeaders">;
