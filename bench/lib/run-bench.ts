// Runs a bench in a process of its own and reads what it prints as JSON lines.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { invariant } from "../../src/errors.js";
import type { ProfileLine } from "./profile.js";
import type { FigureLine, RatioLine } from "./report.js";

/** The first line of a bench: what its figures are worth nothing without. */
export interface MachineLine {
  readonly bench: string;
  readonly size: string;
  readonly machine: string;
  readonly cores: number;
  readonly node: string;
  readonly libp2p?: string;
  readonly commit: string;
  readonly date: string;
}

export type Line = MachineLine | FigureLine | RatioLine | ProfileLine;

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));

export async function runBench(name: string, flags: readonly string[]): Promise<Line[]> {
  const child = spawn(process.execPath, [MAIN, name, "--json", ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  invariant(code === 0, `bench ${name} ended with ${code}`);
  return parseLines(text);
}

export function parseLines(text: string): Line[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Line);
}

export function isRatio(line: Line): line is RatioLine {
  return "ratio" in line;
}

export function isFigure(line: Line): line is FigureLine {
  return "subject" in line;
}

export function isProfile(line: Line): line is ProfileLine {
  return "functions" in line;
}
