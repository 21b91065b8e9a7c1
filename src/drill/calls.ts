// The processes of a drill call each other by name. This is the child's side: it answers its
// parent's calls, several at a time, and ends when its parent lets go of it, or dies.

export type Methods = Readonly<Record<string, (argument: never) => unknown>>;

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

export type Answer = { readonly id: number } & (
  { readonly value: unknown } | { readonly error: string }
);

/** What a role still has to do must not keep its process. */
const RELEASE_MAX_MS = 2_000;

/** Answers calls until the parent lets go, then runs `onRelease` and exits. */
export function serveParent(methods: Methods, onRelease: () => unknown): void {
  const answer = (body: Answer): void => {
    if (process.connected) process.send?.(body);
  };
  process.on("message", ({ id, method, argument }: Call) => {
    void Promise.resolve()
      .then(() => methods[method]!(argument as never))
      .then(
        (value) => answer({ id, value }),
        (error: unknown) => answer({ id, error: textOf(error) }),
      );
  });
  process.once("disconnect", () => {
    setTimeout(() => process.exit(), RELEASE_MAX_MS);
    void Promise.resolve()
      .then(onRelease)
      .finally(() => process.exit());
  });
  // A key press reaches all processes of a terminal; their parent ends them in its own order.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
