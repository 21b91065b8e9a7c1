// `fees/1`: the least price of transactions that its sender takes now.

import { fields, uint64 } from "./fields.js";
import type { KindsOf } from "./kind.js";

/** Of what pays less nothing is to be sent to its sender, until it says otherwise; 0: it takes all. */
export interface FeesMessage {
  readonly kind: "FeeFloor";
  readonly gasPrice: bigint;
}

export const FEES_CAPABILITY = "fees/1";

export const FEES_KINDS: KindsOf<FeesMessage> = {
  FeeFloor: {
    code: 0x60,
    capability: FEES_CAPABILITY,
    lane: "transaction",
    role: "oneWay",
    quota: "feeFloors",
    isLatest: true,
    payloadBytesMax: 16,
    decode: "inline",
    body: fields("FeeFloor", { gasPrice: uint64 }),
  },
};
