// A sync over js-libp2p (bench sync): ranges of 64 blocks, four in flight, of the chain that our
// nodes sync, checked in two ways: `inline`, node:crypto on the event loop with a turn after every
// block, and `pool`, sodium in piscina threads with a lower priority. Both check less than a node of
// ours (no proof of work, no nonces) and store nothing.

import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { lpStream } from "@libp2p/utils";
import { Encoder } from "cbor-x";
import { Piscina } from "piscina";
import { serveParent, serveRole } from "../../../dist/bench/lib/child.js";
import { ProcessMeter } from "../../../dist/bench/lib/meter.js";
import { Pinger } from "../../../dist/bench/lib/pinger.js";
import { checkBlock } from "./blocks.mjs";
import { addressOf, dial, makeNode } from "./node.mjs";

const PROTOCOL = "/bench/blocks/1";
const STREAMS = { maxInboundStreams: 256, maxOutboundStreams: 256 };
const RANGE_BLOCKS = 64;
const RANGES_IN_FLIGHT = 4;
/** Of a task for the pool: some 35 ms of signatures. */
const TASK_BLOCKS = 4;
const NICE = 10;
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const cbor = new Encoder({ useRecords: false, tagUint8Array: false });
const turn = () => new Promise((resolve) => void setImmediate(resolve));

function holder() {
  let node;
  let meter;
  serveParent(
    {
      async listen({ file }) {
        const blocks = readBlocks(file);
        node = await makeNode({ listen: true });
        const serve = async (stream) => {
          const ends = lpStream(stream);
          const { from, count } = cbor.decode((await ends.read()).subarray());
          for (const block of blocks.slice(from, from + count)) await ends.write(block);
          await stream.close();
        };
        await node.handle(PROTOCOL, serve, STREAMS);
        return { address: addressOf(node) };
      },
      measure() {
        meter = new ProcessMeter();
      },
      finish: () => meter.stop(),
    },
    () => node?.stop(),
  );
}

/** Each behind its length, four bytes. */
function readBlocks(file) {
  const bytes = readFileSync(file);
  const blocks = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at);
    blocks.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return blocks;
}

function syncer(checks) {
  let node;
  let connection;
  let checker;
  let fetched = 0;
  /** Answers the transactions of the blocks up to this height. */
  const fetchTo = async (height) => {
    const from = fetched;
    fetched = height;
    return fetchBlocks(connection, from, height, checker);
  };
  serveParent(
    {
      async warmUp({ address, height }) {
        node = await makeNode();
        connection = await dial(node, address);
        checker = checks();
        await checker.ready;
        await fetchTo(height);
      },
      async sync({ height }) {
        const meter = new ProcessMeter();
        const pings = { pingPeer: (peer) => node.services.ping.ping(peer) };
        const pinger = new Pinger(pings, connection.remotePeer);
        const transactions = await fetchTo(height);
        const figures = meter.stop();
        const result = { ...figures, transactions, pings: await pinger.stop() };
        await checker.close();
        return result;
      },
    },
    () => node?.stop(),
  );
}

async function fetchBlocks(connection, first, height, checker) {
  let next = first;
  let transactions = 0;
  const ends = new Map();
  const work = async () => {
    while (next < height) {
      const from = next;
      const count = Math.min(RANGE_BLOCKS, height - from);
      next += count;
      for (const part of await fetchRange(connection, from, count, checker)) {
        transactions += part.transactions;
        ends.set(part.first, part);
      }
    }
  };
  await Promise.all(Array.from({ length: RANGES_IN_FLIGHT }, work));
  let last;
  for (const part of [...ends.values()].sort((a, b) => a.first - b.first)) {
    if (last !== undefined && Buffer.compare(part.previous, last) !== 0) throw new Error("link");
    last = part.hash;
  }
  return transactions;
}

/** Reads the blocks of a range and gives them to the checker as they come. */
async function fetchRange(connection, from, count, checker) {
  const stream = await connection.newStream(PROTOCOL, STREAMS);
  const ends = lpStream(stream);
  await ends.write(cbor.encode({ from, count }));
  const parts = [];
  let blocks = [];
  for (let i = 0; i < count; i++) {
    blocks.push((await ends.read()).subarray());
    if (blocks.length < checker.blocks && i + 1 < count) continue;
    parts.push(checker.check(blocks, from + i + 1 - blocks.length));
    blocks = [];
    await checker.pause();
  }
  stream.close().catch(() => undefined);
  return Promise.all(parts);
}

function inlineChecks() {
  const keys = new Map();
  const keyOf = (raw) => {
    const id = Buffer.from(raw).toString("latin1");
    let key = keys.get(id);
    if (key === undefined) {
      key = createPublicKey({
        key: Buffer.concat([SPKI_PREFIX, raw]),
        format: "der",
        type: "spki",
      });
      keys.set(id, key);
    }
    return key;
  };
  const verified = (signature, body, sender) => verify(null, body, keyOf(sender), signature);
  return {
    ready: Promise.resolve(),
    blocks: 1,
    check: ([block], first) => ({ first, ...checkBlock(block, verified) }),
    pause: turn,
    close: () => undefined,
  };
}

function poolChecks() {
  const threads = availableParallelism();
  const pool = new Piscina({
    filename: new URL("check-task.mjs", import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    niceIncrement: NICE,
  });
  const check = async (blocks, first) => {
    const task = blocks.map((block) => Uint8Array.from(block));
    const transferList = task.map(({ buffer }) => buffer);
    return { first, ...(await pool.run(task, { transferList })) };
  };
  return {
    ready: Promise.all(Array.from({ length: threads }, () => pool.run([]))),
    blocks: TASK_BLOCKS,
    check,
    pause: () => undefined,
    close: () => pool.destroy(),
  };
}

serveRole({
  holder,
  "inline-syncer": () => syncer(inlineChecks),
  "pool-syncer": () => syncer(poolChecks),
});
