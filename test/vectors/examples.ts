// Renders golden vectors as the worked examples of docs/protocol.md: each byte of a frame or of an
// encoding, item by item, with the name of the field it belongs to.

import { KINDS, MESSAGE_KINDS } from "../../src/protocol/index.js";
import type { MessageKind } from "../../src/protocol/index.js";
import { ruleOf } from "../../src/protocol/types/message.js";
import type { ChainVectors } from "./chain.js";
import type { WireVectors } from "./generate.js";

/** The name of an item; of an array also those of its members, `each` for a list of equals. */
type Label =
  | string
  | { readonly name: string; readonly members: readonly Label[] }
  | { readonly name: string; readonly each: Label };

const HEAD = ["height", "hash", "totalDifficulty"];

const MEMBERS: { readonly [K in MessageKind]: readonly Label[] } = {
  Handshake: [
    "protocolVersion",
    "networkId",
    "agent",
    "nodeId",
    { name: "listenAddresses", each: "address" },
    { name: "head", members: HEAD },
    { name: "capabilities", each: "capability" },
    {
      name: "quotas",
      each: { name: "quota", members: ["kind", "itemsPerSecond", "burstItems"] },
    },
  ],
  Disconnect: ["reason", "detail"],
  Ping: ["nonce"],
  Pong: ["nonce"],
  WindowUpdate: ["lane", "bytes"],
  RequestRefused: ["reason"],
  Limits: [
    {
      name: "quotas",
      each: {
        name: "quota",
        members: ["kind", "itemsPerSecond", "burstItems", "bytesPerSecond", "burstBytes"],
      },
    },
  ],
  NewBlock: ["block"],
  AnnounceBlock: HEAD,
  CompactBlock: [
    "header",
    "nonce",
    "shortIds",
    { name: "prefilled", each: { name: "transaction", members: ["index", "bytes"] } },
  ],
  GetBlockTransactions: ["hash", { name: "indexes", each: "index" }],
  BlockTransactions: [{ name: "transactions", each: "transaction" }],
  RequestBlock: ["hash"],
  ResponseBlock: ["block"],
  RequestHeaders: [{ name: "locator", each: "hash" }, "countMax"],
  ResponseHeaders: [{ name: "headers", each: "header" }],
  RequestBlockRange: ["fromHeight", "count", "lastHash"],
  ResponseBlockRange: [{ name: "blocks", each: "block" }],
  NewTransaction: ["transaction"],
  AnnounceTransactions: [{ name: "ids", each: "id" }],
  RequestTransactions: [{ name: "ids", each: "id" }],
  ResponseTransactions: [{ name: "transactions", each: "transaction" }],
  FeeFloor: ["gasPrice"],
  RelayKey: ["key"],
  AnnounceShortIds: [{ name: "ids", each: "short id" }],
  RequestShortIds: [{ name: "ids", each: "short id" }],
  ResponseShortIds: [{ name: "transactions", each: "transaction" }],
  Prune: ["what"],
  Graft: ["what"],
  GetPeers: ["countMax"],
  Peers: [
    {
      name: "endpoints",
      each: { name: "endpoint", members: ["scheme", "host", "port"] },
    },
  ],
};

const HEADER: Label = {
  name: "header",
  members: [
    "height",
    "previousHash",
    "timestampMs",
    "transactionRoot",
    "stateRoot",
    "difficulty",
    "totalDifficulty",
    "nonce",
    "extra",
  ],
};
const BODY: Label = {
  name: "body",
  members: ["sender", "recipient", "value", "gasPrice", "gasLimit", "nonce", "timestampMs", "data"],
};

/** Byte strings longer than this are shown by their ends. */
const SHOWN_BYTES_MAX = 12;
const HEX_COLUMN = 40;

class Annotator {
  readonly lines: string[] = [];
  readonly #bytes: Buffer;
  #at = 0;

  constructor(hex: string) {
    this.#bytes = Buffer.from(hex, "hex");
  }

