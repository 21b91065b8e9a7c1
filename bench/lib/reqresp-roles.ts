// The processes of the reqresp bench. Ours are a whole node, which answers from its mempool by way
// of router, transaction handler, system router and mempool integration, and a peer that asks it.
// The limit is TLS 1.3 with a length before each message.

import type { TLSSocket } from "node:tls";
import { encodeMessage, type Message } from "../../src/protocol/index.js";
import { toHex } from "../../src/bytes/hex.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { startNode } from "../../src/compose.js";
import { invariant } from "../../src/errors.js";
import type { Network } from "../../src/network.js";
import { identityOf } from "../../test/support/raw-peer.js";
import { connectAskingPeer } from "./asking-peer.js";
import { connectBare, listenBare, readFrames, writeFrame } from "./bare-tls.js";
import { serveParent, serveRole } from "./child.js";
import { runClosedLoop, type ClosedLoop, type ClosedLoopFigures } from "./closed-loop.js";
import { ProcessMeter, type ProcessFigures } from "./meter.js";
import { signedTransactions } from "./transactions.js";

export type AnswererMethods = {
  /** Answers where, as the asker of the same contender understands it. */
  listen(): Promise<string>;
  begin(): void;
  finish(): ProcessFigures;
};
export type AskerMethods = {
  connect(address: string): Promise<void>;
  run(load: ClosedLoop): Promise<ClosedLoopFigures>;
};

export const REQUEST_BYTES = 100;
export const ANSWER_BYTES = 200;
/** Three ids make a payload of 104 bytes; the node knows the first. */
const IDS = 3;
/** The answer's bytes around the transaction. */
const ENVELOPE_BYTES = 4;

/** The transaction that is asked for, the same in every process. */
async function askedFor(): Promise<Uint8Array> {
  const [transaction] = await signedTransactions(1, ANSWER_BYTES - ENVELOPE_BYTES, "reqresp");
  return transaction!;
}

function answerer(): void {
  let network: Network | undefined;
  let meter: ProcessMeter;
  const methods: AnswererMethods = {
    async listen() {
      network = await startNode({
        bindAddr: "tcp://127.0.0.1:0",
        // What is measured is how fast it can answer, not how fast it wants to.
        serve: {
          transactionsPerSecond: 10_000_000,
          transactionsBurst: 10_000_000,
          transactionBytesPerSecond: 4_000_000_000,
        },
      });
      const submitted = await network.broadcastTransaction(await askedFor());
      invariant(submitted.ok, "the node has the transaction");
      return network.listenAddress!;
    },
    begin() {
      meter = new ProcessMeter();
    },
    finish: () => meter.stop(),
  };
  serveParent(methods, () => network?.stop());
}

function asker(): void {
  let ask: (done: () => void) => void;
  const methods: AskerMethods = {
    async connect(address) {
      const transaction = await askedFor();
      const unknown = (number: number) => toHex(sha256(Uint8Array.of(number)));
      const ids = Array.from({ length: IDS }, (_, i) =>
        i === 0 ? toHex(sha256(transaction)) : unknown(i),
      );
      const request: Message = { kind: "RequestTransactions", ids };
      const answer = encodeMessage({ kind: "ResponseTransactions", transactions: [transaction] });
      invariant(answer.length === ANSWER_BYTES, `an answer of ${answer.length} bytes`);
      const peer = await connectAskingPeer(address);
      ask = (done) =>
        peer.ask(request, (outcome) => {
          invariant(outcome.ok && outcome.message.kind === "ResponseTransactions", "an answer");
          invariant(outcome.message.transactions[0]?.length === transaction.length, "the asked");
          done();
        });
    },
    run: (load) => runClosedLoop(load, ask),
  };
  serveParent(methods, () => undefined);
}

function bareAnswerer(): void {
  let meter: ProcessMeter;
  const answer = Buffer.alloc(ANSWER_BYTES, 1);
  const methods: AnswererMethods = {
    async listen() {
      const port = await listenBare(identityOf(1), (socket) => {
        readFrames(socket, (request) => {
          invariant(request.length === REQUEST_BYTES, "a request");
          writeFrame(socket, answer);
        });
      });
      return String(port);
    },
    begin() {
      meter = new ProcessMeter();
    },
    finish: () => meter.stop(),
  };
  serveParent(methods, () => undefined);
}

function bareAsker(): void {
  let socket: TLSSocket;
  const waiting: (() => void)[] = [];
  const request = Buffer.alloc(REQUEST_BYTES, 2);
  const methods: AskerMethods = {
    async connect(port) {
      socket = await connectBare(Number(port), identityOf(2));
      readFrames(socket, (answer) => {
        invariant(answer.length === ANSWER_BYTES, "an answer");
        waiting.shift()!();
      });
    },
    run: (load) =>
      runClosedLoop(load, (done) => {
        waiting.push(done);
        writeFrame(socket, request);
      }),
  };
  serveParent(methods, () => undefined);
}

serveRole({ answerer, asker, bareAnswerer, bareAsker });
