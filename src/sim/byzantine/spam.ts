// Script: what costs others work or memory and is worth nothing: bad transactions, floods within
// credit, answers that nobody asked for, and messages over the limits. One of them a second, by
// turns.

import { toHex } from "../../bytes/hex.js";
import { KINDS, WINDOW_BYTES_MAX } from "../../protocol/types/message.js";
import { forgeSignature, pay } from "./forge.js";
import type { ByzantineHost, ByzantineScript } from "./script.js";
import type { Session } from "./session.js";

type Spam = (session: Session, host: ByzantineHost) => void;

const FLOOD_TRANSACTIONS = 64;
const FLOOD_IDS = 512;
const PINGS = 2_000;
const REQUESTS = 200;
const UNKNOWN_KIND = 0x7f;
const NONCES = 1_000_000;

export const SPAMS = {
  signature: (session, host) => {
    const transaction = forgeSignature(pay(host, "forged", host.random.uint32()));
    session.send({ kind: "NewTransaction", transaction });
  },
  transactions: (session, host) => {
    for (let sent = 0; sent < FLOOD_TRANSACTIONS && session.waitingBytes === 0; sent++) {
      const nonce = host.random.uint32() % NONCES;
      const transaction = pay(host, `spam ${nonce % 16}`, nonce, 100);
      session.send({ kind: "NewTransaction", transaction });
    }
  },
  announcements: (session, { random }) => {
    const ids = Array.from({ length: FLOOD_IDS }, () => toHex(random.bytes(32)));
    if (session.waitingBytes === 0) session.send({ kind: "AnnounceTransactions", ids });
  },
  unsolicited: (session) => {
    session.send({ kind: "ResponseTransactions", transactions: [] }, 4_000_000_000);
  },
  pings: (session) => {
    for (let nonce = 0n; nonce < PINGS; nonce++) session.send({ kind: "Ping", nonce });
  },
  requests: (session, { book }) => {
    const { hash } = book.best.header;
    for (let sent = 0; sent < REQUESTS; sent++) session.ask({ kind: "RequestBlock", hash });
  },
  window: (session) => {
    session.send({ kind: "WindowUpdate", lane: "block", bytes: WINDOW_BYTES_MAX });
  },
  payload: (session) => {
    const header = [0, 0, 0, 1, KINDS.Pong.code, 0, 0, 0, 0, 0];
    session.sendBytes(Uint8Array.of(...header, 0xff));
  },
  "unknown-kind": (session) => {
    session.sendBytes(Uint8Array.of(0, 0, 0, 1, UNKNOWN_KIND, 0, 0, 0, 0, 0, 0));
  },
} as const satisfies Record<string, Spam>;

export type SpamName = keyof typeof SPAMS;

export const spam: ByzantineScript = spamOf(Object.keys(SPAMS) as SpamName[]);

/** The same with these kinds alone. */
export function spamOf(names: readonly SpamName[]): ByzantineScript {
  return {
    name: "spam",
    behave(host) {
      let turn = host.random.uint32();
      return {
        tick() {
          const name = names[turn++ % names.length]!;
          for (const session of host.sessions) SPAMS[name](session, host);
        },
      };
    },
  };
}
