// Runs the compiled command line as a child process and waits for what it says, never for time.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));
/** A child that is silent for so long is stuck; the machine may be busy. */
const PATIENCE_MS = 60_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface Cli {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** The first line of the log with this message, written or yet to come. */
  line(msg: string): Promise<LogLine>;
  kill(signal: NodeJS.Signals): void;
}

interface Teardown {
  teardown(end: () => unknown): void;
}

export interface CliOptions {
  readonly nodeArgs?: readonly string[];
  /** A command that runs it. */
  readonly prefix?: readonly string[];
  /** Absent: the command line of this build. */
  readonly main?: string;
}

/** The test's end kills it if it still runs. */
export function startCli(t: Teardown, args: readonly string[], options: CliOptions = {}): Cli {
  const { nodeArgs = [], prefix = [], main = MAIN } = options;
  // As from a shell, even when npm runs the tests.
  const { npm_lifecycle_event: _, ...env } = process.env;
  const [command, ...rest] = [...prefix, process.execPath, ...nodeArgs, main, ...args];
  const child = spawn(command!, rest, {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  let onOutput = (): void => undefined;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    onOutput();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  const watchdog = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  void ended.then(() => clearTimeout(watchdog));
  t.teardown(() => {
    child.kill("SIGKILL");
    return ended;
  });
  const find = (msg: string): LogLine | undefined =>
    stdout
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as LogLine)
      .find((line) => line.msg === msg);
  return {
    pid: child.pid!,
    ended,
    line: (msg) =>
      new Promise((resolve, reject) => {
        const earlier = onOutput;
        const look = (): void => {
          const line = find(msg);
          if (line !== undefined) resolve(line);
        };
        onOutput = () => {
          earlier();
          look();
        };
        look();
        void ended.then(() => reject(new Error(`ended without "${msg}":\n${stdout}\n${stderr}`)));
      }),
    kill: (signal) => void child.kill(signal),
  };
}

export function runCli(t: Teardown, ...args: string[]): Promise<Ended> {
  return startCli(t, args).ended;
}

/** Signals within 100 ms are one; after this a signal is another one, however late it comes. */
export function longerThanTogether(): Promise<void> {
  return delay(150);
}

/** An empty directory that goes with the test. */
export async function temporaryDirectory(t: Teardown): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "vibecoin-cli-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
