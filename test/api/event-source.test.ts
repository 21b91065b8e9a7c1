// GET /events as the EventSource of a browser uses it: another implementation of the standard than ours.

import { setTimeout } from "node:timers/promises";
import test from "ava";
import { EventSource } from "eventsource";
import { openHttpServer } from "../../src/api/server.js";
import { startNetwork } from "../../src/index.js";
import { silentLog } from "../../src/log.js";

test("an EventSource hears of blocks, and loses none when its connection is cut", async (t) => {
  const network = await startNetwork({
    pool: { inline: true },
    produce: true,
    producer: { intervalMs: 20 },
  });
  t.teardown(() => network.stop());
  const first = await openHttpServer({ address: "127.0.0.1:0", network, log: silentLog });
  const address = new URL(first.address).host;
  const source = new EventSource(`${first.address}/events?types=block.connected`);
  t.teardown(() => source.close());
  const heights: number[] = [];
  let opened = 0;
  source.addEventListener("open", () => opened++);
  source.addEventListener("block.connected", ({ data }) => {
    heights.push((JSON.parse(data as string) as { height: number }).height);
  });
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await setTimeout(20);
  };
  await until(() => heights.length >= 3);
  await first.close();
  const before = heights.length;
  // It comes back by itself, and says the last id that it had.
  const second = await openHttpServer({ address, network, log: silentLog });
  t.teardown(() => second.close());
  await until(() => heights.length >= before + 10);
  t.is(opened, 2);
  t.deepEqual(
    heights,
    heights.map((_, index) => heights[0]! + index),
  );
});
