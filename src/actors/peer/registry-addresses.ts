// What the registry does with addresses that peers tell of.

import { unreachable } from "../../errors.js";
import type { AddressMessage } from "./address-messages.js";
import { momentOf, type RegistryContext, type RegistryState } from "./registry-state.js";

export function aboutAddresses(
  { book }: RegistryState,
  message: AddressMessage,
  context: RegistryContext,
): void {
  const { wallMs } = momentOf(context);
  switch (message.type) {
    case "AddressesLearned": {
      const host = book.connections.readyOf(message.from)?.remote.host;
      if (host === undefined) return;
      book.addresses.learned(message.endpoints, { host }, wallMs);
      return;
    }
    case "SampleAddresses": {
      const { countMax, local, replyTo } = message;
      replyTo.tell(book.addresses.sample(countMax, wallMs, local));
      return;
    }
    default:
      unreachable(message);
  }
}
