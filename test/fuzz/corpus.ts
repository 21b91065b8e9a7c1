// The inputs that reach what others do not, kept with the project: a file for each target, a line of
// base64 for each input.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../vectors/generate.js";

function pathOf(target: string): string {
  return join(projectRoot(), "test", "fuzz", "corpus", `${target}.txt`);
}

export function readCorpus(target: string): readonly Uint8Array[] {
  const path = pathOf(target);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => Uint8Array.from(Buffer.from(line, "base64")));
}

export function writeCorpus(target: string, inputs: readonly Uint8Array[]): void {
  const lines = new Set(inputs.map((input) => Buffer.from(input).toString("base64")));
  writeFileSync(
    pathOf(target),
    [...lines]
      .sort()
      .map((line) => `${line}\n`)
      .join(""),
  );
}
