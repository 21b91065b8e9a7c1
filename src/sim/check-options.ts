// The options of `simulate` and a trace's subject, checked before a world is built: a chain
// developer's typo is one sentence, not a TypeError from inside.

import { z } from "zod";
import { CodedError } from "../errors.js";
import { FAULT_KINDS } from "./fault-kinds.js";
import { FAULT_PRESETS } from "./faults.js";
import { NODES_MAX, TIME_MS_MAX, TRANSACTIONS_PER_SECOND_MAX } from "./limits.js";
import type { LinkOptions } from "./places.js";
import type { SimulateOptions } from "./simulate-options.js";
import { TRACE_TEXT_MIN } from "./timeline.js";

const whole = z.int().min(0);
const number = z.number().min(0);
const virtualMs = number.max(TIME_MS_MAX);
const timeMs = z.number().gt(0).max(TIME_MS_MAX);
const range = z
  .tuple([number, number])
  .refine(([low, high]) => low <= high, "must be [low, high] with low <= high");
const callback = z.custom<unknown>((value) => typeof value === "function", "must be a function");
const object = z.custom<unknown>(
  (value) => typeof value === "object" && value !== null,
  "must be an object",
);
const times = z.strictObject({
  everyMs: range.refine(([, high]) => high > 0, "must not be without end at one time"),
  forMs: range.optional(),
});
const presets = Object.keys(FAULT_PRESETS);
const faults = z
  .partialRecord(z.enum(Object.keys(FAULT_KINDS)), times)
  .or(z.enum(presets))
  .optional();
const links: { readonly [K in keyof LinkOptions]-?: z.ZodType } = {
  latencyMs: number.optional(),
  jitterMs: number.optional(),
  bytesPerSecond: number.optional(),
  pieceBytesMax: whole.optional(),
  regions: object.optional(),
  regionOf: callback.optional(),
  upBytesPerSecond: range.optional(),
  downBytesPerSecond: range.optional(),
};

const traffic = z.strictObject({
  accounts: z.int().min(1).optional(),
  perSecond: z.number().gt(0).max(TRANSACTIONS_PER_SECOND_MAX),
  dataBytes: whole.optional(),
  bulkyDataBytes: whole.optional(),
});

/** A field for each option, so that none can be left out here. */
const fields: { readonly [K in keyof Required<SimulateOptions>]: z.ZodType } = {
  seed: z.union([z.string(), z.number()], "must be a text or a number"),
  nodes: z.int().min(1).max(NODES_MAX),
  producers: whole.optional(),
  late: whole.optional(),
  knownPeers: whole.optional(),
  knows: callback.optional(),
  names: callback.optional(),
  byzantine: z.array(z.unknown()).max(NODES_MAX).optional(),
  config: object.optional(),
  protocols: callback.optional(),
  links: z.strictObject(links).optional(),
  pool: object.optional(),
  commitMs: range.optional(),
  wallOffsetMaxMs: number.optional(),
  driftMaxPpm: number.optional(),
  signatures: object.optional(),
  checkEveryMs: timeMs.optional(),
  onDelivery: callback.optional(),
  onLog: callback.optional(),
  replay: z.string().optional(),
  calmMs: virtualMs.optional(),
  quietMs: virtualMs.optional(),
  breakLinks: z.boolean().optional(),
  chainChanges: object.optional(),
  configs: z.array(object).optional(),
  durationMs: virtualMs.optional(),
  convergeMs: timeMs.optional(),
  consensus: object.optional(),
  mempool: callback.optional(),
  faults,
  traffic: traffic.or(callback).optional(),
  checks: z
    .array(z.object({ name: z.string(), everyMs: timeMs.optional(), check: callback }))
    .optional(),
  onWorld: callback.optional(),
};
const schema = z.strictObject(fields);

/** Throws CONFIG_INVALID with one sentence that names the option. */
export function checkOptions(options: SimulateOptions): void {
  if (typeof options.faults === "string" && !presets.includes(options.faults)) {
    throw refusal(`faults: "${options.faults}" is none of ${presets.join(", ")}`);
  }
  const read = schema.safeParse(options);
  if (!read.success) {
    const [issue] = read.error.issues;
    const where = issue?.path.join(".") ?? "";
    throw refusal(`${where === "" ? "" : `${where}: `}${issue?.message ?? "unknown"}`);
  }
  const { nodes, producers = 0, late = 0 } = options;
  if (producers > nodes) throw refusal(`producers is ${producers}, but nodes is ${nodes}`);
  if (late >= nodes) throw refusal(`late is ${late}, but one of ${nodes} nodes must be up`);
}

/** Throws CONFIG_INVALID when a trace of `about` can show nothing of such a run. */
export function checkTrace(about: string, options: SimulateOptions): void {
  const { nodes, byzantine = [] } = options;
  const [, kind, number] = /^([nb])(\d+)$/.exec(about) ?? [];
  if (kind !== undefined && number !== undefined) {
    const count = kind === "n" ? nodes : byzantine.length;
    if (Number(number) < count && String(Number(number)) === number) return;
    const others = byzantine.length === 0 ? "" : ` and b0 to b${byzantine.length - 1}`;
    const known = `this run has n0 to n${nodes - 1}${others}`;
    throw new CodedError("CONFIG_INVALID", `There is no node ${about} to trace: ${known}.`);
  }
  if (about.startsWith("#") || about.length >= TRACE_TEXT_MIN) return;
  const sentence =
    `A trace is of a node (n3), of a message (#hash), or of a hash or id, of which ` +
    `${TRACE_TEXT_MIN} digits are needed: "${about}" is none of them.`;
  throw new CodedError("CONFIG_INVALID", sentence);
}

function refusal(what: string): CodedError {
  return new CodedError("CONFIG_INVALID", `The options of this simulation are invalid: ${what}.`);
}
