// Asks a running node over HTTP, for commands of the same or another machine. Each way in which that can
// fail is one sentence: nobody there, no HTTP, no node, no token, and what the node itself refuses.

import { request } from "node:http";
import { CodedError, isCoded } from "../errors.js";
import { parseAddress } from "../protocol/address.js";
import { checkUnlocked } from "../storage/directory-lock.js";
import { readToken, tokenFileIn } from "./token.js";
import { toldAddress } from "./whereabouts.js";

export interface Whereabouts {
  /** A data directory: the node that runs on it says where it serves. */
  readonly data?: string;
  /** `host:port`, with `http://` before it or not. */
  readonly http?: string;
  readonly tokenFile?: string;
}

export interface NodeClient {
  /** `http://host:port`. */
  readonly url: string;
  /** Rejects with NODE_UNREACHABLE, REFUSED for what the caller can mend, or NODE_FAILED. */
  get(path: string): Promise<unknown>;
  /** With the token. */
  post(path: string, body: object): Promise<unknown>;
}

/** The node dials for up to 10 s before it answers that it could not. */
const ANSWER_WAIT_MS = 30_000;
/** Some thousand peers. */
const ANSWER_BYTES_MAX = 16 * 1_024 * 1_024;

/** Rejects with NODE_UNREACHABLE. */
export async function findNode({ data, http, tokenFile }: Whereabouts): Promise<NodeClient> {
  const url = http === undefined ? await urlIn(data) : urlOf(http);
  const file = tokenFile ?? (data === undefined ? undefined : tokenFileIn(data));
  return {
    url,
    get: (path) => ask(url, path, { method: "GET" }),
    async post(path, body) {
      if (file === undefined) {
        throw unreachable("This needs the node's token: say --data DIR or --token-file FILE");
      }
      const { text } = await readToken(file);
      const headers = { authorization: `Bearer ${text}`, "content-type": "application/json" };
      return ask(url, path, { method: "POST", headers, body: JSON.stringify(body) });
    },
  };
}

/** A directory that nobody holds is no node's, whatever a crash left in it: its token goes nowhere. */
async function urlIn(data: string | undefined): Promise<string> {
  if (data === undefined) throw unreachable("Say which node: --data DIR or --http HOST:PORT");
  try {
    await checkUnlocked(data);
  } catch (error) {
    if (!isCoded(error, "DATA_LOCKED")) {
      const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      throw unreachable(`The data directory ${data} cannot be read (${code})`);
    }
    const told = await toldAddress(data);
    if (told !== undefined) return urlOf(told);
    throw unreachable(`The node on ${data} serves no HTTP: start it with --http HOST:PORT`);
  }
  throw unreachable(`No node runs on the data directory ${data}`);
}

function urlOf(text: string): string {
  const { host, port } = parseAddress(text.replace(/^http:\/\//, "").replace(/\/$/, ""));
  // What is bound to all interfaces is met on this machine.
  const met = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${met.includes(":") ? `[${met}]` : met}:${port}`;
}

interface Question {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function ask(url: string, path: string, question: Question): Promise<unknown> {
  const { status, text } = await answerOf(url, path, question);
  const json = objectIn(text);
  if (json === undefined) throw unreachable(`What answers at ${url} is no node of this network`);
  if (status < 300) return json;
  const { error } = json;
  if (typeof error !== "string")
    throw unreachable(`What answers at ${url} is no node of this network`);
  if (status === 401)
    throw unreachable(
      `The node at ${url} has another token: say its --data DIR or --token-file FILE`,
    );
  throw new CodedError(status < 500 ? "REFUSED" : "NODE_FAILED", error);
}

function answerOf(
  url: string,
  path: string,
  { method, headers = {}, body = "" }: Question,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const failed = (why: string): void => reject(unreachable(`No node answers at ${url}: ${why}`));
    const length = { "content-length": String(Buffer.byteLength(body)) };
    const sent = request(new URL(path, url), { method, headers: { ...headers, ...length } });
    const timer = setTimeout(() => {
      failed(`there was no answer within ${ANSWER_WAIT_MS / 1_000} s`);
      sent.destroy();
    }, ANSWER_WAIT_MS);
    sent.on("close", () => clearTimeout(timer));
    sent.on("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("error", (error) => failed(error.message));
      response.on("data", (part: string) => {
        if ((text += part).length <= ANSWER_BYTES_MAX) return;
        failed("its answer has no end");
        sent.destroy();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.end(body);
  });
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json = JSON.parse(text) as unknown;
    const isObject = typeof json === "object" && json !== null;
    return isObject ? (json as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

function unreachable(sentence: string): CodedError {
  return new CodedError("NODE_UNREACHABLE", `${sentence}.`);
}
