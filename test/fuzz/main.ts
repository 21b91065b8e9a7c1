// Fuzzes the readers of strangers' bytes: `npm run fuzz -- --inputs 10000000`. Each target runs in a
// thread of its own, so that one that hangs is told from one that is slow.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { readCorpus, writeCorpus } from "./corpus.js";
import { fuzz, type FuzzResult } from "./engine.js";
import { TARGETS } from "./targets.js";

/** One input may take so long on a busy machine; the slowest takes a few milliseconds. */
const HANG_MS = 60_000;
const INPUT_BYTES_MAX = 8_192;
/** The heap of a thread: a reader that takes much more than what arrived ends it. */
const HEAP_MIB = 256;

interface Job {
  readonly target: string;
  readonly inputs: number;
  readonly seed: number;
  /** Its length, how many inputs began, then the input itself. */
  readonly current: SharedArrayBuffer;
}

interface Report extends Omit<FuzzResult, "failure"> {
  readonly failure?: { readonly input: Uint8Array; readonly text: string };
}

function work({ target: name, inputs, seed, current }: Job): void {
  const target = TARGETS.find((one) => one.name === name)!;
  const head = new Int32Array(current, 0, 2);
  const shown = new Uint8Array(current, 8);
  const corpus = readCorpus(name);
  const { failure, ...result } = fuzz(target, {
    inputs,
    seed,
    corpus,
    isGuided: true,
    onInput(input) {
      shown.set(input.subarray(0, INPUT_BYTES_MAX));
      head[0] = Math.min(input.length, INPUT_BYTES_MAX);
      Atomics.add(head, 1, 1);
    },
  });
  const { error, input } = failure ?? {};
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const report: Report = { ...result, ...(input !== undefined && { failure: { input, text } }) };
  parentPort!.postMessage(report);
}

/** What ended badly, in words; undefined: nothing. */
async function runTarget(name: string, inputs: number, seed: number, keeps: boolean) {
  const current = new SharedArrayBuffer(8 + INPUT_BYTES_MAX);
  const head = new Int32Array(current, 0, 2);
  const inHand = (): string => Buffer.from(new Uint8Array(current, 8, head[0])).toString("base64");
  const startedMs = performance.now();
  const job: Job = { target: name, inputs, seed, current };
  const worker = new Worker(new URL(import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
  });
  let begun = -1;
  const watch = setInterval(() => {
    const now = Atomics.load(head, 1);
    if (now === begun && now > 0) void worker.terminate();
    begun = now;
  }, HANG_MS);
  const report = await new Promise<Report | string>((resolve) => {
    worker.once("message", resolve);
    worker.once("error", (error) => resolve(`${error.message}, at the input ${inHand()}`));
    worker.once("exit", (code) => resolve(`hung or ended (${code}) at the input ${inHand()}`));
  });
  clearInterval(watch);
  await worker.terminate();
  if (typeof report === "string") return `${name}: ${report}`;
  if (keeps) writeCorpus(name, [...readCorpus(name), ...report.found]);
  const seconds = (performance.now() - startedMs) / 1_000;
  const rate = Math.round(report.inputs / seconds);
  print(
    `${name.padEnd(10)} ${report.inputs} inputs, ${rate}/s, ${report.found.length} reached new code`,
  );
  if (report.failure === undefined) return undefined;
  const { input, text } = report.failure;
  return `${name}: ${text}\n  the input: ${Buffer.from(input).toString("base64")}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      inputs: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
      target: { type: "string", multiple: true, default: TARGETS.map(({ name }) => name) },
      /** Adds what reached new code to the corpus. */
      keep: { type: "boolean", default: false },
    },
  });
  const unknown = values.target.filter((name) => TARGETS.every((one) => one.name !== name));
  const inputs = Math.ceil(Number(values.inputs) / values.target.length);
  const seed = Number(values.seed);
  if (
    unknown.length > 0 ||
    !Number.isSafeInteger(inputs) ||
    inputs < 1 ||
    !Number.isInteger(seed)
  ) {
    print(
      `Usage: fuzz [--inputs N] [--seed N] [--keep] [--target ${TARGETS.map(({ name }) => name).join("|")}]`,
    );
    process.exitCode = 2;
    return;
  }
  const names = [...values.target];
  const failures: string[] = [];
  const lane = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const failure = await runTarget(name, inputs, seed, values.keep);
      if (failure !== undefined) failures.push(failure);
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, lane));
  for (const failure of failures) print(failure);
  print(`${values.target.length - failures.length} passed, ${failures.length} failed`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

if (isMainThread) await main();
else work(workerData as Job);
