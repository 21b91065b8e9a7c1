// Who holds a data directory: who listens on a socket in it. The kernel answers whether somebody
// does, for every process of the machine in whatever container, and a holder that dies, however it
// dies, listens no more. A file with a number of a process in it does neither, and a copy of the
// directory copies that too.
//
// A taker first listens under a name that nobody had before, then looks for others. Of two takers the
// one that looks last sees the other, so never do both take it; that both give up is possible, so
// they try again. A dead socket is removed by a taker that listens: should it have been one that
// was about to listen, then that one sees the remover, or finds its own gone.

import { closeSync, constants, existsSync, openSync, readlinkSync } from "node:fs";
import { readdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CodedError } from "../errors.js";

export interface DirectoryLock {
  /** The file that holds it: when it is gone, so is the lock. */
  readonly file: string;
  release(): Promise<void>;
}

/** What a holder says of itself. */
interface Holder {
  readonly pid: number;
  /** False: it looks for others itself. */
  readonly holds: boolean;
  /** Of process ids: in another one `pid` is another process. */
  readonly namespace: string;
  readonly host: string;
}

const NAME = /^lock-[0-9a-f]{16}\.sock$/;
/** Takers that start at once meet; five tries apart settle which one it is. */
const ATTEMPTS = 5;
const PAUSE_MS = 100;
/** A holder whose event loop is busy holds all the same; only its name is not told. */
const ANSWER_WAIT_MS = 500;
const ANSWER_CHARS_MAX = 1_024;
const NOBODY_LISTENS = new Set(["ECONNREFUSED", "ENOENT"]);

/** Rejects with DATA_LOCKED, or the system's error when there can be no socket in it. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  for (let attempt = 1; ; attempt++) {
    const lock = await listenIn(directory);
    try {
      const rival = await lock.rival();
      if (rival === "none") return lock;
      const holds = rival !== "unknown" && rival.holds;
      if (holds || attempt === ATTEMPTS) throw lockedError(directory, rival);
    } catch (error) {
      await lock.release();
      throw error;
    }
    await lock.release();
    await delay(PAUSE_MS * (0.5 + randomBytes(1)[0]! / 255));
  }
}

/** For those who only read it. Rejects with DATA_LOCKED when somebody holds the directory. */
export async function checkUnlocked(directory: string): Promise<void> {
  const handle = openDirectory(directory);
  try {
    for (const name of await socketsIn(directory)) {
      const answer = await ask(handle.at(name));
      if (answer !== "dead") throw lockedError(directory, answer);
    }
  } finally {
    handle.close();
  }
}

/** A living one of which nothing is known is `unknown`. */
type Rival = Holder | "unknown";

interface Listening extends DirectoryLock {
  /** Another one that lives, after the dead were removed. */
  rival(): Promise<Rival | "none">;
}

async function listenIn(directory: string): Promise<Listening> {
  const handle = openDirectory(directory);
  const own = `lock-${randomBytes(8).toString("hex")}.sock`;
  let holds = false;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    // Nothing is read, and nobody who stays keeps this process from ending.
    socket.end(JSON.stringify({ ...self(), holds }), () => socket.destroy());
  });
  try {
    await listening(server, handle.at(own));
  } catch (error) {
    handle.close();
    throw error;
  }
  server.unref();
  return {
    file: join(directory, own),
    async rival() {
      const names = await socketsIn(directory);
      // Taken for dead between two system calls, by one that looks for us now.
      if (!names.includes(own)) return "unknown";
      for (const name of names.filter((each) => each !== own)) {
        const answer = await ask(handle.at(name));
        if (answer !== "dead") return answer;
        await unlink(handle.at(name)).catch(() => undefined);
      }
      holds = true;
      return "none";
    },
    async release() {
      // Node removes the file of a server that it closes.
      await new Promise((resolve) => server.close(resolve));
      handle.close();
    },
  };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const where = "a socket that locks the directory cannot be made in it";
      reject(new Error(`${where} (${error.code ?? error.message})`, { cause: error }));
    });
    server.listen({ path, exclusive: true }, () => {
      server.removeAllListeners("error").on("error", () => undefined);
      resolve();
    });
  });
}

/** Asks who listens. */
function ask(path: string): Promise<Rival | "dead"> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ path }).setEncoding("utf8").setTimeout(ANSWER_WAIT_MS);
    const end = (answer: Rival | "dead"): void => {
      resolve(answer);
      socket.destroy();
    };
    socket.on("data", (part: string) => {
      if ((text += part).length > ANSWER_CHARS_MAX) end("unknown");
    });
    socket.on("timeout", () => end("unknown"));
    socket.on("end", () => end(holderIn(text)));
    socket.on("error", ({ code = "" }: NodeJS.ErrnoException) =>
      end(NOBODY_LISTENS.has(code) ? "dead" : "unknown"),
    );
  });
}

function holderIn(text: string): Rival {
  try {
    const said = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    if (typeof said.pid !== "number") return "unknown";
    const { pid, holds, namespace, host } = said;
    return { pid, holds: holds === true, namespace: String(namespace), host: String(host) };
  } catch {
    return "unknown";
  }
}

function self(): Omit<Holder, "holds"> {
  let namespace = "";
  try {
    namespace = readlinkSync("/proc/self/ns/pid");
  } catch {
    // Not on this system: there is one for all.
  }
  return { pid: process.pid, namespace, host: hostname() };
}

async function socketsIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => NAME.test(name));
}

interface OpenDirectory {
  at(name: string): string;
  close(): void;
}

/** A socket's path has room for some 100 bytes: Linux knows a short one of any open directory. */
function openDirectory(directory: string): OpenDirectory {
  const fd = openSync(directory, constants.O_RDONLY | (constants.O_DIRECTORY ?? 0));
  const short = `/proc/self/fd/${fd}`;
  const base = existsSync(short) ? short : directory;
  return { at: (name) => join(base, name), close: () => closeSync(fd) };
}

function lockedError(directory: string, holder: Rival): CodedError {
  return new CodedError(
    "DATA_LOCKED",
    `The data directory ${directory} is in use by ${who(holder)}.`,
  );
}

function who(holder: Rival): string {
  if (holder === "unknown") return "another process";
  const { pid, namespace, host } = holder;
  if (namespace !== self().namespace) return `process ${pid} of another container (${host})`;
  return pid === process.pid ? `this process (${pid})` : `process ${pid}`;
}
