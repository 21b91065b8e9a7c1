// What the registry does with addresses that peers tell of, and how they outlive the process: a page for
// each bucket, read and written some at a time, so that no turn is long however full the book is. What
// was not written when the process ended is heard of again.

import { unreachable } from "../../errors.js";
import { toHex } from "../../bytes/hex.js";
import type { AddressPage, Random } from "../../ports.js";
import type { AddressMessage } from "./address-messages.js";
import { readPages } from "./address-pages.js";
import type { GuardedPeerStore } from "./guarded-peer-store.js";
import { fill } from "./registry-dials.js";
import {
  momentOf,
  type AddressKeeping,
  type RegistryContext,
  type RegistryState,
} from "./registry-state.js";

type State = Pick<RegistryState, "book" | "keeping" | "store">;

/** Each takes a millisecond to read when it is full. */
const PAGES_READ_PER_TURN = 8;
/** About 200 KiB. */
const PAGES_WRITTEN_AT_ONCE = 32;
const SECRET_BYTES = 32;
const SECRET = /^[0-9a-f]{64}$/;

/** What the store kept, none of it read but the secret. */
export function openAddresses(store: GuardedPeerStore, random: Random): AddressKeeping {
  const pages = readPages(store.pages());
  const stored = pages.get("secret") ?? "";
  const isSecretStored = SECRET.test(stored);
  return {
    unread: [...pages],
    secret: isSecretStored ? stored : toHex(random.bytes(SECRET_BYTES)),
    isSecretStored,
    isTimerSet: false,
    isWriting: false,
  };
}

export function aboutAddresses(
  state: RegistryState,
  message: AddressMessage,
  context: RegistryContext,
): void {
  const { book, keeping } = state;
  const { wallMs } = momentOf(context);
  switch (message.type) {
    case "AddressesLearned": {
      const host = book.connections.readyOf(message.from)?.remote.host;
      if (host === undefined) return;
      book.addresses.learned(message.endpoints, { host }, wallMs);
      fill(state, context);
      return;
    }
    case "SampleAddresses": {
      const { countMax, local, replyTo } = message;
      replyTo.tell(book.addresses.sample(countMax, wallMs, local));
      return;
    }
    case "AddressesDue":
      keeping.isTimerSet = false;
      if (keeping.unread.length > 0) {
        read(state, PAGES_READ_PER_TURN);
        fill(state, context);
      } else write(state, context);
      return;
    case "AddressesWritten":
      keeping.isWriting = false;
      return;
    default:
      unreachable(message);
  }
}

/** At a start, before anybody is dialed: whom to dial first. */
export function restoreAnchors({ book, keeping }: Omit<State, "store">): void {
  const anchors = keeping.unread.find(([name]) => name === "anchors");
  if (anchors !== undefined) book.anchors.restore(anchors[1]);
}

/** After whatever happened: what is to be read or written is, soon. */
export function keepAddresses({ book, keeping }: State, context: RegistryContext): void {
  if (keeping.isTimerSet || keeping.isWriting) return;
  const { addresses, anchors } = book;
  const isUnread = keeping.unread.length > 0;
  const isUnwritten = !keeping.isSecretStored || addresses.hasChanged || anchors.hasChanged;
  if (!isUnread && !isUnwritten) return;
  keeping.isTimerSet = true;
  const waitMs = isUnread ? 0 : context.env.config.addresses.saveEveryMs;
  context.startTimer("addresses", waitMs, { type: "AddressesDue" });
}

/** The node stops: all that is known is written. */
export function writeAllAddresses(state: State): void {
  read(state, Number.POSITIVE_INFINITY);
  const pages = unwritten(state, Number.POSITIVE_INFINITY);
  if (pages.length > 0) void state.store.write(pages);
}

function read({ book: { addresses }, keeping: { unread } }: State, countMax: number): void {
  for (const [name, text] of unread.splice(0, countMax)) addresses.restore(name, text);
}

function write(state: State, context: RegistryContext): void {
  const pages = unwritten(state, PAGES_WRITTEN_AT_ONCE);
  if (pages.length === 0) return;
  state.keeping.isWriting = true;
  context.pipe(state.store.write(pages), () => ({ type: "AddressesWritten" }));
}

function unwritten({ book, keeping }: State, countMax: number): AddressPage[] {
  const pages: AddressPage[] = [];
  if (!keeping.isSecretStored) pages.push({ name: "secret", text: keeping.secret });
  keeping.isSecretStored = true;
  if (book.anchors.takeChanged()) pages.push({ name: "anchors", text: book.anchors.text });
  return [...pages, ...book.addresses.takeChanged(countMax)];
}
