// The token by which the operator shows who they are: a file that only they can read. Made with the first
// start that serves HTTP from a data directory; a web page that reaches this machine's ports cannot know it.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { open, readFile, rename, stat } from "node:fs/promises";
import path from "node:path";
import type { FastifyReply, FastifyRequest } from "fastify";
import { CodedError } from "../errors.js";
import { refuse } from "./errors.js";

const TOKEN_FILE = "http.token";
const TOKEN_BYTES = 32;
/** One that somebody wrote by hand may have other characters, but not be one to guess. */
const TOKEN = /^[\x21-\x7e]{32,512}$/;
const OTHERS_MAY_READ = 0o077;

export function tokenFileIn(directory: string): string {
  return path.join(directory, TOKEN_FILE);
}

export interface Token {
  readonly text: string;
  /** Others than its owner can read the file. */
  readonly isOpen: boolean;
}

/** Rejects with KEY_INVALID or DATA_UNREADABLE, which name the file. */
export async function readToken(file: string): Promise<Token> {
  return (await tokenIn(file)) ?? Promise.reject(unreadable(file, "there is no such file"));
}

/** The same, and makes one where there is none. */
export async function loadOrCreateToken(file: string): Promise<Token> {
  const known = await tokenIn(file);
  if (known !== undefined) return known;
  const text = randomBytes(TOKEN_BYTES).toString("hex");
  // Written beside and renamed: a crash leaves the whole file or none.
  const temporary = `${file}.new`;
  try {
    const handle = await open(temporary, "w", 0o600);
    try {
      await handle.chmod(0o600);
      await handle.writeFile(`${text}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    throw unreadable(file, "it cannot be written", error);
  }
  return { text, isOpen: false };
}

async function tokenIn(file: string): Promise<Token | undefined> {
  let text: string;
  let mode: number;
  try {
    text = (await readFile(file, "utf8")).trim();
    ({ mode } = await stat(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unreadable(file, "it cannot be read", error);
  }
  if (TOKEN.test(text)) return { text, isOpen: (mode & OTHERS_MAY_READ) !== 0 };
  const sentence =
    `The file ${file} holds no token, which is one line of 32 to 512 printable characters: remove ` +
    `it, and the next start makes a new one.`;
  throw new CodedError("KEY_INVALID", sentence);
}

function unreadable(file: string, why: string, cause?: unknown): CodedError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const sentence = `The token in ${file} is missing: ${why}${code === undefined ? "" : ` (${code})`}.`;
  return new CodedError("DATA_UNREADABLE", sentence, { cause });
}

type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;

/** Lets those in who show the token; without one nobody. */
export function tokenGuard(token: string | undefined): Guard {
  const expected = token === undefined ? undefined : digest(token);
  return async ({ headers }, reply) => {
    if (expected === undefined) {
      const error =
        "This node takes no commands: it has no token. Start it with a data directory, or with " +
        "--http-token-file FILE.";
      return refuse(reply, 403, { error, rule: "token" });
    }
    const shown = /^Bearer +([\x21-\x7e]+) *$/i.exec(headers.authorization ?? "")?.[1];
    // Digests are of one length, and say nothing of how much of the token was right.
    if (shown !== undefined && timingSafeEqual(digest(shown), expected)) return undefined;
    reply.header("www-authenticate", "Bearer");
    const error =
      shown === undefined
        ? "This needs the node's token, as Authorization: Bearer TOKEN."
        : "This is not the node's token.";
    return refuse(reply, 401, { error, rule: "token" });
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