  /** The next `count` bytes with a remark. */
  take(count: number, remark: (bytes: Buffer) => string, depth = 0): void {
    const bytes = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    this.lines.push(`${"  ".repeat(depth)}${spaced(bytes)}`.padEnd(HEX_COLUMN) + remark(bytes));
  }

  item(label: Label, depth = 0): void {
    const initial = this.#bytes[this.#at]!;
    const extra = (initial & 31) < 24 ? 0 : 1 << ((initial & 31) - 24);
    const head = this.#bytes.subarray(this.#at, this.#at + 1 + extra);
    const argument = extra === 0 ? initial & 31 : Number(`0x${head.toString("hex", 1)}`);
    const name = typeof label === "string" ? label : label.name;
    const major = initial >> 5;
    if (major === 0) {
      const exact = extra === 0 ? argument : BigInt(`0x${head.toString("hex", 1)}`);
      this.take(head.length, () => `${name}: ${exact}`, depth);
    } else if (major === 4) {
      this.take(head.length, () => `${name}: array of ${argument}`, depth);
      for (let i = 0; i < argument; i++) this.item(memberOf(label, i), depth + 1);
    } else {
      const what = major === 2 ? "byte string" : "text";
      const length = `${argument} ${argument === 1 ? "byte" : "bytes"}`;
      this.take(head.length, () => `${name}: ${what} of ${length}`, depth);
      if (argument === 0) return;
      const shown = (bytes: Buffer) => (major === 3 ? JSON.stringify(bytes.toString()) : "");
      this.take(argument, shown, depth + 1);
    }
  }

