// The routes: each a question to the network and its answer in JSON. Hashes and ids are lower-case
// hex, difficulties and claimed heights decimal strings.

import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { fromHex, isHex } from "../bytes/hex.js";
import { TRANSACTION_REFUSALS, type TransactionRefusal } from "../chain/refusals.js";
import type { Network } from "../network.js";
import { breachText } from "../protocol/violation.js";
import { DISK_SLOW_MS } from "../storage/disk-watch.js";
import { refuse } from "./errors.js";
import { METRICS_CONTENT_TYPE, type Metrics } from "./metrics.js";

/** An answer that takes longer than this is no sign of health. */
const HEALTH_WAIT_MS = 3_000;
const HASH_BYTES = 32;

const PROMISE =
  "Valid, in this node's mempool and announced to its peers; not yet in a block. With a data " +
  "directory it is kept over a restart from two seconds on.";

const txBody = z.strictObject({ tx: z.string() });

export function addRoutes(server: FastifyInstance, network: Network, metrics: Metrics): void {
  server.get("/status", () => network.status());
  server.get("/health", (_request, reply) => health(network, reply));
  server.get("/metrics", async (_request, reply) => {
    reply.header("content-type", METRICS_CONTENT_TYPE);
    return metrics.text();
  });
  server.post("/tx", (request, reply) => submit(network, request.body, reply));
  server.get<{ Params: { at: string } }>("/blocks/:at", ({ params }, reply) =>
    block(network, params.at, reply),
  );
}

async function health(network: Network, reply: FastifyReply): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    const error = new Error(`no answer within ${HEALTH_WAIT_MS} ms`);
    timer = setTimeout(() => reject(error), HEALTH_WAIT_MS);
  });
  const diskWaitMs = network.diskWaitMs();
  try {
    if (diskWaitMs >= DISK_SLOW_MS) throw new Error(diskOwes(diskWaitMs));
    const status = await Promise.race([network.status(), tooLate]);
    const { height, peers, sync, clock, degraded } = status;
    const wrong = clock.wrong === null ? {} : { warning: clock.wrong };
    const failing = status.subsystems.filter(({ state }) => state !== "closed");
    const unanswering = failing.map(({ name, state }) => ({ subsystem: name, state }));
    return {
      healthy: true,
      height,
      peers: peers.length,
      sync: sync.state,
      degraded,
      unanswering,
      ...wrong,
    };
  } catch (error) {
    return reply.code(503).send({ healthy: false, reason: (error as Error).message });
  } finally {
    clearTimeout(timer);
  }
}

function diskOwes(waitMs: number): string {
  return `the disk has not answered a write for ${Math.floor(waitMs / 1_000)} s`;
}

async function submit(network: Network, body: unknown, reply: FastifyReply): Promise<unknown> {
  const hex = hexOf(body);
  if (hex === undefined) {
    const error = 'Send an encoded transaction as hex, plain or as JSON {"tx": hex}.';
    return refuse(reply, 400, { error, rule: "encoding" });
  }
  const outcome = await network.broadcastTransaction(fromHex(hex));
  const { id } = outcome;
  if (outcome.ok) return { id, promise: PROMISE };
  const { rule } = outcome;
  if (rule === "busy" || rule === "full") reply.header("retry-after", "1");
  const error = sentenceOf(rule) ?? `The transaction breaks the rule ${breachText(outcome)}.`;
  return refuse(reply, statusOf(rule), { error, rule, id });
}

function sentenceOf(rule: string): string | undefined {
  const isKnown = Object.hasOwn(TRANSACTION_REFUSALS, rule);
  return isKnown ? TRANSACTION_REFUSALS[rule as TransactionRefusal] : undefined;
}

function statusOf(rule: string): number {
  if (rule === "busy" || rule === "full") return 503;
  if (rule === "failed") return 500;
  return rule === "size" ? 413 : 400;
}

function hexOf(body: unknown): string | undefined {
  const json = txBody.safeParse(body);
  const text = json.success ? json.data.tx : body;
  if (typeof text !== "string") return undefined;
  const hex = text.trim();
  return hex !== "" && isHex(hex) ? hex : undefined;
}

async function block(network: Network, at: string, reply: FastifyReply): Promise<unknown> {
  const place = isHash(at) ? at : /^\d{1,15}$/.test(at) ? Number(at) : undefined;
  if (place === undefined) {
    return refuse(reply, 400, { error: "Name a block by its height or by its hash." });
  }
  const header = network.header(place);
  const bytes = header && network.block(header.hash);
  if (header === undefined || bytes === undefined) {
    return refuse(reply, 404, { error: `This node has no block ${at}.` });
  }
  return {
    hash: header.hash,
    height: header.height,
    previousHash: header.previousHash,
    timestampMs: header.timestampMs,
    difficulty: header.difficulty.toString(),
    totalDifficulty: header.totalDifficulty.toString(),
    sizeBytes: bytes.length,
    canonical: network.header(header.height)?.hash === header.hash,
  };
}

function isHash(text: string): boolean {
  return isHex(text, HASH_BYTES) && text === text.toLowerCase();
}
