// The processes that a drill starts: each has one role, answers calls, and is ended with the
// command, however that ends. What one writes is counted, and its last lines are kept.

import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answer, Call, Methods } from "./calls.js";

const ROLES = fileURLToPath(new URL("./roles.js", import.meta.url));
const END_MAX_MS = 3_000;
const LINES_KEPT = 20;
const LINE_CHARS_MAX = 400;

type Asked<M extends Methods> = {
  readonly [K in keyof M]: (argument: Parameters<M[K]>[0]) => Promise<Awaited<ReturnType<M[K]>>>;
};

/** One process, as its parent sees it. Calls reject when it has ended. */
export interface Worker<M extends Methods> {
  readonly pid: number;
  readonly ask: Asked<M>;
  /** Resolves to how it ended, by itself or not. */
  readonly gone: Promise<string>;
  /** How it ended before anybody ended it; undefined: it runs, or was told to end. */
  readonly died: string | undefined;
  /** Bytes on its standard output and error so far. */
  readonly writtenBytes: number;
  readonly lastLines: readonly string[];
  /** Lets it end by itself, for a while. */
  end(): Promise<void>;
  kill(): void;
}

export class Processes {
  readonly #open = new Set<ChildProcess>();

  start<M extends Methods>(role: string): Worker<M> {
    const child = fork(ROLES, [role], {
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#open.add(child);
    const { lines, output } = readerOf(child);
    let ending = false;
    let died: string | undefined;
    const calls = new Map<number, (answer: Answer) => void>();
    child.on("message", (answer: Answer) => {
      calls.get(answer.id)?.(answer);
      calls.delete(answer.id);
    });
    child.on("error", () => undefined);
    const gone = new Promise<string>((resolve) => {
      child.once("close", (code, signal) => {
        this.#open.delete(child);
        const how = `the ${role} ended with ${signal ?? `exit code ${code}`}`;
        if (!ending) died = how;
        const error = [how, ...lines].join("\n");
        for (const [id, settle] of calls) settle({ id, error });
        calls.clear();
        resolve(how);
      });
    });
    let next = 0;
    const call = async (method: string, argument: unknown): Promise<unknown> => {
      const id = ++next;
      const answered = new Promise<Answer>((resolve) => calls.set(id, resolve));
      if (!child.connected) throw new Error([died ?? `the ${role} has ended`, ...lines].join("\n"));
      child.send({ id, method, argument } satisfies Call, () => undefined);
      const answer = await answered;
      if ("error" in answer) throw new Error(`${role}.${method}: ${answer.error}`);
      return answer.value;
    };
    return {
      pid: child.pid ?? 0,
      ask: new Proxy({} as Asked<M>, {
        get: (_target, method: string) => (argument: unknown) => call(method, argument),
      }),
      gone,
      get died() {
        return died;
      },
      get writtenBytes() {
        return output.bytes;
      },
      lastLines: lines,
      async end() {
        ending = true;
        if (child.connected) child.disconnect();
        const timer = setTimeout(() => child.kill("SIGKILL"), END_MAX_MS);
        await gone;
        clearTimeout(timer);
      },
      kill() {
        ending = true;
        child.kill("SIGKILL");
      },
    };
  }

  /** Ends all of them at once. */
  killAll(): void {
    for (const child of this.#open) child.kill("SIGKILL");
  }
}

function readerOf(child: ChildProcess): { lines: string[]; output: { bytes: number } } {
  const lines: string[] = [];
  const output = { bytes: 0 };
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.on("data", (chunk: Buffer) => {
      output.bytes += chunk.length;
      const [...whole] = (rest + chunk.toString()).split("\n");
      rest = (whole.pop() ?? "").slice(-LINE_CHARS_MAX);
      lines.push(...whole.map((line) => line.slice(0, LINE_CHARS_MAX)));
      if (lines.length > LINES_KEPT) lines.splice(0, lines.length - LINES_KEPT);
    });
  }
  return { lines, output };
}