  toString(): string {
    if (this.#at !== this.#bytes.length) throw new Error("bytes without a name");
    return this.lines.map((line) => line.trimEnd()).join("\n");
  }
}

function memberOf(label: Label, index: number): Label {
  if (typeof label === "string") throw new Error(`${label} has no members`);
  return "each" in label ? label.each : label.members[index]!;
}

function spaced(bytes: Buffer): string {
  const hex = (part: Buffer) => part.toString("hex").replace(/..(?=.)/g, "$& ");
  if (bytes.length <= SHOWN_BYTES_MAX) return hex(bytes);
  return `${hex(bytes.subarray(0, 5))} … ${hex(bytes.subarray(-5))}`;
}

/** Hex in lines of 32 bytes. */
function block(hex: string): string {
  return ["```text", ...(hex.match(/.{1,64}/g) ?? []), "```"].join("\n");
}

function annotateFrame(frame: string, kind: MessageKind): string {
  const annotator = new Annotator(frame);
  annotator.take(4, (bytes) => `payload length: ${bytes.readUInt32BE()}`);
  annotator.take(1, () => `kind: ${kind}`);
  annotator.take(1, ([flags]) => `flags: ${flagsText(flags!, KINDS[kind].lane)}`);
  annotator.take(4, (bytes) => `request id: ${bytes.readUInt32BE() || "none"}`);
  annotator.item({ name: "payload", members: MEMBERS[kind] });
  return annotator.toString();
}

function flagsText(flags: number, lane: string): string {
  const set = [(flags & 4) !== 0 ? "MORE" : "", (flags & 8) !== 0 ? "RESPONSE" : ""];
  return [`lane ${flags & 3} (${lane})`, ...set.filter((name) => name !== "")].join(", ");
}

function annotated(hex: string, label: Label): string {
  const annotator = new Annotator(hex);
  annotator.item(label);
  return ["```text", annotator.toString(), "```"].join("\n");
}

/** The table of kinds, from the one that the codec uses. */
export function renderKinds(): string {
  const rows = MESSAGE_KINDS.map((kind) => {
    const { code, lane, payloadBytesMax, capability, role, answeredBy } = KINDS[kind];
    const hex = `0x${code.toString(16).padStart(2, "0")}`;
    const what = answeredBy === undefined ? ROLES[role] : `request, answered by ${answeredBy}`;
    const sizes = [payloadBytesMax.toLocaleString("en"), itemsText(kind)];
    const cells = [hex, kind, lane, ...sizes, capability ?? "", what, quotaText(kind)];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "| code | kind | lane | payload bytes at most | items | capability | role | quota |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

/** Byte strings in it. */
function itemsText(kind: MessageKind): string {
  const { body } = ruleOf(kind);
  if (body.form === "fields") return "";
  const { list, countMin, countMax } = body.shape;
  return list ? `${countMin} to ${countMax.toLocaleString("en")}` : "1";
}

/** What it takes of its quota. */
function quotaText(kind: MessageKind): string {
  const { quota, counts } = ruleOf(kind);
  if (quota === undefined) return "";
  return `${quota}: ${counts === undefined ? "1" : `by \`${counts}\``}`;
}

const ROLES = { oneWay: "one way", request: "request", response: "response" } as const;

export function renderMessageExamples(vectors: WireVectors): string {
  const parts: string[] = [];
  for (const kind of MESSAGE_KINDS) {
    const { frame, name } = vectors.messages.find((vector) => vector.kind === kind)!;
    parts.push(`### Example: ${kind}, ${name}\n`, `${block(frame)}\n`);
    parts.push(["```text", annotateFrame(frame, kind), "```"].join("\n") + "\n");
  }
  const [fragmented] = vectors.fragmented;
  parts.push(`### Example: ${fragmented!.name}\n`);
  parts.push("The same message as above; each line is one frame.\n");
  parts.push(["```text", ...fragmented!.frames, "```"].join("\n") + "\n");
  return parts.join("\n");
}

export function renderNetworks({ networks }: ChainVectors): string {
  const rows = networks.map((each) => {
    const numbers = [each.genesisTimestampMs, each.minDifficulty, each.targetIntervalMs];
    return `| ${[`\`${each.name}\``, ...numbers, `\`${each.networkId}\``].join(" | ")} |`;
  });
  return [
    "| network | start, ms since 1970 | minDifficulty | targetIntervalMs | network id |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

export function renderChainExamples(vectors: ChainVectors): string {
  const { transaction, genesis, block: sealed, merkle, difficulty, params } = vectors;
  const rows = difficulty.map(
    (each) => `| ${each.parentDifficulty} | ${each.elapsedMs} | ${each.difficulty} |`,
  );
  const roots = merkle.map(({ ids, root }) => `| ${ids.length} | \`${root}\` |`);
  return [
    "The network of these examples:",
    "",
    ...Object.entries(params).map(([name, value]) => `- \`${name}\`: ${value}`),
    "",
    "### Example: a transaction",
    "",
    `Signed with the key of seed \`${transaction.seed}\`; its id is \`${transaction.id}\`.`,
    "",
    block(transaction.bytes),
    "",
    annotated(transaction.bytes, { name: "transaction", members: ["body", "signature"] }),
    "",
    "The body, which is what is signed:",
    "",
    annotated(transaction.body, BODY),
    "",
    "### Example: Merkle roots",
    "",
    "Of ids that are 32 bytes `01`, 32 bytes `02` and so on:",
    "",
    "| ids | root |",
    "| --- | --- |",
    ...roots,
    "",
    "### Example: difficulties",
    "",
    "| parent's difficulty | ms after the parent | difficulty |",
    "| --- | --- | --- |",
    ...rows,
    "",
    "### Example: the genesis header",
    "",
    `Its hash, and so the network id, is \`${genesis.hash}\`.`,
    "",
    block(genesis.header),
    "",
    annotated(genesis.header, HEADER),
    "",
    "### Example: a sealed block on genesis",
    "",
    `The hash of its header is \`${sealed.hash}\`.`,
    "",
    block(sealed.block),
    "",
    annotated(sealed.block, {
      name: "block",
      members: ["header", { name: "transactions", each: "transaction" }],
    }),
    "",
    annotated(sealed.header, HEADER),
    "",
  ].join("\n");
}
