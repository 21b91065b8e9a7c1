// What the operating system lets this process have, read before anything depends on it: running out
// of it later ends in a crash without a word. Imports nothing but Node, so that `main` can load it
// when there is hardly a file descriptor.

import { open, close, readFileSync } from "node:fs";

/** Loading the modules of `run` takes up to 96 at once. */
export const LOADING_DESCRIPTORS = 128;

/** The soft limit; undefined where it cannot be read, or is none. */
export function descriptorsMax(): number | undefined {
  return limitOf("Max open files");
}

function limitOf(name: string): number | undefined {
  let text: string;
  try {
    text = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return undefined;
  }
  const line = text.split("\n").find((each) => each.startsWith(name));
  const soft = line?.slice(name.length).trim().split(/\s+/, 1)[0];
  return soft === undefined || soft === "unlimited" ? undefined : Number(soft);
}

/** A sentence when this process may open too few files to be loaded, or to do what it is for. */
export function fewDescriptors(needed = LOADING_DESCRIPTORS): string | undefined {
  const max = descriptorsMax();
  if (max === undefined || max >= needed) return undefined;
  return (
    `this process may hold ${max} file descriptors open and needs ${needed}: ` +
    "raise the limit (ulimit -n, LimitNOFILE)"
  );
}

/** How often one is opened to see whether there is one. */
const LOOK_MS = 5_000;

/** Calls back when there are no more file descriptors, and when there are some again. */
export function watchDescriptors(onChange: (error: Error | undefined) => void): void {
  let isOut = false;
  const look = (): void =>
    open("/dev/null", "r", (error, fd) => {
      if (!error) close(fd);
      const nowOut = error?.code === "EMFILE" || error?.code === "ENFILE";
      if (nowOut !== isOut) onChange(nowOut ? error : undefined);
      isOut = nowOut;
    });
  setInterval(look, LOOK_MS).unref();
}
