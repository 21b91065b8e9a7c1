// What the registry is told and asked about addresses. Types only.

import type { ActorRef } from "../../runtime/actor.js";
import type { PeerId } from "../../ports.js";
import type { Endpoint } from "../../protocol/address.js";

export type AddressMessage =
  /** A peer told of others: claims. Of one that has left meanwhile nothing is believed. */
  | {
      readonly type: "AddressesLearned";
      readonly from: PeerId;
      readonly endpoints: readonly Endpoint[];
    }
  /** Answered with addresses that a peer may be told; `local`: also those of local networks. */
  | {
      readonly type: "SampleAddresses";
      readonly countMax: number;
      readonly local?: boolean;
      readonly replyTo: ActorRef<readonly Endpoint[]>;
    }
  /** From the registry to itself: there are pages to read, or to write. */
  | { readonly type: "AddressesDue" }
  /** They were written, or could not be. */
  | { readonly type: "AddressesWritten" };
