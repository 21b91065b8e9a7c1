// What the event bus hears of the mempool: what it took, and in what way each transaction left it. There
// are some for each transaction, so nothing is said that nobody hears. Owned by the mempool integration.

import type { ActorRef } from "../../runtime/actor.js";
import type { Breach } from "../../types/breach.js";
import type { HashHex } from "../../types/chain.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { NetworkEvent } from "../events/event-types.js";
import { isHeard } from "../events/heard.js";
import type { GuardedMempool } from "./guarded-mempool.js";

export class MempoolEvents {
  readonly #events: ActorRef<EventBusMessage>;
  readonly #env: Pick<NodeEnv, "blocks" | "heard">;
  readonly #mempool: Pick<GuardedMempool, "has">;

  constructor(
    events: ActorRef<EventBusMessage>,
    env: Pick<NodeEnv, "blocks" | "heard">,
    mempool: Pick<GuardedMempool, "has">,
  ) {
    this.#events = events;
    this.#env = env;
    this.#mempool = mempool;
  }

  accepted(id: HashHex): void {
    if (!isHeard(this.#env, "TransactionAccepted")) return;
    this.#publish({ type: "TransactionAccepted", id });
  }

  /** They were accepted once and will not be confirmed. */
  dropped(ids: readonly HashHex[], { rule, detail }: Breach): void {
    if (!isHeard(this.#env, "TransactionDropped")) return;
    for (const id of ids) this.#publish({ type: "TransactionDropped", id, rule, detail });
  }

  returned(ids: readonly HashHex[]): void {
    if (!isHeard(this.#env, "TransactionReturned")) return;
    for (const id of ids) this.#publish({ type: "TransactionReturned", id });
  }

  /** Those of a block that the mempool still holds, before they leave it. */
  confirmed(ids: readonly HashHex[], blockHash: HashHex): void {
    if (!isHeard(this.#env, "TransactionConfirmed")) return;
    const height = this.#env.blocks.summary(blockHash)?.height;
    if (height === undefined) return;
    for (const id of ids) {
      if (!this.#mempool.has(id)) continue;
      this.#publish({ type: "TransactionConfirmed", id, blockHash, height });
    }
  }

  /** Of a caller's word that these are to leave: those that it holds. */
  refused(ids: readonly HashHex[], breach: Breach): void {
    if (!isHeard(this.#env, "TransactionDropped")) return;
    const held = ids.filter((id) => this.#mempool.has(id));
    this.dropped(held, breach);
  }

  #publish(event: NetworkEvent): void {
    this.#events.tell({ type: "Publish", event });
  }
}
