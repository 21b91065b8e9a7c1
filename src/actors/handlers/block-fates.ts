// What the event bus hears of the blocks that are checked here: each is received once and ends once. Of a
// block that connects the chain itself tells; so a fate is told here where it is another one, also when
// the block handler ends or crashes with it in hand. Owned by the block handler.

import type { ActorRef, Releasable } from "../../runtime/actor.js";
import type { HashHex, HeaderSummary } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { BlockDropReason, ChainPoint, NetworkEvent } from "../events/event-types.js";
import type { ConnectOutcome } from "../integration/consensus-integration.js";

export class BlockFates implements Releasable {
  readonly #events: ActorRef<EventBusMessage>;
  /** Received, and not ended. No two copies are checked at once. */
  readonly #open = new Map<HashHex, ChainPoint>();

  constructor(events: ActorRef<EventBusMessage>) {
    this.#events = events;
  }

  received({ hash, height }: HeaderSummary, peerId: PeerId | undefined): void {
    this.#open.set(hash, { hash, height });
    const from = peerId === undefined ? {} : { peerId };
    this.#publish({ type: "BlockReceived", hash, height, ...from });
  }

  validated(hash: HashHex): void {
    const point = this.#open.get(hash);
    if (point !== undefined) this.#publish({ type: "BlockValidated", ...point });
  }

  /** Its end is told elsewhere: it is rejected. */
  told(hash: HashHex): void {
    this.#open.delete(hash);
  }

  connected(hash: HashHex, outcome: ConnectOutcome): void {
    const point = this.#open.get(hash);
    if (point === undefined) return;
    if (!outcome.ok) {
      // A fault is told as a rejection.
      if (outcome.reason === "fault") this.told(hash);
      else this.dropped(hash, outcome.reason);
    } else if (outcome.aside === "kept") {
      this.#open.delete(hash);
      this.#publish({ type: "BlockSetAside", ...point });
    } else if (outcome.aside === "let-go") this.dropped(hash, "light");
    else this.told(hash);
  }

  /** Unless its end was told. */
  dropped(hash: HashHex, reason: BlockDropReason): void {
    const point = this.#open.get(hash);
    if (point === undefined) return;
    this.#open.delete(hash);
    this.#publish({ type: "BlockDropped", ...point, reason });
  }

  release(): void {
    for (const hash of [...this.#open.keys()]) this.dropped(hash, "ended");
  }

  #publish(event: NetworkEvent): void {
    this.#events.tell({ type: "Publish", event });
  }
}
