// Roles of a bench in processes of their own: the bench calls them by name and waits. A child ends
// when its parent lets go of it, or dies. A module of roles ends in `serveRole`; `startChild` runs
// it once for each role. The peers' roles (bench/peers) speak the same, through this module.

import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { invariant } from "../../src/errors.js";

export type Methods = Readonly<Record<string, (argument: never) => unknown>>;

interface Call {
  readonly method: string;
  readonly argument: unknown;
}

type Answer = { readonly value: unknown } | { readonly error: string };

/** The methods of a role, as its parent sees them. */
export type Child<M extends Methods> = {
  readonly [K in keyof M]: (argument: Parameters<M[K]>[0]) => Promise<Awaited<ReturnType<M[K]>>>;
} & { release(): Promise<void> };

const COMMAND = new URL("../../../bin/vibecoin-node", import.meta.url);

/** The flags of the process that an operator runs, from the command that starts it. */
export const NODE_FLAGS: readonly string[] = flagsOf(readFileSync(COMMAND, "utf8"));

function flagsOf(command: string): string[] {
  const flags = command.match(/(?<=\s)--[\w-]+=\S+/g) ?? [];
  invariant(flags.length > 0, "the command names the flags of V8");
  return flags;
}

const RELEASE_MAX_MS = 10_000;

let profiles: { readonly directory: string; count: number } | undefined;

/** From now on every child writes a CPU profile of each of its threads below this directory. */
export function profileChildren(directory: string): void {
  profiles = { directory, count: 0 };
}

function profileFlags(role: string): string[] {
  if (profiles === undefined) return [];
  const name = `${String(++profiles.count).padStart(2, "0")}-${role}`;
  return ["--cpu-prof", `--cpu-prof-dir=${join(profiles.directory, name)}`];
}

/** Starts this module's process; the methods are called one at a time. */
export async function startChild<M extends Methods>(
  module: URL,
  role: string,
  execArgv: readonly string[] = NODE_FLAGS,
): Promise<Child<M>> {
  const child = fork(fileURLToPath(module), [role], {
    serialization: "advanced",
    execArgv: [...execArgv, ...profileFlags(role)],
  });
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      process.off("exit", endWithUs);
      resolve(`the ${role} ended with ${code ?? signal}`);
    });
  });
  const call = async (method: string, argument: unknown): Promise<unknown> => {
    const answered = new Promise<Answer>((resolve) => child.once("message", resolve));
    child.send({ method, argument } satisfies Call);
    const answer = await Promise.race([answered, ended.then((error) => ({ error }))]);
    if ("error" in answer) throw new Error(`${role}.${method}: ${answer.error}`);
    return answer.value;
  };
  const release = async (): Promise<void> => {
    if (child.connected) child.disconnect();
    const timer = setTimeout(endWithUs, RELEASE_MAX_MS);
    await ended;
    clearTimeout(timer);
  };
  return new Proxy({} as Child<M>, {
    get: (_target, method: string) => {
      // Awaiting a child must not take it for a promise.
      if (method === "then") return undefined;
      return method === "release" ? release : (argument: unknown) => call(method, argument);
    },
  });
}

/** The child's side, at the end of a module of roles: runs the one that this process is for. */
export function serveRole(roles: Readonly<Record<string, () => unknown>>): void {
  void roles[process.argv[2] ?? ""]?.();
}

/** Of one role: answers calls until the parent lets go, then runs `onRelease` and exits. */
export function serveParent(methods: Methods, onRelease: () => unknown): void {
  const answer = (body: Answer): void => void process.send?.(body);
  process.on("message", ({ method, argument }: Call) => {
    void Promise.resolve()
      .then(() => methods[method]!(argument as never))
      .then(
        (value) => answer({ value }),
        (error: unknown) =>
          answer({ error: error instanceof Error ? error.stack! : String(error) }),
      );
  });
  process.once("disconnect", () => {
    void Promise.resolve()
      .then(onRelease)
      .finally(() => process.exit());
  });
}
