// All that one life of a node publishes, heard by its auditors: of its order, and of what became of what
// it received. The node's start makes one.

import type { NetworkEventOf, NetworkEventType } from "../actors/events/event-types.js";
import type { Network } from "../network.js";
import type { Mempool } from "../ports.js";
import { AUDITED_EVENTS, EventAuditor, type EventAuditorParts } from "./event-auditor.js";
import { BLOCK_FATES, FateAuditor, TRANSACTION_FATES } from "./fate-auditor.js";

/** What the node itself listens to. */
const OWN_EVENTS = [
  "BlockConnected",
  "BlockDisconnected",
  "PeerBanned",
  "PeerConnected",
  "PeerUnbanned",
] as const satisfies readonly NetworkEventType[];
export type OwnEvent = NetworkEventOf<(typeof OWN_EVENTS)[number]>;

export interface LifeEventsParts extends EventAuditorParts {
  readonly network: Pick<Network, "subscribe">;
  readonly mempool: Mempool;
  /** There are several events for each transaction: crowds do without. */
  readonly withTransactions: boolean;
  /** How many actors of the node crashed so far: they lose what they had in hand. */
  readonly crashes: () => number;
  readonly onEvent: (event: OwnEvent) => void;
}

export class LifeEvents {
  readonly #parts: LifeEventsParts;
  readonly #order: EventAuditor;
  readonly #fates: FateAuditor;
  readonly #crashesBefore: number;
  #missed = 0;

  constructor(parts: LifeEventsParts) {
    const { network, report, withTransactions, onEvent } = parts;
    this.#parts = parts;
    this.#order = new EventAuditor(parts);
    this.#fates = new FateAuditor((what) => {
      if (this.#isWhole) report(what);
    });
    this.#crashesBefore = parts.crashes();
    const transactions = withTransactions ? TRANSACTION_FATES : [];
    // The one function hears each event once, whichever lists it is on.
    const types = [...AUDITED_EVENTS, ...OWN_EVENTS, ...BLOCK_FATES, ...transactions];
    network.subscribe([...new Set(types), "EventsMissed"], (event) => {
      if (event.type === "EventsMissed") {
        this.#missed += event.count ?? 1;
        return;
      }
      if (isOf(OWN_EVENTS, event)) onEvent(event);
      if (isOf(AUDITED_EVENTS, event)) this.#order.see(event);
      if (isOf(BLOCK_FATES, event) || isOf(TRANSACTION_FATES, event)) this.#fates.see(event);
    });
  }

  get peersGone(): number {
    return this.#order.peersGone;
  }

  /** Of a node at rest; undefined: all that it received ended, as far as it could say so. */
  get fault(): string | undefined {
    if (!this.#isWhole) return undefined;
    const { mempool, withTransactions } = this.#parts;
    const tells = withTransactions && mempool.takeDropped !== undefined;
    return this.#fates.fault(tells ? mempool.count : undefined);
  }

  /** Nothing was missed, and no actor lost what it had in hand. */
  get #isWhole(): boolean {
    return this.#missed === 0 && this.#parts.crashes() === this.#crashesBefore;
  }
}

function isOf<T extends NetworkEventType>(
  types: readonly T[],
  event: { readonly type: NetworkEventType },
): event is NetworkEventOf<T> {
  return (types as readonly NetworkEventType[]).includes(event.type);
}
