// The processes of the reqresp bench on js-libp2p: one stream that is kept, with answers in order,
// or a stream for each request.

import { setMaxListeners } from "node:events";
import { serveParent, serveRole } from "../../../dist/bench/lib/child.js";
import { runClosedLoop } from "../../../dist/bench/lib/closed-loop.js";
import { ProcessMeter } from "../../../dist/bench/lib/meter.js";
import { addressOf, dial, makeNode } from "./node.mjs";
import { lpStream } from "@libp2p/utils";

const REQUEST_BYTES = 100;
const ANSWER_BYTES = 200;
const KEPT = "/bench/reqresp-kept/1";
const STREAM = "/bench/reqresp/1";
const STREAMS = { maxInboundStreams: 4_096, maxOutboundStreams: 4_096 };

function assertLength(bytes, length) {
  if (bytes.byteLength !== length) throw new Error(`${bytes.byteLength} bytes, not ${length}`);
}

async function answerer() {
  const node = await makeNode({ listen: true });
  const answer = Buffer.alloc(ANSWER_BYTES, 1);
  let meter;
  await node.handle(
    STREAM,
    async (stream) => {
      const messages = lpStream(stream);
      assertLength(await messages.read(), REQUEST_BYTES);
      await messages.write(answer);
      await stream.close();
    },
    STREAMS,
  );
  await node.handle(
    KEPT,
    async (stream) => {
      const messages = lpStream(stream);
      for (;;) {
        const request = await messages.read().catch(() => undefined);
        if (request === undefined) return;
        assertLength(request, REQUEST_BYTES);
        await messages.write(answer);
      }
    },
    STREAMS,
  );
  const methods = {
    listen: () => addressOf(node),
    begin() {
      meter = new ProcessMeter();
    },
    finish: () => meter.stop(),
  };
  serveParent(methods, () => undefined);
}

async function asker(openAsk) {
  const node = await makeNode();
  const request = Buffer.alloc(REQUEST_BYTES, 2);
  let ask;
  const methods = {
    async connect(address) {
      ask = await openAsk(await dial(node, address), request);
    },
    run: (load) => runClosedLoop(load, ask),
  };
  serveParent(methods, () => undefined);
}

async function keptStream(connection, request) {
  const messages = lpStream(await connection.newStream(KEPT, STREAMS));
  const waiting = [];
  const readAnswers = async () => {
    for (;;) {
      assertLength(await messages.read(), ANSWER_BYTES);
      waiting.shift()();
    }
  };
  readAnswers().catch(fail);
  return (done) => {
    waiting.push(done);
    messages.write(request).catch(fail);
  };
}

function streamEach(connection, request) {
  // Without a signal of the caller's, libp2p makes a timer and a signal for each stream.
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  const askOnce = async () => {
    const stream = await connection.newStream(STREAM, { ...STREAMS, signal });
    const messages = lpStream(stream);
    await messages.write(request);
    assertLength(await messages.read(), ANSWER_BYTES);
    // The answer is there: nobody waits for the close.
    stream.close().catch(() => undefined);
  };
  return (done) => void askOnce().then(done, fail);
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

serveRole({
  answerer,
  keptAsker: () => asker(keptStream),
  streamAsker: () => asker(streamEach),
});
